"""What only the log in memory promises; the rest is the contract."""

from __future__ import annotations

from hub.clock import FakeClock
from hub.log import EVENTS
from hub.log.memory import MemoryLog
from hub.log.settings import MemoryLog as Settings
from tests.hub.log.scenes import numbered


async def test_times_are_the_clocks() -> None:
    """Records stand at the time of a fake clock, and `offset_at` is asked in it."""
    clock = FakeClock(1_000.0)
    log = MemoryLog(Settings(partitions=1), clock=clock)
    await log.append(EVENTS, numbered("a", range(2)))
    clock.advance(10)
    await log.append(EVENTS, numbered("a", range(2, 3)))

    at = [record.at for record in await log.read(EVENTS, 0, 0, 10)]

    assert [1_000.0, 1_000.0, 1_010.0] == at
    assert [0, 2, 3] == [await log.offset_at(EVENTS, 0, t) for t in (1_000.0, 1_000.1, 1_011.0)]
