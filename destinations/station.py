"""Where the policies meet: what waits, what may leave now, and what each answer means. Pure.

The station is given the time and a die. It holds no clock and no socket and never waits, so a day
of outages can be played in a test within a millisecond; `worker` does the waiting.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from destinations import breaker, retry
from destinations.batcher import Batcher, Bus
from destinations.breaker import Breaker
from destinations.happenings import Happenings
from destinations.item import Doomed, Item
from destinations.lanes import Lane, Lanes, State
from destinations.limiter import Limiter
from destinations.outcome import Barred, Busy, Delivered, Failed, Outcome, Refused
from destinations.plan import Boarding, Filtered, Plan, expired
from destinations.progress import Progress
from destinations.spec import Action, Heard
from destinations.talk import Reply
from hub.event import Event
from hub.log import Record

SEATS = 500
"""Heads seated in one turn, so that the loop hears answers in between."""

STOP = 2_000
"""Riders at the stop; beyond, no head boards: a blocked action must not parse the whole backlog."""

MAX_BYTES = 64 * 1_048_576
"""Bytes of records that one instance holds in memory."""

MAX_BOUNCES = 20
"""Times that a row may go again for its neighbours' sake before that counts as an attempt."""


@dataclass(frozen=True, slots=True)
class Departures:
    """What a look at the station came to: buses that leave, riders that never will, and when to
    look again (in seconds; None: when something happens).
    """

    buses: Sequence[Bus[Item]]
    doomed: Sequence[Doomed]
    wait: float | None


