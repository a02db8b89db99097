"""Which message ids were promised lately, by source.

An id is *reserved* before its event is appended, *confirmed* when that is durable, *released* when
it failed. Who brings a reserved id again is told whose promise it waits for, so that no duplicate
is answered 200 before the first is durable. Best effort: the memory of one process.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

Promise = TypeVar("Promise")

GENERATIONS: Final = 8
"""Ids are forgotten by so many parts: no time is kept for each, one for each generation is."""

SHELVES: Final = 64
"""Ids lie on so many shelves by their last bits: a table that grows stops the process for as long
as all of its ids take to move."""

_LEAVING: Final = 2
"""Ids of a generation that has aged which are dropped for each that comes: a whole generation at
once would hold up the process for 20 ms."""


def digest_of(source: str, message_id: str) -> int:
    """64 bits that stand for one id of one source, in this process only.

    Python's own hash has a secret of the process in it. Of a million ids that are remembered one
    is taken for another once in 10^13 events.
    """
    return hash((source, message_id))


@dataclass(slots=True)
class _Generation:
    number: int
    since: float
    ids: array[int] = field(default_factory=lambda: array("q"))


@dataclass(frozen=True, slots=True)
class Known:
    """The id was accepted lately, and its event is durable."""


KNOWN: Final = Known()


class Seen(Generic[Promise]):
    """At most `limit` ids, each for `seconds`, unless there are too many of them."""

    def __init__(self, limit: int, seconds: float, now: float) -> None:
        self._share = max(1, limit // (GENERATIONS + 1))  # one more may be leaving
        self._seconds = seconds
        self._generations: deque[_Generation] = deque([_Generation(0, now)])
        self._leaving: deque[_Generation] = deque()
        self._shelves: tuple[dict[int, int], ...] = tuple({} for _ in range(SHELVES))
        self._reserved: dict[int, Promise] = {}

    def __len__(self) -> int:
        return sum(len(shelf) for shelf in self._shelves)

    def reserve(self, digest: int, promise: Promise) -> Known | Promise | None:
        """None when the id is now reserved under `promise`; else KNOWN, or who has reserved it."""
        known = self._shelves[digest % SHELVES].get(digest)
        if known is not None and known >= self._generations[0].number:
            return KNOWN
        holder = self._reserved.get(digest)
        if holder is None:
            self._reserved[digest] = promise
        return holder

    def confirm(self, digests: Iterable[int], now: float) -> None:
        """The events of these ids are durable."""
        newest = self._current(now)
        for digest in digests:
            self._reserved.pop(digest, None)
            self._shelves[digest % SHELVES][digest] = newest.number
            newest.ids.append(digest)
            if self._leaving:
                self._drop()

    def release(self, digests: Iterable[int]) -> None:
        """Nothing is promised for these ids; the next to bring one may try."""
        for digest in digests:
            self._reserved.pop(digest, None)

    def _current(self, now: float) -> _Generation:
        newest = self._generations[-1]
        aged = now - newest.since >= self._seconds / (GENERATIONS - 1)
        if aged or len(newest.ids) >= self._share:
            newest = _Generation(newest.number + 1, now)
            self._generations.append(newest)
        while len(self._generations) > GENERATIONS or (
            # The youngest id of a generation is as old as the next generation.
            len(self._generations) > 1 and now - self._generations[1].since > self._seconds
        ):
            self._leaving.append(self._generations.popleft())
        return newest

    def _drop(self) -> None:
        """Drop some of the oldest ids, but those that were confirmed anew since."""
        oldest = self._leaving[0]
        for _ in range(_LEAVING):
            if not oldest.ids:
                self._leaving.popleft()
                return
            digest = oldest.ids.pop()
            shelf = self._shelves[digest % SHELVES]
            if shelf.get(digest) == oldest.number:
                del shelf[digest]
