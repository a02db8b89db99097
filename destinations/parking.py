"""The way of events into the stream `parked` and back: who goes, who follows, who comes. Pure.

The parked events of one key keep their order: while a key has any, those that follow are parked
behind them. `worker` appends what leaves and reads what comes.
"""

from __future__ import annotations

from collections.abc import Sequence

from destinations.book import Book
from destinations.gate import Gate
from destinations.item import Item, origin
from destinations.lanes import Lanes
from destinations.plan import Plan
from destinations.progress import Progress
from destinations.yard import ParkedLane, Yard
from hub.event import Event
from hub.log import Entry, Place, Record

OUT = 16
"""Parked lanes that are tried at once: the live ones come first."""

AT_ONCE = 100
"""Events of a parked lane that come back at once."""

CROWDED = 0.1
"""The part of `park_seconds` after which lanes are parked when there is no room for others."""


class Parking:
    """One instance's. Times are steady seconds."""

    def __init__(self, plan: Plan, lanes: Lanes[Item], gate: Gate, book: Book) -> None:
        self._name = plan.name.encode()
        self._seconds = plan.instance.park_seconds
        self._again = plan.instance.retry_most_seconds
        self._lanes = lanes
        self._gate = gate
        self._book = book
        self._yard = Yard()
        self._leaving: list[Item] = []
        self.moving = 0
        self.bytes = 0

    def __len__(self) -> int:
        """Events that are parked, or on their way."""
        return len(self._yard)

    @property
    def lanes(self) -> int:
        """Keys that are parked."""
        return self._yard.lanes

    def found(self, progress: Progress, waiting: Sequence[tuple[bytes, int]]) -> None:
        """What an earlier owner parked."""
        self._yard.found(
            progress, [one for one in waiting if progress.parked.begin(one[1], one[1] + 1, 0.0)]
        )

    def follows(self, item: Item) -> bool:
        """Whether the item goes the way of those of its key that are parked."""
        if self._yard.find(item.progress, item.event.record.key) is None:
            return False
        self._leaves(item, 0.0)
        return True

    def sweep(self, now: float, crowded: bool) -> None:
        """Park the lanes that wait too long while the vendor takes others.

        When nothing is taken, there is nobody to make room for, and all events stay in the log.
        """
        if not self._gate.healthy or now - self._gate.taken_at > self._seconds or self._yard.full:
            return
        patience = self._seconds * CROWDED if crowded else self._seconds
        lanes = self._lanes.stuck(now - patience)
        attempts = {lane.key: lane.head.attempts for lane in lanes}
        for item in self._lanes.take_out(lanes):
            if item.parked is None:
                self._leaves(item, now + self._again, attempts[item.event.record.key])
            elif item.yard is not None and item.yard.out:
                # A parked lane that came back and was barred: it goes back whole.
                self._yard.again(item.yard, now + self._again)

    def leaving(self) -> list[Item]:
        """What is to be appended to `parked` now, in order; `arrived` follows, or `put_back`."""
        leaving, self._leaving = self._leaving, []
        return leaving

    def entry(self, item: Item) -> Entry:
        """The item as an entry of `parked`: the event with its headers, for whom, from where."""
        record = item.event.record
        place = b"%d:%d" % (record.partition, record.offset)
        return Entry(
            record.key, record.value, (*record.headers, ("to", self._name), ("place", place))
        )

    def put_back(self, items: Sequence[Item]) -> None:
        """Items that were leaving and could not be appended go before all that follow."""
        self._leaving = [*items, *self._leaving]

    def arrived(self, item: Item, place: Place) -> None:
        """The item is durable in `parked`: its offset in `events` needs nothing more."""
        self.abandoned(item)
        if item.progress.gone:
            return
        item.progress.parked.begin(place.offset, place.offset + 1, item.event.received_at)
        self._yard.arrived(item.progress, item.event.record.key, place.offset)
        self._book.moves(item, place.offset)

    def abandoned(self, item: Item) -> None:
        """The item moves no longer: it is in `parked`, or its partition is another's."""
        self.moving -= 1
        self.bytes -= len(item.event.record.value)

    def wanted(self, now: float) -> ParkedLane | None:
        """A parked lane that should come back now; `comes` must follow, or `stays`."""
        if not self._gate.healthy or self._yard.out >= OUT:
            return None
        return self._yard.take(now)

    def next_due(self) -> float | None:
        """When the next parked lane is due; None when none is, or nothing may go."""
        if not self._gate.healthy or self._yard.out >= OUT:
            return None
        return self._yard.next_due()

    def comes(self, lane: ParkedLane, records: Sequence[Record]) -> None:
        """The first events of a parked lane, as they stand in `parked`, join the lanes."""
        if not self._yard.has(lane):
            return  # its partition moves, or has moved
        wanted = set(list(lane.offsets)[:AT_ONCE])
        items = [_item(lane, record) for record in records if record.offset in wanted]
        if items:
            items[0].attempts = lane.attempts
            lane.out = len(items)
            self._lanes.resume(lane.key, items)
        else:
            # They were deleted by the log's retention: nobody can send them any more.
            lane.out = len(wanted)
            for offset in sorted(wanted):
                lane.progress.parked.finish(offset, offset + 1)
                self._yard.finished(lane)

    def stays(self, lane: ParkedLane, due: float) -> None:
        """The log could not be read: the lane comes later."""
        self._yard.again(lane, due)

    def back(self, item: Item, due: float) -> None:
        """The head of a parked lane failed: what came of the lane goes back."""
        if item.yard is None:
            return
        item.yard.attempts = item.attempts
        for other in self._lanes.take_out([item.lane]):
            if other.yard is not item.yard:
                self._lanes.push(other.event.record.key, other)
        self._yard.again(item.yard, due)

    def passed(self, item: Item) -> None:
        """The item needs nothing more; if it was parked, its lane there moves on."""
        if item.yard is not None:
            self._yard.finished(item.yard)

    def drop(self, leaving: set[Progress]) -> None:
        """Forget what is not ours any more."""
        self._yard.drop(leaving)
        lost = [item for item in self._leaving if item.progress in leaving]
        self._leaving = [item for item in self._leaving if item.progress not in leaving]
        for item in lost:
            self.abandoned(item)

    def _leaves(self, item: Item, due: float, attempts: int = 0) -> None:
        self._yard.leaves(item.progress, item.event.record.key, due, attempts)
        self._leaving.append(item)
        self.moving += 1
        self.bytes += len(item.event.record.value)


def _item(lane: ParkedLane, record: Record) -> Item:
    event = Event.of(origin(record))
    item = Item(event, lane.progress, record.offset, parked=record.offset, yard=lane)
    if event.record.offset in lane.progress.doubts:
        lane.progress.doubts.discard(event.record.offset)
        item.in_doubt = True
    return item
