"""One run: a hub under load, the script that breaks it, and the verdict when all is quiet again."""

from __future__ import annotations

import asyncio
import random
import signal
import time
from collections import defaultdict
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

from hub.log import Log, LogError
from tests.faults import witness
from tests.faults.checker import Span, Vendor, Verdict, judge
from tests.faults.load import Load, Shape
from tests.faults.stage import DELIVERY, INGEST, INSTANCES, Stage, until
from tests.faults.witness import Journal

# Seconds. Nothing new at any vendor for so long, and what is missing is lost: longer than anything
# that the hub may wait for, the breaker's longest pause of a minute and then some.
QUIET = 90.0
# Nothing new for so long, and it may be that all has ended, though not all of it at the vendor.
SHORT = 5.0
LOOK = 0.1


@dataclass(frozen=True, slots=True)
class Scenario:
    """What breaks, how the load is, and what is expected beyond that nothing is lost.

    `log`: the kinds it runs on, the first by default; `cluster` is a Kafka of three brokers.
    `events`: how many are sent at least; the script may take longer. `once`: no event may be seen
    twice even by a vendor that keeps no ids. `patience`: the longest stall, in seconds. `skewed`:
    on a clock that can be stepped. `linux`: by means that other systems do not have.
    """

    sentence: str
    script: Callable[[Play], Awaitable[None]]
    log: Sequence[str] = ("kafka", "sqlite")
    instances: Sequence[str] = ("keyed", "plain", "ads")
    shape: Shape = field(default_factory=Shape)
    events: int = 1_500
    once: bool = False
    patience: float = float("inf")
    skewed: bool = False
    linux: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the table. `delays`: by instance, the seconds from received to taken. `broken`: the
    instances that the script kept from taking anything for a while.
    """

    scenario: str
    seed: int
    log: str
    verdicts: Sequence[Verdict]
    once: bool
    patience: float
    peak: int
    seconds: float
    troubles: Sequence[str]
    delays: Mapping[str, Sequence[float]]
    broken: Collection[str] = ()

    @property
    def sound(self) -> bool:
        """Whether all promises were kept, and no process ended as it should not."""
        exact = not self.once or not any(verdict.repeated for verdict in self.verdicts)
        swift = all(verdict.stall <= self.patience for verdict in self.verdicts)
        kept = all(verdict.sound for verdict in self.verdicts)
        return kept and exact and swift and not self.troubles


@dataclass(slots=True)
class Play:
    """What a script has at hand.

    `rounds`: how often a fault comes. `count` and `seconds`, when given, say how often and how long
    where a scenario is about that.
    """

    stage: Stage
    load: Load
    die: random.Random
    broker: Any
    journal: Journal
    rounds: int
    count: int | None = None
    seconds: float | None = None
    broken: dict[str, list[Span]] = field(default_factory=lambda: defaultdict(list))
    received: dict[str, float] = field(default_factory=dict)
    troubles: list[str] = field(default_factory=list)

    # When

    async def more(self, events: int) -> None:
        """Wait until so many more events are accepted."""
        goal = self.load.accepted + events

        async def reached() -> bool:
            return self.load.accepted >= goal

        if not await until(reached, QUIET):
            raise AssertionError(f"no events were accepted for long: {self.load.answers}")

    async def moments(self, least: float, most: float) -> None:
        """A while, by the die."""
        await asyncio.sleep(self.die.uniform(least, most))

    # What

    async def killed(self, name: str) -> None:
        """SIGKILL, a moment of absence, and a new process in its place."""
        await self.stage.end(name, signal.SIGKILL)
        await self.moments(0.0, 2.0)
        await self.stage.begin(name)

    async def frozen(self, name: str) -> None:
        """It hangs, shorter or longer than others wait for it, and goes on."""
        process = self.stage.running[name]
        process.send_signal(signal.SIGSTOP)
        await self.moments(1.0, 8.0)
        process.send_signal(signal.SIGCONT)

    async def restarted(self, name: str) -> None:
        """Asked to stop, which it must do well, and begun again."""
        await self.stopped(name)
        await self.stage.begin(name)

    async def stopped(self, name: str) -> None:
        status = await self.stage.end(name)
        if status:
            self.troubles.append(f"{name} ended with {status}: {self.stage.said(name)[-500:]}")

    @contextmanager
    def away(self, *places: str) -> Iterator[None]:
        """What no vendor, or none of `places`, can be blamed for meanwhile."""
        begun = time.time()
        try:
            yield
        finally:
            for place in places or self.stage.instances:
                self.broken[place].append((begun, time.time()))

    @asynccontextmanager
    async def fault(self, *places: str, **fault: Any) -> AsyncIterator[None]:
        """A fault at some vendors, or at all of them, until the end of the block."""
        with self.away(*places):
            for place in places or self.stage.instances:
                await self.stage.ask(place, **fault)
            yield
            for place in places or self.stage.instances:
                await self.stage.ask(place)


async def played(play: Play, scenario: Scenario) -> None:
    """The load, and the script beside it; returns when every client has its last answer."""
    watching = asyncio.create_task(_watching(play))
    sending = asyncio.create_task(play.load.run())
    scripted = asyncio.create_task(_scripted(play, scenario))
    try:
        await asyncio.gather(sending, scripted)
    finally:
        for task in (sending, scripted, watching):
            task.cancel()
        await asyncio.gather(sending, scripted, watching, return_exceptions=True)


async def _scripted(play: Play, scenario: Scenario) -> None:
    await scenario.script(play)
    play.load.enough.set()


async def _watching(play: Play) -> None:
    while True:
        play.journal.follow()
        play.stage.look()
        await asyncio.sleep(LOOK)


async def settled(play: Play) -> list[Verdict]:
    """The verdicts, when each vendor has all that was accepted and each event has its end on the
    ledger; or when nothing new comes for long.
    """
    wanted = {
        one
        for one, event in play.load.sent.items()
        if event.accepted is not None and not event.poison
    }
    log = await witness.opened(play.stage.log)
    verdicts: list[Verdict] = []
    play.journal.grew_at = time.time()
    try:
        while True:
            await asyncio.sleep(LOOK)
            play.journal.follow()
            play.stage.look()
            quiet = time.time() - play.journal.grew_at
            missing = any(play.journal.misses(name, wanted) for name in play.stage.instances)
            if missing and quiet < SHORT:
                continue
            verdicts = await _judged(play, log)
            balanced = bool(verdicts) and not any(one.unbalanced for one in verdicts)
            if balanced or quiet > QUIET:
                return verdicts
            await asyncio.sleep(SHORT / 10)
    finally:
        if not all(verdict.sound for verdict in verdicts):
            await play.stage.keep_answers([one for v in verdicts for one in v.lost[:2]])
        await log.close()


async def _judged(play: Play, log: Log) -> list[Verdict]:
    """What the witnesses say now; nothing while the log cannot be read."""
    try:
        told = await witness.told(log)
        records, play.received = await witness.accepted(log)
    except LogError:
        return []
    return [
        judge(
            play.load.sent,
            records,
            Vendor(
                name,
                INSTANCES[name].dedupes,
                play.journal.took[name],
                told.get(name, {}),
                play.broken[name],
                INSTANCES[name].at_most_once,
            ),
        )
        for name in play.stage.instances
    ]


async def ended(play: Play) -> None:
    """Every process of the hub is asked to stop, and does."""
    await asyncio.gather(
        *(play.stopped(name) for name in (*DELIVERY, *INGEST) if name in play.stage.running)
    )


def delays(play: Play) -> dict[str, list[float]]:
    """By instance, how long each event took from ingest to the vendor, in seconds, sorted; without
    the first fifth of the run, in which processes warm up.
    """
    received = play.received
    begun, last = min(received.values(), default=0.0), max(received.values(), default=0.0)
    warm = begun + (last - begun) / 5
    return {
        name: sorted(
            at - received[one]
            for one, at in play.journal.first[name].items()
            if received.get(one, 0.0) >= warm
        )
        for name in play.stage.instances
    }
