"""Who rides together and when the bus leaves. Pure.

Only heads of lanes board, one seat per key, so a batch never holds two events of one person and
order survives batching with no further rule.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar

from msgspec import Struct, field

from destinations.spec import Action, Batch, Row
from hub.encoding import dumps

Rider = TypeVar("Rider")


class Bus(Struct, Generic[Rider], eq=False):
    """One request's riders; `since` is when the first took a seat, `turn` the gate's."""

    action: Action[Any]
    since: float
    riders: list[Rider] = field(default_factory=list)
    bytes: int = 0
    uniques: set[Hashable] = field(default_factory=set)
    turn: tuple[int, int, float] = (0, 0, 0.0)

    @property
    def full(self) -> bool:
        return len(self.riders) >= self.action.batch.rows


class Batcher(Generic[Rider]):
    """The buses at the stop. `linger`: seconds that one which is not full waits for company."""

    def __init__(self, linger: float) -> None:
        self._linger = linger
        self._open: dict[tuple[str, Hashable], Bus[Rider]] = {}
        # By action: whose limiter says no is asked once, not once for each bus that it holds.
        self._closed: dict[str, deque[Bus[Rider]]] = {}
        self._waiting = 0

    def __len__(self) -> int:
        """Riders that have a seat and have not left."""
        return self._waiting

    def board(self, rider: Rider, action: Action[Any], row: Row, now: float) -> None:
        """A seat for `rider`; a bus that it fits no more leaves without it."""
        batch = action.batch
        self._waiting += 1
        if batch.rows == 1:  # who rides alone needs no company that fits, and no scale
            self._leaves(Bus(action, now, [rider]))
            return
        group = batch.group(row) if batch.group else None
        place = (action.name, group)
        weight = weigh(batch, row)
        unique = batch.unique(row) if batch.unique else None
        bus = self._open.get(place)
        if bus is not None and (
            (bus.bytes + weight > batch.bytes) or (unique is not None and unique in bus.uniques)
        ):
            self._close(place)
            bus = None
        if bus is None:
            bus = self._open[place] = Bus(action, now)
        bus.riders.append(rider)
        bus.bytes += weight
        if unique is not None:
            bus.uniques.add(unique)
        if bus.full:
            self._close(place)

    @property
    def full(self) -> bool:
        """Whether a bus has no free seat."""
        return bool(self._closed)

    def split(self, bus: Bus[Rider]) -> None:
        """Send the riders of a sunk atomic bus again in two halves, before others of its action."""
        half = len(bus.riders) // 2
        for riders in filter(None, (bus.riders[half:], bus.riders[:half])):
            part: Bus[Rider] = Bus(bus.action, bus.since)
            part.riders = riders
            self._closed.setdefault(bus.action.name, deque()).appendleft(part)
            self._waiting += len(riders)

    def depart_full(self, may_go: Callable[[Action[Any]], bool]) -> Bus[Rider] | None:
        """The bus without a free seat that waits longest, of the actions that `may_go`."""
        first: deque[Bus[Rider]] | None = None
        for buses in self._closed.values():
            if may_go(buses[0].action) and (first is None or buses[0].since < first[0].since):
                first = buses
        if first is None:
            return None
        bus = first.popleft()
        if not first:
            del self._closed[bus.action.name]
        self._waiting -= len(bus.riders)
        return bus

    def depart(
        self, now: float, may_go: Callable[[Action[Any]], bool], idle: bool
    ) -> Bus[Rider] | None:
        """The next bus that leaves: full ones first, then those that have waited long enough.

        `idle` (nothing is on the road) lets any bus leave now, so that a quiet hub adds no delay.
        """
        full = self.depart_full(may_go)
        if full is not None:
            return full
        for place, bus in self._open.items():
            if (idle or now - bus.since >= self._linger) and may_go(bus.action):
                del self._open[place]
                self._waiting -= len(bus.riders)
                return bus
        return None

    def next_departure(self, now: float, wait: Callable[[Action[Any]], float]) -> float:
        """Seconds until the first bus leaves: its linger is over and its action need not `wait`.

        Infinity without a bus.
        """
        full = [wait(buses[0].action) for buses in self._closed.values()]
        part = [
            max(bus.since + self._linger - now, wait(bus.action)) for bus in self._open.values()
        ]
        return min(full + part, default=float("inf"))

    def drop(self, is_gone: Callable[[Rider], bool]) -> None:
        """Riders whose partition moved get off."""
        closed = [bus for buses in self._closed.values() for bus in buses]
        for bus in (*self._open.values(), *closed):
            bus.riders = [rider for rider in bus.riders if not is_gone(rider)]
        self._open = {place: bus for place, bus in self._open.items() if bus.riders}
        self._closed = {}
        for bus in closed:
            if bus.riders:
                self._closed.setdefault(bus.action.name, deque()).append(bus)
        self._waiting = sum(len(bus.riders) for bus in (*self._open.values(), *closed))

    def unload(self, action: Action[Any]) -> list[Rider]:
        """All who have a seat for the action get off; returns them."""
        places = [place for place in self._open if place[0] == action.name]
        buses = [*self._closed.pop(action.name, ()), *(self._open.pop(place) for place in places)]
        riders = [rider for bus in buses for rider in bus.riders]
        self._waiting -= len(riders)
        return riders

    def _close(self, place: tuple[str, Hashable]) -> None:
        self._leaves(self._open.pop(place))

    def _leaves(self, bus: Bus[Rider]) -> None:
        """It takes nobody more."""
        buses = self._closed.get(bus.action.name)
        if buses is None:
            buses = self._closed[bus.action.name] = deque()
        buses.append(bus)


def weigh(batch: Batch, row: Row) -> int:
    """Bytes of a row in a request, by the vendor's scale or by its mapped fields."""
    if batch.weigh is not None:
        return batch.weigh(row)
    return len(dumps(row.fields) if row.fields else row.written)
