"""An errand is one process's at a time."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from destinations.claim import LEASE_SECONDS, Claim, Taken, held
from hub.clock import FakeClock
from hub.log import TOKENS, Entry, Log, LogUnavailable, Place
from hub.log.memory import MemoryLog
from hub.log.opening import open_log
from hub.log.settings import KafkaLog, LogSettings, SqliteLog
from tests.destinations.scene import until

NAME = "replay spring of crm"


@pytest.fixture(params=["memory", "sqlite", pytest.param("kafka", marks=pytest.mark.kafka)])
async def log(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Log]:
    """A log of each kind."""
    if request.param == "memory":
        yield MemoryLog()
        return
    settings: LogSettings = SqliteLog(path=tmp_path / "hub.db")
    if request.param == "kafka":
        broker = request.getfixturevalue("kafka_broker")
        settings = KafkaLog(bootstrap_servers=broker, topic_prefix=f"t{uuid.uuid4().hex[:12]}.")
    opened = await open_log(settings)
    yield opened
    await opened.close()


class Slow(MemoryLog):
    """A log whose appends take a while: others have read meanwhile what was there before."""

    async def append(self, stream: str, entries: Sequence[Entry]) -> Sequence[Place]:
        await asyncio.sleep(0)
        return await super().append(stream, entries)


class Mute(MemoryLog):
    """A log that goes away."""

    away = False

    async def append(self, stream: str, entries: Sequence[Entry]) -> Sequence[Place]:
        if self.away:
            raise LogUnavailable("the log is away")
        return await super().append(stream, entries)


async def _supersede(two: Claim, clock: FakeClock) -> None:
    """`two` waits until the lease of who has the errand is over."""
    taking = asyncio.create_task(two.take())
    await until(lambda: two._owner != "")
    clock.advance(LEASE_SECONDS)
    await taking


async def test_who_lives_is_not_superseded(log: Log) -> None:
    """The second is told who has it and what to do; once it is free, the second has it."""
    clock = FakeClock()
    one, two = (Claim(log, NAME, clock) for _ in range(2))
    await one.take()
    taking = asyncio.create_task(two.take())
    while not taking.done():
        await one.sign()
        await asyncio.wait([taking], timeout=0.01)
    with pytest.raises(Taken, match=r"spring of crm is under way: process \d+ on .*say the same"):
        await taking
    await one.free()
    await two.take()

    assert two.ours


async def test_who_was_killed_is_superseded() -> None:
    """After a lease without a sign of life."""
    log, clock = MemoryLog(), FakeClock()
    await Claim(log, NAME, clock).take()
    two = Claim(log, NAME, clock)
    await _supersede(two, clock)

    assert two.ours


async def test_of_many_who_come_after_it_one_has_it() -> None:
    """All others are told, and nobody has it twice."""
    log, clock = Slow(), FakeClock()
    await Claim(log, NAME, clock).take()
    eight = [Claim(log, NAME, clock) for _ in range(8)]
    taking = asyncio.gather(*(one.take() for one in eight), return_exceptions=True)
    await until(lambda: all(one._owner for one in eight))
    clock.advance(LEASE_SECONDS)
    found = await taking

    assert (1, 7) == (found.count(None), sum(isinstance(one, Taken) for one in found))
    assert 1 == sum(one.ours for one in eight)


async def test_other_errands_are_free() -> None:
    """Another name is another errand."""
    log, clock = MemoryLog(), FakeClock()
    await Claim(log, NAME, clock).take()
    other = Claim(log, "retry of crm", clock)
    await other.take()

    assert other.ours


async def _sleep_through(log: Log, two: Claim, clock: FakeClock) -> None:
    """Have the errand for longer than a lease without a sign of life."""
    lost = asyncio.Event()
    async with held(log, NAME, clock, lost):
        await _supersede(two, clock)
        await lost.wait()


async def test_who_slept_too_long_stops() -> None:
    """It finds itself superseded at its next sign of life, and changes nothing for who has it."""
    log, clock = MemoryLog(), FakeClock()
    two = Claim(log, NAME, clock)
    with pytest.raises(Taken):
        await _sleep_through(log, two, clock)
    await two.sign()

    assert two.ours


async def test_the_end_of_the_block_frees_it() -> None:
    """Also where it ends by an error; a log that is away then is no error of its own."""
    log, clock = Mute(), FakeClock()
    with pytest.raises(ZeroDivisionError):
        async with held(log, NAME, clock, asyncio.Event()):
            raise ZeroDivisionError
    async with held(log, NAME, clock, asyncio.Event()):
        log.away = True

    assert log.away


async def test_what_is_kept_is_small() -> None:
    """All that is said of an errand has one key, of which the stream keeps the last record."""
    log, clock = MemoryLog(), FakeClock()
    async with held(log, NAME, clock, asyncio.Event()):
        pass
    (spans,) = (one.spans for one in await log.status() if one.stream == TOKENS)
    pages = [await log.read(TOKENS, span.partition, 0, 10) for span in spans]

    assert [b"errand/" + NAME.encode()] * 2 == [record.key for page in pages for record in page]
