"""Where the policies meet: what waits, what may leave now, and what each answer means. Pure.

The station is given the time and a die. It holds no clock and no socket and never waits, so a day
of outages can be played in a test within a millisecond; `worker` does the waiting.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import Any

import orjson

from destinations.batcher import Batcher, Bus
from destinations.book import Book
from destinations.consequences import Consequences
from destinations.gate import Gate
from destinations.happenings import Happenings
from destinations.item import Doomed, Item, origin
from destinations.lanes import Lane, Lanes, State
from destinations.limiter import Why
from destinations.outcome import Outcome, Refused, different
from destinations.parking import Parking
from destinations.plan import DUPLICATE, Boarding, Filtered, Plan, expired
from destinations.progress import Progress, Recovered
from destinations.ranges import ranges_of
from destinations.spec import Action
from destinations.talk import Reply
from destinations.watchdog import Reason
from hub.event import Event
from hub.log import Record

SEATS = 500
"""Heads seated in one turn, so that the loop hears answers in between."""

STOP = 2_000
"""Riders at the stop; beyond, no head boards: a blocked action must not parse the whole backlog."""

MAX_BYTES = 64 * 1_048_576
"""Bytes of records that one instance holds in memory."""


@dataclass(frozen=True, slots=True)
class Departures:
    """What a look at the station came to: buses that leave, riders that never will, and when to
    look again (in seconds; None: when something happens).
    """

    buses: Sequence[Bus[Item]]
    doomed: Sequence[Doomed]
    wait: float | None


class Station:
    """One instance's lanes, batcher and gate. Times: `now` steady, `wall` epoch.

    `book` fills with what becomes of events; what is finished there counts when it is durable.
    """

    def __init__(
        self, plan: Plan, tells: Happenings, die: Callable[[], float], replay: str = ""
    ) -> None:
        self._plan = plan
        self._tells = tells
        self._lanes: Lanes[Item] = Lanes(lambda item: len(item.event.record.value))
        self._batcher: Batcher[Item] = Batcher(plan.instance.linger)
        self.gate = Gate(plan, tells)
        self.book = Book(plan.name, replay)
        self.parking = Parking(plan, self._lanes, self.gate, self.book)
        self._consequences = Consequences(
            plan, tells, die, self._lanes, self.gate, self.parking, self.book
        )
        self._progress: dict[int, Progress] = {}
        self._on_the_road = 0
        self._limited: tuple[float, Why] | None = None

    @property
    def room(self) -> int:
        """Events that may still be taken; 0 when the backlog is full, by count or by bytes."""
        if self._lanes.bytes + self.parking.bytes >= MAX_BYTES:
            return 0
        held = self._lanes.backlog + self.parking.moving + len(self.book)
        return max(0, self._plan.instance.max_backlog - held)

    @property
    def progress(self) -> Sequence[Progress]:
        """Of the partitions that are ours now."""
        return tuple(self._progress.values())

    @property
    def partitions(self) -> frozenset[int]:
        return frozenset(self._progress)

    # In

    def adopt(self, partition: int, left: Recovered) -> None:
        """A partition is ours from now on, and this is what its last owner left."""
        progress = self._progress[partition] = Progress.of(partition, left)
        self.parking.found(progress, left.lanes)

    def take(
        self, partition: int, run: Iterable[Record], twins: Container[tuple[int, int]] = ()
    ) -> None:
        """Records of a partition join their lanes, or are left out when their headers say so.

        `twins`: places of those whose event was accepted before. When the partition is not ours any
        more they are its new owner's; what was read before is on its way already.
        """
        if (progress := self._progress.get(partition)) is None:
            return

        def why(record: Record) -> str | None:
            if twins and (record.partition, record.offset) in twins:
                return DUPLICATE
            try:
                return self._plan.unheard(record)
            except (KeyError, ValueError):
                return None  # `_join` tells

        new = [record for record in run if record.offset > progress.events.last]
        for reason, some in groupby(new, why):
            if reason is None:
                for record in some:
                    self._join(progress, record)
            else:
                self._leave_out(progress, list(some), reason)

    def _join(self, progress: Progress, record: Record) -> None:
        """A record joins its lane."""
        progress.key, offset = record.key, record.offset
        try:
            event = Event.of(origin(record))
        except (KeyError, ValueError) as error:
            # Not written by an ingest of ours. It must not stop its partition, nor pass in silence.
            self._tells.stumbled("a record that is no event was left out", error)
            if progress.events.begin(offset, offset + 1, record.at):
                self.book.finished(progress, offset)
            return
        if not progress.events.begin(offset, offset + 1, event.received_at):
            return
        item = Item(event, progress, offset, away=self.gate.away_so_far)
        if offset in progress.doubts:
            progress.doubts.discard(offset)
            item.in_doubt = True
        if not self.parking.follows(item):
            self._lanes.push(record.key, item)

    def _leave_out(self, progress: Progress, run: Sequence[Record], reason: str) -> None:
        """Neighbours are not for this instance."""
        progress.key = run[0].key
        first, end = run[0].offset, run[-1].offset + 1
        for start, stop in progress.events.begin(first, end, run[0].at):
            left = [record for record in run if start <= record.offset < stop]
            self._tells.filtered(reason, len(left))
            # What a replay reads stands elsewhere, by which the ledger knows it.
            own = self.book.replay and ranges_of(origin(record).offset for record in left)
            self.book.left_out(progress, (start, stop), own or [(start, stop)], reason)

    def forget(self, partitions: Iterable[int]) -> set[Progress]:
        """Drop what waits of partitions that are about to move; returns their progress.

        What is on the road stays there, and its answers count until the progress is `gone`.
        """
        leaving = {self._progress.pop(p) for p in partitions if p in self._progress}
        self._batcher.drop(lambda item: item.progress in leaving)
        self._lanes.drop(lambda item: item.progress in leaving)
        self.parking.drop(leaving)
        self.gate.bars.lost()
        return leaving

    # Out

    def depart(self, now: float, wall: float) -> Departures:
        """The buses that leave now; they count as being on the road from here on."""
        buses: list[Bus[Item]] = []
        doomed: list[Doomed] = []
        limited = False
        seats = SEATS

        def may_go(action: Action[Any]) -> bool:
            nonlocal limited
            if self.gate.may_go(action, now):
                return True
            limited = limited or self.gate.limit(action, now) > 0
            return False

        for action in list(self.gate.bars.due(now)):
            self._lanes.release(action, 1)
        while self._open(now):
            bus = self._batcher.depart_full(may_go)
            if bus is None and (seated := self._board(seats, now, wall, doomed)):
                seats -= seated
                continue
            bus = bus or self._batcher.depart(now, may_go, idle=self._on_the_road == 0)
            if bus is None:
                break
            if bus.action.max_age is not None:
                bus.riders = self._in_time(bus, wall, doomed)
            if not bus.riders:
                self.gate.bars.lost()
                continue
            bus.turn = self.gate.leave(bus.action, now, wall)
            self._on_the_road += 1
            self._tells.left(len(bus.riders))
            buses.append(bus)
        self._tell_limited(limited, now)
        return Departures(buses, doomed, 0.0 if not seats else self._next_look(now))

    def _board(self, seats: int, now: float, wall: float, doomed: list[Doomed]) -> int:
        """Seat heads until one more bus is full, or there is no seat or no head; how many."""
        full, most = self._batcher.full, min(seats, STOP - len(self._batcher))
        seated = accepted = 0
        while seated < most and self._batcher.full == full:
            lane = self._lanes.board(now)
            if lane is None:
                break
            seated += 1
            accepted += self._seat(lane, now, wall, doomed)
        self._tells.accepted(accepted)
        return seated

    def _open(self, now: float) -> bool:
        """Whether the gate lets a request leave and there is room on the road."""
        most = self._plan.instance.max_in_flight
        return self.gate.wait(now) == 0 and self._on_the_road < most

    def _next_look(self, now: float) -> float | None:
        if self._on_the_road >= self._plan.instance.max_in_flight:
            return None
        closed = self.gate.wait(now)
        if closed:
            return None if closed == float("inf") else closed
        wait = self._batcher.next_departure(now, self._held_back(now))
        wait = min(wait, self.gate.bars.next_due(now, self._lanes.holds))
        due = self._lanes.next_due()
        if due is not None and len(self._batcher) < STOP:
            wait = min(wait, due - now)
        return None if wait == float("inf") else max(wait, 0.001)

    def _held_back(self, now: float) -> Callable[[Action[Any]], float]:
        def seconds(action: Action[Any]) -> float:
            if not self.gate.bars.may_go(action.name):
                return float("inf")
            return self.gate.limit(action, now)

        return seconds

    def _seat(self, lane: Lane[Item], now: float, wall: float, doomed: list[Doomed]) -> bool:
        """A seat for a head, or why not; whether it is to be delivered, and was not before."""
        item = lane.head
        item.lane = lane
        verdict: Filtered | Refused | Boarding
        try:
            verdict = self._plan.judge(item.event, wall)
            if item.in_doubt and isinstance(verdict, Boarding):
                verdict = self._consequences.dares(item, verdict, wall) or verdict
            if isinstance(verdict, Boarding):
                item.boarding = verdict
                action = verdict.action
                if not self.gate.bars.seat(action.name, now):
                    self._consequences.hold(item, now)
                    return False
                self._batcher.board(item, action, verdict.row, now)
        except orjson.JSONDecodeError as error:
            # Like a record without headers: nobody can say it, nor can a dead letter hold it.
            self._tells.stumbled("a record that is no event was left out", error)
            self._consequences.finished(item)
            return False
        except Exception as error:
            # A vendor's own function broke on this event; the next one must not wait for the mend.
            self._tells.broke("mapping", error)
            item.boarding = None
            verdict = Refused("bug_in_mapping", f"our own fault: {type(error).__name__}")
        if isinstance(verdict, Filtered):
            self._consequences.filtered(item, verdict.reason)
            return False
        if isinstance(verdict, Refused):
            self._tells.refused(verdict.code)
            doomed.append(Doomed(item, verdict.code, verdict.reason))
        is_new, item.accepted = not item.accepted, True
        return is_new

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
        probe = self.gate.is_probe(bus.turn)
        lifted = self.gate.back(bus.action, bus.turn, outcomes, reply, now, wall)
        if lifted is not None:
            self._lanes.release(lifted)
        elif self.gate.bars.on(bus.action.name):
            for item in self._batcher.unload(bus.action):
                self._consequences.hold(item, now)
        if bus.action.batch.atomic and len(bus.riders) > 1 and _unnamed(outcomes):
            # All or none, and nobody was named: the culprit is found by halving. Riders whose
            # partition has moved meanwhile are their new owner's.
            bus.riders = [item for item in bus.riders if item.lane.state is State.BOARDED]
            self._batcher.split(bus)
            return []
        self.gate.count(outcomes, reply)
        return self._consequences.of(bus, outcomes, reply, probe, now, wall)

    def buried(self, dead: Doomed, wall: float) -> None:
        """The dead letter is durable: the item's lane moves on."""
        self._consequences.buried(dead, wall)

    def release(self) -> bool:
        """A person lets go of the brake; whether it was on."""
        return self.gate.release()

    # Telling

    @property
    def waiting(self) -> bool:
        """Whether there is anything to do."""
        return bool(self._lanes.backlog or self.parking.moving or len(self.book))

    def reason(self, now: float) -> Reason:
        """Why nothing leaves, if nothing does."""
        if self.gate.braked:
            return "braked"
        if not self.gate.healthy:
            return "vendor_away"
        if self._on_the_road:
            return "in_flight"
        if (why := self.gate.limited(now)) is not None:
            return why
        if self.gate.bars:
            return "barred"
        return "unknown" if self._lanes.next_due() is None else "retrying"

    def standing(self, now: float, wall: float) -> dict[str, Any]:
        """How things stand, for who asks: JSON, without anything of an event."""
        oldest = [p.events.oldest for p in self.progress if p.events.oldest is not None]
        bars = self.gate.bars.told(now)
        well = "barred" if bars else "delivering"
        return {
            "state": well if self.gate.healthy else self.reason(now),
            "bars": [asdict(bar) for bar in bars],
            "partitions": sorted(self.partitions),
            "backlog": self._lanes.backlog,
            "keys": len(self._lanes),
            "parked": len(self.parking),
            "parked_keys": self.parking.lanes,
            "in_flight": self._on_the_road,
            "oldest_seconds": round(wall - min(oldest), 3) if oldest else 0.0,
        }

    def tell(self, wall: float) -> None:
        """How things stand, as gauges."""
        ages = [wall - p.events.oldest for p in self.progress if p.events.oldest is not None]
        self._tells.stands(
            self.gate.state,
            bool(self.gate.bars),
            len(self._lanes),
            self._lanes.backlog,
            max(ages, default=0.0),
        )
        self._tells.parked(self.parking.lanes, len(self.parking))
        self._tells.brakes(self.gate.braked)

    def _tell_limited(self, limited: bool, now: float) -> None:
        if self._limited is not None:
            since, why = self._limited
            self._tells.limited(now - since, why)
        reason = self.gate.limited(now) if limited else None
        self._limited = None if reason is None else (now, reason)


def _unnamed(outcomes: Sequence[Outcome]) -> bool:
    """Whether the vendor refused all and named none."""
    return all(isinstance(o, Refused) and not o.named for o in different(outcomes))
