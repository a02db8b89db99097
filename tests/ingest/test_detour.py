"""The way around a log that is away, and back."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from hub.clock import SystemClock
from hub.log import EVENTS, Entry, Log, LogMisconfigured, LogUnavailable, Place
from hub.log.memory import MemoryLog
from hub.metrics import Metrics
from ingest.detour import Detour, Spooled
from ingest.happenings import Happenings
from ingest.settings import SpoolSettings
from ingest.spool import Way
from tests.ingest.scenes import AwayLog, HeldLog, spooled, until

Around = Callable[..., Awaitable[tuple[Detour, Spooled]]]


@pytest.fixture
async def around(tmp_path: Path) -> AsyncIterator[Around]:
    """A way around a log, as one more process of the machine has it."""
    async with AsyncExitStack() as stack:

        async def one_more(
            log: Log,
            seconds: float = 60.0,
            opening: Callable[[], Awaitable[Log]] | None = None,
        ) -> tuple[Detour, Spooled]:
            asked = SpoolSettings(path=tmp_path / "spool")
            beside = await stack.enter_async_context(spooled(log, asked, SystemClock()))
            if opening is not None:
                beside = replace(beside, log=None, opening=opening)
            detour = Detour(beside, Happenings(Metrics(), SystemClock(), ["shop"]), seconds)
            stack.push_async_callback(detour.close)
            return detour, beside

        yield one_more


def entry(key: str, number: int) -> Entry:
    return Entry(key.encode(), b"%d" % number)


async def found(log: Log, key: str) -> list[int]:
    """What the log has of a key, each number where it stands first."""
    records = []
    for status in await log.status():
        if status.stream == EVENTS:
            for span in status.spans:
                records += await log.read(EVENTS, span.partition, 0, 100_000)
    return list(dict.fromkeys(int(one.value) for one in records if one.key == key.encode()))


async def drained(beside: Spooled) -> None:
    """Wait until the spool is empty and out of the way."""

    async def free() -> bool:
        return beside.spool.way is Way.STRAIGHT

    await until(free)


async def test_what_the_log_does_not_take_the_spool_does(around: Around) -> None:
    """In order; and when the log is back it has all, and appends go straight."""
    log = AwayLog()
    detour, beside = await around(log)
    for number in range(5):
        await detour.append(EVENTS, [entry("a", number)])
    waiting = len(await beside.spool.first(EVENTS, 10))
    log.streams = ()
    await drained(beside)
    await detour.append(EVENTS, [entry("a", 5)])

    assert 5 == waiting
    assert [0, 1, 2, 3, 4, 5] == await found(log, "a")
    assert [] == await beside.spool.first(EVENTS, 10)


async def test_nothing_is_tried_that_just_failed(around: Around) -> None:
    """After the first failure, appends do not ask the log."""
    asked = []

    class Counting(AwayLog):
        async def append(self, stream: str, entries: Sequence[Entry]) -> Sequence[Place]:
            asked.append(entries)
            return await super().append(stream, entries)

        async def ready(self) -> None:
            raise LogUnavailable("away")

    detour, _ = await around(Counting())
    for number in range(20):
        await detour.append(EVENTS, [entry("a", number)])

    assert 1 == len(asked)


async def test_who_is_under_way_is_sent_around_with_the_first(around: Around) -> None:
    """Nobody waits out what another has found to be away."""

    class Holding(HeldLog):
        async def append(self, stream: str, entries: Sequence[Entry]) -> Sequence[Place]:
            if entries[0].key == b"first":
                raise LogUnavailable("away")
            return await super().append(stream, entries)

        async def ready(self) -> None:
            raise LogUnavailable("away")

    log = Holding()
    detour, beside = await around(log)
    others = [asyncio.create_task(detour.append(EVENTS, [entry("b", n)])) for n in range(50)]
    await log.entered.wait()
    await detour.append(EVENTS, [entry("first", 0)])
    await asyncio.gather(*others)

    assert 51 == len(await beside.spool.first(EVENTS, 100))


async def test_a_log_that_is_slow_and_takes_something_is_not_away(around: Around) -> None:
    """One append may wait for as long as others return: the spool would only add to the work."""

    class Picky(HeldLog):
        async def append(self, stream: str, entries: Sequence[Entry]) -> Sequence[Place]:
            if entries[0].key == b"held":
                return await super().append(stream, entries)
            return await MemoryLog.append(self, stream, entries)

    log = Picky()
    detour, beside = await around(log, 0.5)
    held = asyncio.create_task(detour.append(EVENTS, [entry("held", 0)]))
    until_then = asyncio.get_running_loop().time() + 2.0
    while asyncio.get_running_loop().time() < until_then:
        await detour.append(EVENTS, [entry("a", 1)])
        await asyncio.sleep(0.001)
    way = beside.spool.way
    log.free.set()
    await held

    assert Way.STRAIGHT is way
    assert [0] == await found(log, "held")


async def test_a_log_that_takes_nothing_is_not_waited_for(around: Around) -> None:
    """It may have an event twice then, and has it."""
    log = HeldLog()
    detour, beside = await around(log, 0.01)
    await detour.append(EVENTS, [entry("a", 1)])
    log.free.set()
    await drained(beside)

    assert [1] == await found(log, "a")


async def test_a_log_that_is_away_at_the_start_is_opened_when_it_is_there(around: Around) -> None:
    """Until then the spool takes what comes."""
    log, tries = MemoryLog(), []

    async def opening() -> Log:
        tries.append(len(tries))
        if len(tries) < 3:
            raise LogUnavailable("away")
        return log

    detour, beside = await around(log, opening=opening)
    await detour.append(EVENTS, [entry("a", 0)])
    state = await detour.ready()
    await until(lambda: _has(log, "a", 1))
    await drained(beside)
    await detour.append(EVENTS, [entry("a", 1)])

    assert "spooling" == state
    assert [0, 1] == await found(log, "a")


async def _has(log: Log, key: str, count: int) -> bool:
    return len(await found(log, key)) == count


async def _reached(answered: Sequence[str], enough: int) -> bool:
    return len(answered) >= enough


class Flaky(MemoryLog):
    """A log that fails as Kafka does: before it wrote, after it wrote, and before it writes."""

    def __init__(self, die: random.Random) -> None:
        super().__init__()
        self.die = die
        self.away = False
        self.late: set[asyncio.Task[object]] = set()

    async def append(self, stream: str, entries: Sequence[Entry]) -> Sequence[Place]:
        turns = self.die.randrange(4)
        for _ in range(turns):
            await asyncio.sleep(0)
        if not self.away:
            return await super().append(stream, entries)
        match self.die.randrange(3):
            case 0:
                await super().append(stream, entries)
            case 1:
                self.late.add(asyncio.create_task(self._written_late(stream, entries)))
        raise LogUnavailable("away")

    async def ready(self) -> None:
        if self.away and self.die.random() < 0.5:
            raise LogUnavailable("away")

    async def _written_late(self, stream: str, entries: Sequence[Entry]) -> None:
        for _ in range(self.die.randrange(1_000)):
            await asyncio.sleep(0)
        await super().append(stream, entries)


@pytest.mark.parametrize("seed", range(3))
async def test_nothing_overtakes_and_nothing_is_lost(around: Around, seed: int) -> None:
    """Three processes of a machine over a log that comes and goes: what was answered before the
    next began stands before it, whichever process took either.
    """
    die = random.Random(seed)
    log = Flaky(die)
    ways = [await around(log, 0.05) for _ in range(3)]
    ended = asyncio.Event()

    answered: list[str] = []

    async def sending(key: str) -> list[int]:
        number = 0
        while not ended.is_set():
            await die.choice(ways)[0].append(EVENTS, [entry(key, number)])
            answered.append(key)
            number += 1
        return list(range(number))

    async def failing() -> None:
        for _ in range(4):
            log.away = True
            enough = len(answered) + die.randrange(500)
            await until(lambda enough=enough: _reached(answered, enough))
            log.away = False
            await drained(ways[0][1])
        ended.set()

    keys = [f"key-{number}" for number in range(10)]
    *sent, _ = await asyncio.gather(*(sending(key) for key in keys), failing())
    await drained(ways[0][1])
    await asyncio.gather(*log.late)

    assert sent == [await found(log, key) for key in keys]


async def test_appends_without_end_do_not_keep_the_spool_in_use(around: Around) -> None:
    """For each batch that is drained one more event comes: it waits for the last of the spool, and
    goes straight then.
    """

    class Busy(AwayLog):
        last = 0

        async def append(self, stream: str, entries: Sequence[Entry]) -> Sequence[Place]:
            if not self.streams and beside.spool.way is not Way.STRAIGHT:
                self.last += 1
                sent.append(asyncio.create_task(detour.append(EVENTS, [entry("a", self.last)])))

                async def under_way() -> bool:
                    return sent[-1].done() or beside.spool.way is Way.WAIT

                await until(under_way)
            return await super().append(stream, entries)

    log, sent = Busy(), list[asyncio.Task[None]]()
    detour, beside = await around(log)
    await detour.append(EVENTS, [entry("a", 0)])
    log.streams = ()
    await drained(beside)
    await asyncio.gather(*sent)

    assert list(range(log.last + 1)) == await found(log, "a")


async def test_the_next_drains_when_the_one_who_did_is_gone(around: Around, tmp_path: Path) -> None:
    """What a dead process spooled is everybody's."""
    log, asked = AwayLog(), SpoolSettings(path=tmp_path / "spool")
    async with spooled(log, asked, SystemClock()) as dying:
        assert dying.spool.take_turn()
        detour, beside = await around(log)
        await detour.append(EVENTS, [entry("a", 1)])
        log.streams = ()
        undrained = len(await dying.spool.first(EVENTS, 10))
    await drained(beside)

    assert 1 == undrained
    assert [1] == await found(log, "a")


