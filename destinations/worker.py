"""One destination at work: takes records, lets buses leave, hears answers, records, commits.

A few loops share a station, which decides; here is only the waiting. They are woken by what happens
and otherwise sleep until the next thing is due.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any

from destinations.batcher import Bus
from destinations.conductor import Conductor
from destinations.courier import Sends
from destinations.errand import SHARE, Errand
from destinations.happenings import Happenings
from destinations.index import Index
from destinations.item import Item
from destinations.outcome import Failed
from destinations.parking import AT_ONCE
from destinations.plan import Plan
from destinations.progress import Progress, Recovered
from destinations.recovery import recover
from destinations.rides import Rides
from destinations.scribe import AGAIN_SECONDS, LATE_SECONDS, Scribe
from destinations.settings import Delivery
from destinations.spec import Account
from destinations.station import Station
from destinations.talk import Reply, all_rows
from destinations.tokens import Tokens
from destinations.watchdog import Reason, Watchdog
from destinations.yard import ParkedLane
from hub.clock import Clock, until_tick
from hub.log import EVENTS, PARKED, Log, LogError, LogUnavailable, Reader, Record
from hub.metrics import Metrics

TAKE = 500
"""Records taken at once: enough to fill buses, few enough to keep the loop's turns short."""

REVOKE_SECONDS = 5.0
"""How long the answers of partitions that move are waited for."""

FEW = 100
"""Records that trickle in: after a take of fewer, the next one waits for a tick."""

TICK_SECONDS = 0.005
"""Ticks on which all instances take again, to share a look; a first take waits for none."""

GATHER_SECONDS = 0.01
"""Ticks on which lines of the ledger are written; what is lost meanwhile is sent again."""