class Station:
    """One instance's lanes, batcher, limiters and breaker. Times: `now` steady, `wall` epoch."""

    def __init__(self, plan: Plan, tells: Happenings, die: Callable[[], float]) -> None:
        told = plan.instance
        self._plan = plan
        self._tells = tells
        self._die = die
        self._lanes: Lanes[Item] = Lanes()
        self._batcher: Batcher[Item] = Batcher(told.linger)
        self._breaker = Breaker(
            breaker.Policy(told.breaker_failures, told.breaker_seconds, told.barred_seconds)
        )
        self._retry = retry.Policy(told.retry_seconds, told.retry_most_seconds, told.patience)
        self._limiters = {
            action.rate.name: Limiter(action.rate, told.max_in_flight) for action in plan.actions
        }
        self._left: dict[Bus[Item], float] = {}
        self._progress: dict[int, Progress] = {}
        self._bytes = 0
        self._on_the_road = 0
        self._limited_since: float | None = None

    @property
    def room(self) -> int:
        """Events that may still be taken; 0 when the backlog is full, by count or by bytes."""
        if self._bytes >= MAX_BYTES:
            return 0
        return max(0, self._plan.instance.max_backlog - self._lanes.backlog)

    @property
    def progress(self) -> Sequence[Progress]:
        """Of the partitions that are ours now."""
        return tuple(self._progress.values())

    # In

    def take(self, record: Record) -> None:
        """A record joins its lane, or is left out at once when its headers say so."""
        progress = self._progress.get(record.partition)
        if progress is not None and record.offset <= progress.last:
            # Read again from the commit: the partition went away and came back unannounced.
            self.forget([record.partition])
            progress = None
        if progress is None:
            progress = self._progress[record.partition] = Progress(record.partition)
        try:
            event = Event.of(record)
        except (KeyError, ValueError) as error:
            # Not written by an ingest of ours. It must not stop its partition, nor pass in silence.
            self._tells.stumbled("a record that is no event was left out", error)
            progress.begin(record.offset, record.at)
            progress.finish(record.offset)
            return
        progress.begin(record.offset, event.received_at)
        if (reason := self._plan.unheard(event)) is not None:
            self._tells.filtered(reason)
            progress.finish(record.offset)
            return
        self._bytes += len(record.value)
        self._lanes.push(record.key, Item(event, progress))

    def forget(self, partitions: Iterable[int]) -> set[Progress]:
        """Drop what waits of partitions that are not ours any more; returns their progress.

        What is on the road stays there; its answers finish a progress that is no longer listed.
        """
        gone = {self._progress.pop(p) for p in partitions if p in self._progress}
        self._batcher.drop(lambda item: item.progress in gone)
        for item in self._lanes.drop(lambda item: item.progress in gone):
            self._bytes -= len(item.event.record.value)
        return gone

    # Out

    def depart(self, now: float, wall: float) -> Departures:
        """The buses that leave now; they count as being on the road from here on."""
        buses: list[Bus[Item]] = []
        doomed: list[Doomed] = []
        limited: set[str] = set()
        seats = SEATS

        def may_go(action: Action[Any]) -> bool:
            if self._limiters[action.rate.name].wait(now, action.cost) == 0:
                return True
            limited.add(action.rate.name)
            return False

        while self._open(now):
            bus = self._batcher.depart_full(may_go)
            if bus is None and seats and len(self._batcher) < STOP:
                lane = self._lanes.board(now)
                if lane is not None:
                    seats -= 1
                    self._seat(lane, now, wall, doomed)
                    continue
            bus = bus or self._batcher.depart(now, may_go, idle=self._on_the_road == 0)
            if bus is None:
                break
            bus.riders = self._in_time(bus, wall, doomed)
            if not bus.riders:
                continue
            self._limiters[bus.action.rate.name].leave(now, wall, bus.action.cost)
            self._left[bus] = now
            bus.turn = self._breaker.leave()
            self._on_the_road += 1
            self._tells.left(len(bus.riders))
            buses.append(bus)
        self._tell_limited(bool(limited), now)
        return Departures(buses, doomed, 0.0 if not seats else self._next_look(now))

    def _open(self, now: float) -> bool:
        """Whether the breaker lets a request leave and there is room on the road."""
        most = self._plan.instance.max_in_flight
        return self._breaker.wait(now) == 0 and self._on_the_road < most

    def _next_look(self, now: float) -> float | None:
        if self._on_the_road >= self._plan.instance.max_in_flight:
            return None
        closed = self._breaker.wait(now)
        if closed:
            return None if closed == float("inf") else closed
        wait = self._batcher.next_departure(
            now, lambda action: self._limiters[action.rate.name].wait(now, action.cost)
        )
        due = self._lanes.next_due()
        if due is not None and len(self._batcher) < STOP:
            wait = min(wait, due - now)
        return None if wait == float("inf") else max(wait, 0.001)

    def _seat(self, lane: Lane[Item], now: float, wall: float, doomed: list[Doomed]) -> None:
        item = lane.head
        item.lane = lane
        try:
            verdict = self._plan.judge(item.event, wall)
            if isinstance(verdict, Boarding):
                item.boarding = verdict
                self._batcher.board(item, now)
        except orjson.JSONDecodeError as error:
            # Like a record without headers: nobody can say it, nor can a dead letter hold it.
            self._tells.stumbled("a record that is no event was left out", error)
            self.finish(item)
            return
        except Exception as error:
            # A vendor's own function broke on this event; the next one must not wait for the mend.
            self._tells.broke("mapping", error)
            item.boarding = None
            verdict = Refused("bug_in_mapping", f"our own fault: {type(error).__name__}")
        if isinstance(verdict, Filtered):
            self._tells.filtered(verdict.reason)
            self.finish(item)
            return
        if not item.accepted:
            item.accepted = True
            self._tells.accepted()
        if isinstance(verdict, Refused):
            self._tells.refused(verdict.code)
            doomed.append(Doomed(item, verdict.code, verdict.reason))

    def _in_time(self, bus: Bus[Item], wall: float, doomed: list[Doomed]) -> list[Item]:
        """The riders that are not too old by now; a limit can hold a bus for hours."""
        staying = []
        for item in bus.riders:
            late = expired(bus.action, item.row, wall)
            if late is None:
                staying.append(item)
                continue
            self._tells.refused(late.code)
            doomed.append(Doomed(item, late.code, late.reason))
        return staying

    # Back

    def settle(
        self,
        bus: Bus[Item],
        outcomes: Sequence[Outcome],
        reply: Reply | None,
        now: float,
        wall: float,
    ) -> list[Doomed]:
        """Each outcome's one consequence; returns those to be buried, whose lanes wait for it."""
        self._on_the_road -= 1
        self._hear(bus, outcomes, reply, now, wall)
        refused = all(isinstance(o, Refused) and not o.named for o in outcomes)
        if bus.action.batch.atomic and len(bus.riders) > 1 and refused:
            # All or none, and nobody was named: the culprit is found by halving. Riders whose
            # partition has moved meanwhile are their new owner's.
            bus.riders = [item for item in bus.riders if item.lane.state is State.BOARDED]
            self._batcher.split(bus)
            return []
        doomed = []
        for item, outcome in zip(bus.riders, outcomes, strict=True):
            dead = self._consequence(bus.action.name, item, outcome, reply, now, wall)
            if dead is not None:
                doomed.append(dead)
        return doomed

    def finish(self, item: Item) -> None:
        """The item needs nothing more: its offset is finished and its lane moves on."""
        item.progress.finish(item.event.record.offset)
        if item.lane.state is State.BOARDED:
            self._bytes -= len(item.event.record.value)
            self._lanes.finish(item.lane)

    def _consequence(
        self,
        action: str,
        item: Item,
        outcome: Outcome,
        reply: Reply | None,
        now: float,
        wall: float,
    ) -> Doomed | None:
        if isinstance(outcome, Busy) and not outcome.after > 0:
            item.bounces += 1
            if item.bounces > MAX_BOUNCES:
                item.bounces = 0
                outcome = Failed("bounced")
        age = wall - item.event.received_at
        match outcome:
            case Delivered(note):
                self._tells.delivered(action, age)
                if note:
                    self._tells.noted(action, note)
                self.finish(item)
            case Busy() | Barred():
                item.alight()
                self._lanes.again(item.lane, now)
            case Failed(reason, after):
                item.attempts += 1
                if self._retry.exhausted(age):
                    why = f"tried {item.attempts} times in {age:.0f} s; the last time: {reason}"
                    return Doomed(item, "patience_exhausted", why, reply)
                self._tells.retried(reason)
                item.alight()
                delay = self._retry.delay(item.attempts, self._die(), after)
                self._lanes.again(item.lane, now + delay)
            case Refused(code, reason):
                item.attempts += 1
                self._tells.refused(code)
                return Doomed(item, code, reason, reply)
        return None

    def _hear(
        self,
        bus: Bus[Item],
        outcomes: Sequence[Outcome],
        reply: Reply | None,
        now: float,
        wall: float,
    ) -> None:
        """What the request as a whole says about the vendor."""
        limiter = self._limiters[bus.action.rate.name]
        seconds = now - self._left.pop(bus, now)
        limiter.back(now, seconds)
        for busy in {o for o in outcomes if isinstance(o, Busy) and o.after > 0}:
            limiter.busy(now, busy.after, busy.reason)
        if reply is not None:
            limiter.heard(self._heard(bus.action, reply, wall), now)
        barred = next((o for o in outcomes if isinstance(o, Barred)), None)
        if barred is not None:
            if self._breaker.bar(now, bus.turn):
                self._tells.barred(barred, self._breaker.wait(now))
        elif reply is not None and any(isinstance(o, Delivered | Refused) for o in outcomes):
            limiter.answered(now, seconds)
            self._breaker.answered(bus.turn)
        elif any(isinstance(o, Failed) for o in outcomes):
            self._breaker.failed(now, bus.turn)
        else:
            # Also what was refused without a word from the vendor: it shows nothing.
            self._breaker.undecided(bus.turn)

    def _heard(self, action: Action[Any], reply: Reply, wall: float) -> Heard:
        try:
            return Heard() if action.rate.hint is None else action.rate.hint(reply, wall)
        except Exception as error:
            self._tells.broke(action.name, error)
            return Heard()

    # Telling

    def tell(self, wall: float) -> None:
        """How things stand, as gauges."""
        ages = [wall - p.oldest for p in self._progress.values() if p.oldest is not None]
        self._tells.stands(
            self._breaker.state,
            self._breaker.barred,
            len(self._lanes),
            self._lanes.backlog,
            max(ages, default=0.0),
        )

    def _tell_limited(self, limited: bool, now: float) -> None:
        if self._limited_since is not None:
            self._tells.limited(now - self._limited_since)
        self._limited_since = now if limited else None
