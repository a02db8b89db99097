"""Which message ids were promised lately, by source.

An id is *reserved* before its event is appended, *confirmed* when that is durable, *released* when
it failed. Who brings a reserved id again is told whose promise it waits for, so that no duplicate
is answered 200 before the first is durable. Best effort: the memory of one process.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

Promise = TypeVar("Promise")

SHELVES: Final = 64
"""Ids lie on so many shelves by their last bits: a table that grows, or is let go, holds up the
process for as long as all of its ids take."""

TICKS: Final = 8
"""When an id was confirmed is known to so many parts of the time that it is remembered for."""


def digests_of(ids: Iterable[tuple[str, str]]) -> list[int]:
    """Of message ids, each behind its source: 64 bits that stand for it, in this process only.

    Python's own hash has a secret of the process in it. With a million ids remembered, one is taken
    for another once in 10^13 events.
    """
    return list(map(hash, ids))


@dataclass(slots=True)
class _Shelf:
    """Ids, each with the tick of its confirmation; the old ones are let go all at once."""

    young: dict[int, int] = field(default_factory=dict)
    old: dict[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Known:
    """The id was accepted lately, and its event is durable."""


KNOWN: Final = Known()


class Seen(Generic[Promise]):
    """At most `limit` ids, and at least the latest half of so many, each for `seconds`."""

    def __init__(self, limit: int, seconds: float, now: float) -> None:
        self._share = max(1, limit // (2 * SHELVES))
        self._span = seconds / TICKS
        self._began = now
        self._oldest = -TICKS  # the tick of which ids are still remembered
        self._shelves = tuple(_Shelf() for _ in range(SHELVES))
        self._reserved: dict[int, Promise] = {}

    def __len__(self) -> int:
        return sum(len(shelf.young) + len(shelf.old) for shelf in self._shelves)

    def reserve(self, digests: Iterable[int], promise: Promise) -> list[Known | Promise | None]:
        """Of each id in turn: None when it is now reserved under `promise`; else KNOWN, or who has
        reserved it.
        """
        shelves, reserved, oldest = self._shelves, self._reserved, self._oldest
        holders: list[Known | Promise | None] = []
        for digest in digests:
            shelf = shelves[digest % SHELVES]
            tick = shelf.young.get(digest)
            if tick is None:
                tick = shelf.old.get(digest)
            if tick is not None and tick >= oldest:
                holders.append(KNOWN)
                continue
            holder = reserved.get(digest)
            if holder is None:
                reserved[digest] = promise
            holders.append(holder)
        return holders

    def confirm(self, digests: Iterable[int], now: float) -> None:
        """The events of these ids are durable."""
        tick = int((now - self._began) / self._span)
        self._oldest = tick - TICKS
        for digest in digests:
            self._reserved.pop(digest, None)
            shelf = self._shelves[digest % SHELVES]
            shelf.young[digest] = tick
            if len(shelf.young) >= self._share:
                shelf.old, shelf.young = shelf.young, {}

    def release(self, digests: Iterable[int]) -> None:
        """Nothing is promised for these ids; the next to bring one may try."""
        for digest in digests:
            self._reserved.pop(digest, None)