class Worker:
    """Delivers for one instance until it is asked to stop.

    `errand`: what to do instead of the daily work of the instance's group. `index` knows which
    events were accepted twice; without one, all are taken for new.
    """

    def __init__(
        self,
        plan: Plan,
        log: Log,
        sender: Sends,
        metrics: Metrics,
        clock: Clock,
        delivery: Delivery,
        die: Callable[[], float] = random.random,
        errand: Errand[Any] | None = None,
        index: Index | None = None,
    ) -> None:
        self._plan = plan
        self._log = log
        self._clock = clock
        self._delivery = delivery
        self._errand = errand
        self._index = index
        self._tells = Happenings(metrics, plan.name)
        self._station = Station(plan, self._tells, die, errand.name if errand else "")
        if errand:
            self._station.gate.share(SHARE, clock.steady())
        self._scribe = Scribe(plan, log, self._station, self._tells, clock)
        account: Account[Any] = Account(plan.settings, clock.now)
        tokens = Tokens(plan.name, plan.vendor, account, sender, log, clock)
        self._conductor = Conductor(
            plan, account, tokens, sender, self._station.book, self._scribe, self._tells
        )
        self._committed: dict[Progress, object] = {}
        self._revocations: Counter[int] = Counter()
        self._leaving: set[int] = set()
        self._rides = Rides(self._returned)
        self._wake = asyncio.Event()
        self._told = asyncio.Event()
        self._reader: Reader | None = None
        self._partitions = 0
        self._watchdog = Watchdog(clock.steady())
        self._moves = 0

    async def run(self, asked: asyncio.Event) -> None:
        """Deliver until `asked`; then hear out what is in flight, commit, and let go.

        Raises what a loop raised: an instance that cannot go on must not look alive.
        """
        self._reader = self._errand or await self._joined(asked)
        if self._reader is None:
            return
        recording = asyncio.create_task(self._recording())
        tasks = [
            asyncio.create_task(loop, name=f"{self._plan.name} {what}")
            for what, loop in (
                ("takes", self._taking(self._reader)),
                ("departs", self._departing(self._reader)),
                ("commits", self._committing()),
                ("is asked to stop", asked.wait()),
            )
        ]
        try:
            done, _ = await asyncio.wait([*tasks, recording], return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            # 1 nothing new is taken or sent; 2 answers in flight are heard, up to the deadline;
            # 3 what is finished is recorded and committed; 4 the group is left. The rest will be
            # read again.
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._rides.close(self._delivery.stop_seconds)
            await self._recorded(self._delivery.stop_seconds)
            recording.cancel()
            await asyncio.gather(recording, return_exceptions=True)
            await self._commit(self._station.progress)
            await self._reader.close()
            self._station.tell(self._clock.now())

    async def _joined(self, asked: asyncio.Event) -> Reader | None:
        while not asked.is_set():
            try:
                streams = {status.stream: status.spans for status in await self._log.status()}
                self._partitions = len(streams[EVENTS])
                return await self._log.open_reader(EVENTS, self._plan.name, on_revoke=self._revoked)
            except LogUnavailable as error:
                self._tells.stumbled("the log cannot be read; trying again", error)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(AGAIN_SECONDS):
                        await asked.wait()
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
                most = max(1, min(room, TAKE))
                records = await reader.take(most, 0.1 if paused else 0.5)
                await self._receive(reader, records)
                if 0 < len(records) < min(most, FEW):
                    await asyncio.sleep(until_tick(TICK_SECONDS, self._clock.steady()))
            except LogUnavailable as error:
                self._tells.stumbled("the log cannot be read; trying again", error)
                await asyncio.sleep(AGAIN_SECONDS)

    async def _receive(self, reader: Reader, records: Sequence[Record]) -> None:
        """Records come to the station, once their partitions are adopted and twins are known.

        What a partition's last owner left is asked before anything of it is sent. It may move away
        meanwhile, and even come back: then it is read again from its commit.
        """
        seen = self._revocations.copy()
        while not await self._adopted(reader):  # noqa: ASYNC110 - the log tells no event
            # What was taken is not given again: it must be held until the log can be asked.
            await asyncio.sleep(AGAIN_SECONDS)
        if not records:
            return
        twins = {} if self._index is None else await self._index.judge(records)
        for partition, run in groupby(records, attrgetter("partition")):
            if self._is_same(seen, partition):
                self._station.take(partition, run, twins)
        self._happened()

    async def _adopted(self, reader: Reader) -> bool:
        """Whether all partitions that are ours now are at the station; the log may be away."""
        new = reader.partitions - self._station.partitions - self._leaving
        if not new:
            return True
        seen = self._revocations.copy()
        # What was not recorded yet may be about these partitions, before they were let go.
        await self._scribe.record()
        try:
            lefts = await self._left(reader, new)
        except LogUnavailable as error:
            self._tells.stumbled("the log cannot be read; trying again", error)
            return False
        for partition, left in lefts.items():
            if partition in reader.partitions and self._is_same(seen, partition):
                self._station.adopt(partition, left)
        self._share()
        # From now on the group has a place and a note, whatever happens.
        await self._commit(self._station.progress)
        self._happened()
        return True

    async def _left(self, reader: Reader, partitions: Collection[int]) -> Mapping[int, Recovered]:
        if self._errand:
            return {partition: self._errand.left(partition) for partition in partitions}
        now = self._clock.now()
        return await recover(self._log, reader, self._plan.name, partitions, now)

    def _share(self) -> None:
        """This worker has that part of the vendor's limits that it has of the partitions."""
        if self._partitions:
            part = len(self._station.partitions) / self._partitions
            self._station.gate.share(min(1.0, part), self._clock.steady())

    def _is_same(self, seen: Counter[int], partition: int) -> bool:
        return self._revocations[partition] == seen[partition]

    async def _revoked(self, partitions: frozenset[int]) -> None:
        """Partitions move: nothing more of theirs is sent, what is in flight is heard and kept."""
        self._revocations.update(partitions)
        # Their reader still has them: they must not be adopted anew while they are let go.
        self._leaving |= partitions
        leaving = self._station.forget(partitions)
        try:
            self._share()
            await self._rides.hear_out(leaving, REVOKE_SECONDS)
            await self._recorded(REVOKE_SECONDS)
            await self._commit(leaving)
        finally:
            self._leaving -= partitions
            for progress in leaving:
                # From now on an answer changes nothing: the new owner sends again.
                progress.gone = True
                self._committed.pop(progress, None)

    # Out

    async def _departing(self, reader: Reader) -> None:
        """Let buses leave whenever something happened or something is due; but nothing that nobody
        could write down, or that may be another worker's by now.
        """
        while True:
            self._wake.clear()
            if self._scribe.late or not reader.in_touch:
                await self._woken(LATE_SECONDS)
                continue
            now = self._clock.steady()
            while (lane := self._station.parking.wanted(now)) is not None:
                self._rides.begin(self._fetch(lane), [lane.progress])
            departures = self._station.depart(now, self._clock.now())
            for bus in departures.buses:
                self._rides.begin(self._ride(bus), {item.progress for item in bus.riders})
            if departures.doomed:
                doomed = departures.doomed
                self._rides.begin(
                    self._scribe.bury(doomed), [dead.item.progress for dead in doomed]
                )
            if departures.doomed or self._station.book.pressing:
                self._told.set()
            if departures.wait == 0:
                await asyncio.sleep(0)
            else:
                await self._woken(self._until(departures.wait, now))

    async def _woken(self, seconds: float | None) -> None:
        """Return when something happened, or `seconds` have passed."""
        if seconds is None:
            await self._wake.wait()
            return
        due = asyncio.get_running_loop().call_later(seconds, self._wake.set)
        try:
            await self._wake.wait()
        finally:
            due.cancel()

    def _until(self, wait: float | None, now: float) -> float | None:
        """Seconds until something is due at the station or in the yard."""
        due = self._station.parking.next_due()
        if due is None:
            return wait
        parked = max(due - now, 0.001)
        return parked if wait is None else min(wait, parked)

    def _returned(self, error: BaseException | None) -> None:
        self._happened()
        if error is not None:
            # A ride settles whatever happens; what gets here is a bug, and is not passed over.
            self._tells.broke("ride", error)

    def _happened(self) -> None:
        self._moves += 1
        self._wake.set()
        self._told.set()

    async def _ride(self, bus: Bus[Item]) -> None:
        """One request's life: carried, and every rider settled whatever happens."""
        began = self._clock.steady()
        reply: Reply | None = None
        try:
            outcomes, reply = await self._conductor.carry(bus)
        except Exception as error:
            self._tells.broke(bus.action.name, error)
            outcomes = all_rows(Failed("bug_in_engine", unknown=True), bus.riders)
        finally:
            now = self._clock.steady()
            self._tells.back(bus.action.name, len(bus.riders), now - began)
        doomed = self._station.settle(bus, outcomes, reply, now, self._clock.now())
        if doomed:
            self._happened()  # else `_returned` tells, which is at once
            await self._scribe.bury(doomed)

    async def _fetch(self, lane: ParkedLane) -> None:
        """The first events of a parked lane come back."""
        try:
            records = await self._log.read(
                PARKED, lane.progress.partition, lane.offsets[0], AT_ONCE
            )
        except LogError as error:
            self._tells.stumbled("parked events cannot be read; trying again", error)
            self._station.parking.stays(lane, self._clock.steady() + AGAIN_SECONDS)
        else:
            self._station.parking.comes(lane, records)

    # Recording and committing

    async def _recording(self) -> None:
        """What happened goes into the ledger, and what must be set aside into `parked`."""
        while True:
            await self._told.wait()
            self._told.clear()
            await asyncio.sleep(until_tick(GATHER_SECONDS, self._clock.steady()))
            await self._scribe.park()
            if self._station.book.pressing:
                await self._scribe.record()
            self._wake.set()

    async def _recorded(self, seconds: float) -> None:
        """Record what is told, as far as the log allows it in time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._scribe.park()
                await self._scribe.record()

    async def _committing(self) -> None:
        while True:
            await asyncio.sleep(self._delivery.commit_seconds)
            now = self._clock.steady()
            self._station.tell(self._clock.now())
            self._station.parking.sweep(now, crowded=not self._station.room)
            self._station.book.press()
            self._told.set()
            waiting = self._station.waiting
            self._tells.still(self._watchdog.look(now, self._moves, waiting, self._reason(now)))
            await self._commit(self._station.progress)

    def _reason(self, now: float) -> Reason:
        return "log_away" if self._scribe.stuck else self._station.reason(now)

    def standing(self) -> dict[str, Any]:
        """How things stand, as `Station.standing`."""
        return self._station.standing(self._clock.steady(), self._clock.now())

    def release(self) -> bool:
        """A person lets go of the brake; whether it was on."""
        was = self._station.release()
        self._happened()
        return was

    async def _commit(self, of: Collection[Progress]) -> None:
        """Remember what is finished; what is not committed is read again, so a failure can wait."""
        states = {p: p.state for p in of if self._committed.get(p) != p.state}
        now = self._clock.now()
        written = {p.partition: said for p in states if (said := p.written(now)) is not None}
        if not written or self._reader is None or not self._reader.in_touch:
            return
        try:
            await self._reader.commit(
                {partition: place for partition, (place, _) in written.items()},
                {partition: note for partition, (_, note) in written.items()},
            )
            self._committed.update(states)
        except LogError as error:
            self._tells.stumbled("a commit did not work; the next one covers it", error)