async def test_a_drain_that_hangs_holds_nobody_up(around: Around) -> None:
    """Who waits for the last of the spool goes into it when that takes too long."""
    detour, beside = await around(AwayLog())
    await detour.append(EVENTS, [entry("a", 1)])
    beside.spool.wait()
    await detour.append(EVENTS, [entry("a", 2)])

    assert Way.ROUND is beside.spool.way
    assert 2 == len(await beside.spool.first(EVENTS, 10))


async def test_a_log_that_takes_less_at_once_is_given_less(around: Around) -> None:
    """So that a weak log is not asked for the same too much without end."""

    class Weak(AwayLog):
        async def append(self, stream: str, entries: Sequence[Entry]) -> Sequence[Place]:
            if len(entries) > 600:
                raise LogUnavailable("too slow")
            return await super().append(stream, entries)

    log = Weak()
    detour, beside = await around(log)
    await asyncio.gather(*(detour.append(EVENTS, [entry("a", n)]) for n in range(1_500)))
    log.streams = ()
    await drained(beside)

    assert list(range(1_500)) == await found(log, "a")


async def test_what_the_log_refuses_stays_and_is_told(around: Around) -> None:
    """Rights or limits are wrong: nothing is given up until a person has acted."""

    class Refusing(AwayLog):
        refuses = True

        async def append(self, stream: str, entries: Sequence[Entry]) -> Sequence[Place]:
            if not self.streams and self.refuses:
                raise LogMisconfigured("grant Write")
            return await super().append(stream, entries)

    log = Refusing()
    with capture_logs() as lines:
        detour, beside = await around(log)
        await detour.append(EVENTS, [entry("a", 1)])
        log.streams = ()

        async def told() -> bool:
            return any(line.get("why") == "grant Write" for line in lines)

        await until(told)
    kept = len(await beside.spool.first(EVENTS, 10))
    log.refuses = False
    await drained(beside)

    assert 1 == kept
    assert [1] == await found(log, "a")
