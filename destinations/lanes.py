"""Order within a key, company across keys: each key has a lane, and only its head may go. Pure."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Collection, Sequence
from enum import Enum, auto
from itertools import count
from typing import Generic, TypeVar

from msgspec import Struct

Item = TypeVar("Item")


class State(Enum):
    """Where a lane's head is."""

    READY = auto()  # it may board now
    WAITING = auto()  # it goes again when it is due
    HELD = auto()  # it goes again when it is released
    BOARDED = auto()  # it is on a bus, or its answer is awaited
    GONE = auto()  # the lane is empty or was dropped


RETRIES = 8
"""Of so many heads one is a retry while first tries wait: they come first, and starve nobody."""


class Lane(Struct, Generic[Item], eq=False):
    """The queue of one key; `since`: when its head was first sent back, in steady seconds."""

    key: bytes
    items: deque[Item]
    since: float | None = None
    state: State = State.READY

    @property
    def head(self) -> Item:
        return self.items[0]


class Lanes(Generic[Item]):
    """All lanes of one destination; `weigh` tells an item's bytes."""

    def __init__(self, weigh: Callable[[Item], int] = lambda _: 0) -> None:
        self._weigh = weigh
        self._lanes: dict[bytes, Lane[Item]] = {}
        self._ready: deque[Lane[Item]] = deque()
        self._due: deque[Lane[Item]] = deque()
        self._waiting: list[tuple[float, int, Lane[Item]]] = []
        self._held: dict[str, deque[Lane[Item]]] = {}
        self._turn = count()
        self._boarded = 0
        self._backlog = 0
        self.bytes = 0

    def __len__(self) -> int:
        """Keys that have items."""
        return len(self._lanes)

    @property
    def backlog(self) -> int:
        """Items in all lanes, boarded heads among them."""
        return self._backlog

    def push(self, key: bytes, item: Item) -> None:
        """`item` joins the end of its key's lane."""
        self._backlog += 1
        self.bytes += self._weigh(item)
        lane = self._lanes.get(key)
        if lane is not None:
            lane.items.append(item)
            return
        lane = self._lanes[key] = Lane(key, deque((item,)))
        self._ready.append(lane)

    def board(self, now: float) -> Lane[Item] | None:
        """The next lane whose head may go: first tries in the order they came, then retries."""
        while self._waiting and self._waiting[0][0] <= now:
            _, _, lane = heapq.heappop(self._waiting)
            lane.state = State.READY
            self._due.append(lane)
        self._boarded += 1
        first = not self._due or (self._ready and self._boarded % RETRIES)
        queue = self._ready if first else self._due
        if not queue:
            return None
        lane = queue.popleft()
        lane.state = State.BOARDED
        return lane

    def next_due(self) -> float | None:
        """When the earliest waiting head goes again; None if none waits."""
        return self._waiting[0][0] if self._waiting else None

    def finish(self, lane: Lane[Item]) -> None:
        """The boarded head is done; the next in the lane may go. A dropped lane stays dropped."""
        if lane.state is not State.BOARDED:
            return
        self.bytes -= self._weigh(lane.items.popleft())
        lane.since = None
        self._backlog -= 1
        if lane.items:
            lane.state = State.READY
            self._ready.append(lane)
        else:
            lane.state = State.GONE
            del self._lanes[lane.key]

    def again(self, lane: Lane[Item], due: float) -> None:
        """The boarded head goes again at `due`, before its successors."""
        if lane.state is State.BOARDED:
            lane.state = State.WAITING
            heapq.heappush(self._waiting, (due, next(self._turn), lane))

    def hold(self, lane: Lane[Item], why: str) -> None:
        """The boarded head goes again when what is held for `why` is released."""
        if lane.state is State.BOARDED:
            lane.state = State.HELD
            self._held.setdefault(why, deque()).append(lane)

    def holds(self, why: str) -> bool:
        """Whether anything is held for `why`."""
        return bool(self._held.get(why))

    def release(self, why: str, most: int | None = None) -> None:
        """Heads that were held for `why` may go, those first that wait longest."""
        held = self._held.get(why, deque())
        for _ in range(len(held) if most is None else min(most, len(held))):
            lane = held.popleft()
            lane.state = State.READY
            self._due.append(lane)
        if not held:
            self._held.pop(why, None)

    def stuck(self, before: float) -> list[Lane[Item]]:
        """Lanes whose head waits since `before` or longer, and is not on its way."""
        held = (lane for lanes in self._held.values() for lane in lanes)
        return [
            lane
            for lane in (*held, *(lane for _, _, lane in self._waiting))
            if lane.since is not None and lane.since <= before
        ]

    def resume(self, key: bytes, items: Sequence[Item]) -> None:
        """Items that were taken out come back, as a retry."""
        lane = self._lanes.get(key)
        self._backlog += len(items)
        self.bytes += sum(map(self._weigh, items))
        if lane is not None:
            lane.items.extend(items)
            return
        lane = self._lanes[key] = Lane(key, deque(items))
        self._due.append(lane)

    def take_out(self, lanes: Collection[Lane[Item]]) -> list[Item]:
        """Forget these lanes, wherever their heads are; returns their items, in order."""
        out: list[Item] = []
        boarded = all(lane.state is State.BOARDED for lane in lanes)
        for lane in lanes:
            out += lane.items
            lane.state = State.GONE
            del self._lanes[lane.key]
        self._backlog -= len(out)
        self.bytes -= sum(map(self._weigh, out))
        if not boarded:
            self._sweep()
        return out

    def drop(self, is_gone: Callable[[Item], bool]) -> list[Item]:
        """Forget and return the items that are gone (their partition moved): read again there.

        A lane that loses its head is dropped, wherever its head is; what stays of it begins anew.
        (A key is in two partitions only after a stream got more of them.)
        """
        gone: list[Item] = []
        for lane in list(self._lanes.values()):
            lost = [item for item in lane.items if is_gone(item)]
            if not lost:
                continue
            gone += lost
            staying = deque(item for item in lane.items if not is_gone(item))
            if not is_gone(lane.head):
                lane.items = staying
                continue
            lane.state = State.GONE
            del self._lanes[lane.key]
            if staying:
                anew = self._lanes[lane.key] = Lane(lane.key, staying)
                self._ready.append(anew)
        self._backlog -= len(gone)
        self.bytes -= sum(map(self._weigh, gone))
        self._sweep()
        return gone

    def _sweep(self) -> None:
        """Lanes that are gone leave every queue."""
        self._ready = deque(lane for lane in self._ready if lane.state is State.READY)
        self._due = deque(lane for lane in self._due if lane.state is State.READY)
        self._waiting = [entry for entry in self._waiting if entry[2].state is State.WAITING]
        heapq.heapify(self._waiting)
        for why, lanes in list(self._held.items()):
            held = deque(lane for lane in lanes if lane.state is State.HELD)
            if held:
                self._held[why] = held
            else:
                del self._held[why]
