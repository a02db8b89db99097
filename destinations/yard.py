"""The parked lanes of one instance: what waits in the stream `parked`, and until when. Pure.

A lane that fails for long while the vendor takes others would hold back its partition's commit. Its
events move to `parked`, those that follow go there too, and only their places stay in memory. When
the lane is due its events come back into the lanes, oldest first.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import count

from destinations.progress import Progress

MOST = 100_000
"""Events of one instance that may be parked; beyond, lanes stay where they are."""


@dataclass(eq=False, slots=True)
class ParkedLane:
    """One key's events in `parked`: their offsets, and how many are on their way there.

    `out`: how many of the first are in the lanes now. `attempts` is the head's.
    """

    key: bytes
    progress: Progress
    offsets: deque[int] = field(default_factory=deque)
    coming: int = 0
    out: int = 0
    attempts: int = 0
    due: float | None = None


class Yard:
    """All parked lanes of one instance. Times are steady seconds."""

    def __init__(self) -> None:
        self._lanes: dict[tuple[Progress, bytes], ParkedLane] = {}
        self._waiting: list[tuple[float, int, ParkedLane]] = []
        self._turn = count()
        self._out: set[ParkedLane] = set()
        self._events = 0

    def __len__(self) -> int:
        """Events that are parked, or on their way."""
        return self._events

    @property
    def lanes(self) -> int:
        """Keys that are parked."""
        return len(self._lanes)

    @property
    def out(self) -> int:
        """Lanes that are on their way back, or in the lanes."""
        return len(self._out)

    @property
    def full(self) -> bool:
        return self._events >= MOST

    def find(self, progress: Progress, key: bytes) -> ParkedLane | None:
        """The parked lane of a key, if it is parked."""
        return self._lanes.get((progress, key))

    def has(self, lane: ParkedLane) -> bool:
        """Whether the lane is one of ours, and not of a partition that was dropped."""
        return self._lanes.get((lane.progress, lane.key)) is lane

    def leaves(self, progress: Progress, key: bytes, due: float, attempts: int = 0) -> None:
        """An event is on its way into `parked`; the lane goes again at `due`."""
        lane = self._lanes.get((progress, key))
        if lane is None:
            lane = self._lanes[progress, key] = ParkedLane(key, progress, attempts=attempts)
            lane.due = due
        lane.coming += 1
        self._events += 1

    def arrived(self, progress: Progress, key: bytes, offset: int) -> None:
        """The event that left first is in `parked` now, at `offset`."""
        lane = self._lanes.get((progress, key))
        if lane is None:
            return
        lane.coming -= 1
        lane.offsets.append(offset)
        if len(lane.offsets) == 1:
            self._schedule(lane, lane.due or 0.0)

    def found(self, progress: Progress, waiting: Iterable[tuple[bytes, int]]) -> None:
        """What an earlier owner parked; it may go at once."""
        for key, offset in waiting:
            self.leaves(progress, key, 0.0)
            self.arrived(progress, key, offset)

    def next_due(self) -> float | None:
        """When the first lane goes again; None when none is to."""
        while self._waiting and not self._is_due_entry(self._waiting[0]):
            heapq.heappop(self._waiting)
        return self._waiting[0][0] if self._waiting else None

    def take(self, now: float) -> ParkedLane | None:
        """A lane that is due, the one that waits longest; `comes` must follow, or `again`."""
        due = self.next_due()
        if due is None or due > now:
            return None
        lane = heapq.heappop(self._waiting)[2]
        lane.due = None
        self._out.add(lane)
        return lane

    def finished(self, lane: ParkedLane) -> None:
        """The head needs nothing more; what follows may come at once."""
        if not self.has(lane):
            return
        lane.offsets.popleft()
        lane.out -= 1
        lane.attempts = 0
        self._events -= 1
        if not lane.out:
            self._out.discard(lane)
        if lane.offsets and not lane.out:
            self._schedule(lane, 0.0)
        elif not lane.offsets and not lane.coming:
            del self._lanes[lane.progress, lane.key]

    def again(self, lane: ParkedLane, due: float) -> None:
        """The head goes again at `due`; nothing of the lane is in the lanes any more."""
        if not self.has(lane):
            return
        lane.out = 0
        self._out.discard(lane)
        self._schedule(lane, due)

    def drop(self, gone: set[Progress]) -> None:
        """Forget what is not ours any more."""
        for place in [place for place in self._lanes if place[0] in gone]:
            lane = self._lanes.pop(place)
            lane.due = None
            self._out.discard(lane)
            self._events -= len(lane.offsets) + lane.coming

    def _schedule(self, lane: ParkedLane, due: float) -> None:
        lane.due = due
        heapq.heappush(self._waiting, (due, next(self._turn), lane))

    def _is_due_entry(self, entry: tuple[float, int, ParkedLane]) -> bool:
        """Whether the entry is what its lane waits for, and the lane is ours."""
        due, _, lane = entry
        return lane.due == due and self.has(lane)
