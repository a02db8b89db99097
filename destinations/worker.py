"""One destination at work: takes records, lets buses leave, hears answers, buries, commits.

Three loops share a station, which decides; here is only the waiting. They are woken by what happens
and otherwise sleep until the next thing is due.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable, Collection, Sequence
from typing import Any

from destinations.batcher import Bus
from destinations.courier import Sends, carry
from destinations.deadletters import entry_of
from destinations.happenings import Happenings
from destinations.item import Doomed, Item
from destinations.outcome import Barred, Failed, Outcome
from destinations.plan import Plan
from destinations.progress import Progress
from destinations.settings import Delivery
from destinations.spec import Account
from destinations.station import Station
from destinations.talk import Reply, all_rows
from destinations.tokens import Tokens
from hub.clock import Clock
from hub.log import DEAD_LETTERS, EVENTS, Log, LogError, LogUnavailable, Reader
from hub.metrics import Metrics

TAKE = 500
"""Records taken at once: enough to fill buses, few enough to keep the loop's turns short."""

REVOKE_SECONDS = 5.0
"""How long the answers of partitions that move are waited for."""

AGAIN_SECONDS = 1.0
"""Pause before the log is asked again after it was away."""


class Worker:
    """Delivers for one instance until it is asked to stop."""

    def __init__(
        self,
        plan: Plan,
        log: Log,
        sender: Sends,
        metrics: Metrics,
        clock: Clock,
        delivery: Delivery,
        die: Callable[[], float] = random.random,
    ) -> None:
        self._plan = plan
        self._log = log
        self._sender = sender
        self._clock = clock
        self._delivery = delivery
        self._tells = Happenings(metrics, plan.name)
        self._station = Station(plan, self._tells, die)
        self._account: Account[Any] = Account(plan.settings, clock.now)
        self._tokens = Tokens(plan.vendor, self._account, sender)
        self._committed: dict[Progress, int] = {}
        self._rides: dict[asyncio.Task[None], frozenset[Progress]] = {}
        self._wake = asyncio.Event()
        self._reader: Reader | None = None

    async def run(self, asked: asyncio.Event, reader: Reader | None = None) -> None:
        """Deliver until `asked`; then hear out what is in flight, commit, and let go.

        `reader` is for replays; without one, the instance's own group reads `events`. Raises what
        a loop raised: an instance that cannot go on must not look alive.
        """
        self._reader = reader or await self._joined(asked)
        if self._reader is None:
            return
        tasks = [
            asyncio.create_task(loop, name=f"{self._plan.name} {what}")
            for what, loop in (
                ("takes", self._taking(self._reader)),
                ("departs", self._departing()),
                ("commits", self._committing()),
                ("is asked to stop", asked.wait()),
            )
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            # 1 nothing new is taken or sent; 2 answers in flight are heard, up to the deadline;
            # 3 what is finished is committed; 4 the group is left. The rest will be read again.
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            late = await self._hear_out(self._rides, self._delivery.stop_seconds)
            for ride in late:
                ride.cancel()
            await asyncio.gather(*late, return_exceptions=True)
            await self._commit(self._station.progress)
            await self._reader.close()
            self._station.tell(self._clock.now())

    async def _joined(self, asked: asyncio.Event) -> Reader | None:
        while not asked.is_set():
            try:
                return await self._log.open_reader(EVENTS, self._plan.name, on_revoke=self._revoked)
            except LogUnavailable as error:
                self._tells.stumbled("the log cannot be read; trying again", error)
                await _either(asked, AGAIN_SECONDS)
        return None

    # In

    async def _taking(self, reader: Reader) -> None:
        """Records into lanes as long as there is room; when full, only the membership is kept."""
        paused: frozenset[int] = frozenset()
        enough = max(1, self._plan.instance.max_backlog // 5)
        while True:
            room = self._station.room
            if not room:
                paused = reader.partitions
                reader.pause(paused)
            elif paused and room >= enough:
                reader.resume(paused)
                paused = frozenset()
            try:
                records = await reader.take(max(1, min(room, TAKE)), 0.1 if paused else 0.5)
            except LogUnavailable as error:
                self._tells.stumbled("the log cannot be read; trying again", error)
                await asyncio.sleep(AGAIN_SECONDS)
                continue
            for record in records:
                self._station.take(record)
            if records:
                self._wake.set()

    async def _revoked(self, partitions: frozenset[int]) -> None:
        """Partitions move: nothing more of theirs is sent, what is in flight is heard and kept."""
        gone = self._station.forget(partitions)
        await self._hear_out(
            [ride for ride, of in self._rides.items() if of & gone], REVOKE_SECONDS
        )
        await self._commit(gone)
        for progress in gone:
            self._committed.pop(progress, None)

    # Out

    async def _departing(self) -> None:
        """Let buses leave whenever something happened or something is due."""
        while True:
            self._wake.clear()
            departures = self._station.depart(self._clock.steady(), self._clock.now())
            for bus in departures.buses:
                self._begin(self._ride(bus), bus.riders)
            if departures.doomed:
                doomed = departures.doomed
                self._begin(self._bury(doomed), [dead.item for dead in doomed])
            if departures.wait == 0:
                await asyncio.sleep(0)
            else:
                await _either(self._wake, departures.wait)

    def _begin(self, ride: Any, items: Sequence[Item]) -> None:
        task: asyncio.Task[None] = asyncio.create_task(ride)
        self._rides[task] = frozenset(item.progress for item in items)
        task.add_done_callback(self._returned)

    def _returned(self, task: asyncio.Task[None]) -> None:
        del self._rides[task]
        self._wake.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            # A ride settles whatever happens; what gets here is a bug, and is not passed over.
            self._tells.broke("ride", error)

    async def _ride(self, bus: Bus[Item]) -> None:
        """One request's life: carried, and every rider settled whatever happens."""
        began = self._clock.steady()
        reply: Reply | None = None
        try:
            outcomes, reply = await self._carried(bus)
        except Exception as error:
            self._tells.broke(bus.action.name, error)
            outcomes = all_rows(Failed("bug_in_engine"), bus.riders)
        finally:
            now = self._clock.steady()
            self._tells.back(bus.action.name, len(bus.riders), now - began)
        doomed = self._station.settle(bus, outcomes, reply, now, self._clock.now())
        self._wake.set()
        if doomed:
            await self._bury(doomed)

    async def _carried(self, bus: Bus[Item]) -> tuple[list[Outcome], Reply | None]:
        """An outcome for each rider; when a token was not accepted, once more with a new one."""
        now = self._clock.now()
        for item in bus.riders:
            item.first_at = item.first_at or now
        if (trouble := await self._tokens.fresh()) is not None:
            return all_rows(trouble, bus.riders), None
        token = self._account.token
        outcomes, reply = await self._carry(bus, bus.riders)
        stale = [n for n, outcome in enumerate(outcomes) if _asks_for_token(outcome)]
        if stale and self._tokens.needed:
            if (trouble := await self._tokens.spoilt(token)) is not None:
                again = all_rows(trouble, stale)
            else:
                again, reply = await self._carry(bus, [bus.riders[n] for n in stale])
            for n, outcome in zip(stale, again, strict=True):
                outcomes[n] = outcome
        return outcomes, reply

    async def _carry(
        self, bus: Bus[Item], riders: Sequence[Item]
    ) -> tuple[list[Outcome], Reply | None]:
        rows = [item.row for item in riders]
        carried = await carry(bus.action, rows, self._account, self._sender)
        if carried.error is not None:
            self._tells.broke(bus.action.name, carried.error)
        return list(carried.outcomes), carried.reply

    async def _bury(self, doomed: Sequence[Doomed]) -> None:
        """Dead letters, durable before their offsets are finished: tried until the log has them."""
        now = self._clock.now()
        entries = [
            entry_of(
                self._plan,
                dead.item.event,
                action=dead.item.boarding.action.name if dead.item.boarding else None,
                code=dead.code,
                reason=dead.reason,
                attempts=dead.item.attempts,
                first_at=dead.item.first_at or now,
                died_at=now,
                reply=dead.reply,
            )
            for dead in doomed
        ]
        while True:
            try:
                await self._log.append(DEAD_LETTERS, entries)
                break
            except LogError as error:
                self._tells.stumbled("dead letters cannot be kept; trying again", error)
                await asyncio.sleep(AGAIN_SECONDS)
        for dead in doomed:
            self._tells.buried(dead.code, dead.item.event.id, dead.reason)
            self._station.finish(dead.item)
        self._wake.set()

    # Committing

    async def _committing(self) -> None:
        while True:
            await asyncio.sleep(self._delivery.commit_seconds)
            self._station.tell(self._clock.now())
            await self._commit(self._station.progress)

    async def _commit(self, of: Collection[Progress]) -> None:
        """Remember what is finished; what is not committed is read again, so a failure can wait."""
        places = {
            p: p.place for p in of if p.place is not None and self._committed.get(p) != p.place
        }
        if not places or self._reader is None:
            return
        try:
            await self._reader.commit({p.partition: place for p, place in places.items()})
            self._committed.update(places)
        except LogError as error:
            self._tells.stumbled("a commit did not work; the next one covers it", error)

    async def _hear_out(
        self, rides: Collection[asyncio.Task[None]], seconds: float
    ) -> set[asyncio.Task[None]]:
        """Wait for answers; returns the rides that are late."""
        if not rides:
            return set()
        _, late = await asyncio.wait(list(rides), timeout=seconds)
        return late


def _asks_for_token(outcome: Outcome) -> bool:
    return isinstance(outcome, Barred) and outcome.stale_token


async def _either(event: asyncio.Event, seconds: float | None) -> None:
    """Until `event` is set or `seconds` have passed."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
