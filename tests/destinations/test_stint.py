"""A worker's stint on an errand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from destinations.deadletters import open_letters
from destinations.replay import replay, surveyed
from destinations.retrial import retrial
from destinations.selection import Selection
from destinations.stint import Stint
from hub.log import PARKED, Log
from hub.log.memory import MemoryLog
from hub.log.settings import MemoryLog as MemorySettings
from tests.destinations.errands import carry_out, pass_over
from tests.destinations.scene import CLOCK, accept, plan, received


async def errand_of(log: Log, count: int) -> Any:
    """A replay of so many events."""
    await accept(log, count)
    await pass_over(log, "hook")
    of = await surveyed(log, "hook", Selection(), CLOCK.now(), replay="spring")
    return replay(log, of, CLOCK, 100_000.0)


async def test_nothing_to_do_ends_at_once() -> None:
    """An errand without records is done, and that is no fault."""
    log = MemoryLog(MemorySettings(partitions=1))
    stint = await carry_out(
        plan("http://127.0.0.1:1/"), log, retrial("r", log, open_letters(log), CLOCK, 1.0)
    )

    assert Stint(0, 0, 0, done=True, state="delivering") == stint
    assert 0 == stint.status


async def test_the_brake_ends_it() -> None:
    """Where the live lane waits for a person, an errand stops: the person is there."""
    log = MemoryLog(MemorySettings(partitions=1))

    async def refuses(_: Sequence[dict[str, Any]]) -> int:
        return 400

    async with received() as (receiver, url):
        receiver.says = refuses
        errand = await errand_of(log, 300)
        stint = await carry_out(plan(url, brake_run=20), log, errand)

    assert (False, "braked", 1) == (stint.done, stint.state, stint.status)
    assert receiver.requests < 300


async def test_it_parks_nothing() -> None:
    """What is parked is the live worker's: a key that fails waits in the lanes."""
    log = MemoryLog(MemorySettings(partitions=1))

    async def says(events: Sequence[dict[str, Any]]) -> int:
        return 500 if events[0]["userId"] == "u0" and receiver.requests < 150 else 200

    async with received() as (receiver, url):
        receiver.says = says
        errand = await errand_of(log, 100)
        stint = await carry_out(plan(url, park_seconds=0.001, breaker_failures=1_000), log, errand)
        spans = next(one.spans for one in await log.status() if one.stream == PARKED)

    assert 100 == stint.delivered
    assert 0 == sum(span.end for span in spans)


@pytest.mark.parametrize(
    ("stint", "status"),
    [
        (Stint(5, 0, 2, done=True, state="delivering"), 0),
        (Stint(5, 1, 0, done=True, state="delivering"), 1),
        (Stint(5, 0, 0, done=False, state="delivering"), 1),
    ],
)
def test_the_exit_status_says_whether_all_is_well(stint: Stint, status: int) -> None:
    """0 when nothing is left and nothing is dead."""
    assert status == stint.status
