"""Order within a key, company across keys: each key has a lane, and only its head may go. Pure."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable
from enum import Enum, auto
from itertools import count
from typing import Generic, TypeVar

Item = TypeVar("Item")


class State(Enum):
    """Where a lane's head is."""

    READY = auto()  # it may board now
    WAITING = auto()  # it goes again when it is due
    BOARDED = auto()  # it is on a bus, or its answer is awaited
    GONE = auto()  # the lane is empty or was dropped


class Lane(Generic[Item]):
    """The queue of one key."""

    __slots__ = ("items", "key", "state")

    def __init__(self, key: bytes, item: Item) -> None:
        self.key = key
        self.items: deque[Item] = deque([item])
        self.state = State.READY

    @property
    def head(self) -> Item:
        return self.items[0]


class Lanes(Generic[Item]):
    """All lanes of one destination."""

    def __init__(self) -> None:
        self._lanes: dict[bytes, Lane[Item]] = {}
        self._ready: deque[Lane[Item]] = deque()
        self._waiting: list[tuple[float, int, Lane[Item]]] = []
        self._turn = count()
        self._backlog = 0

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
        lane = self._lanes.get(key)
        if lane is not None:
            lane.items.append(item)
            return
        lane = self._lanes[key] = Lane(key, item)
        self._ready.append(lane)

    def board(self, now: float) -> Lane[Item] | None:
        """The next lane whose head may go; first tries and the due ones in the order they came."""
        while self._waiting and self._waiting[0][0] <= now:
            _, _, lane = heapq.heappop(self._waiting)
            lane.state = State.READY
            self._ready.append(lane)
        if not self._ready:
            return None
        lane = self._ready.popleft()
        lane.state = State.BOARDED
        return lane

    def next_due(self) -> float | None:
        """When the earliest waiting head goes again; None if none waits."""
        return self._waiting[0][0] if self._waiting else None

    def finish(self, lane: Lane[Item]) -> None:
        """The boarded head is done; the next in the lane may go. A dropped lane stays dropped."""
        if lane.state is not State.BOARDED:
            return
        lane.items.popleft()
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
                anew = self._lanes[lane.key] = Lane(lane.key, staying[0])
                anew.items = staying
                self._ready.append(anew)
        self._backlog -= len(gone)
        self._ready = deque(lane for lane in self._ready if lane.state is State.READY)
        self._waiting = [entry for entry in self._waiting if entry[2].state is State.WAITING]
        heapq.heapify(self._waiting)
        return gone
