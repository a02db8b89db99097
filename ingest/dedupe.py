"""Which message ids were promised lately, by source.

An id is *reserved* before its event is appended, *confirmed* when that is durable, *released* when
it failed. Who brings a reserved id again is told whose promise it waits for, so that no duplicate
is answered 200 before the first is durable. Best effort: the memory of one process.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Final, Generic, TypeVar

Promise = TypeVar("Promise")

GENERATIONS: Final = 8
"""Ids are forgotten an eighth at a time: no list of times is kept, one set per generation is."""


def digest_of(source: str, message_id: str) -> bytes:
    """16 bytes that stand for one id of one source."""
    return blake2b(f"{source}\x00{message_id}".encode(), digest_size=16).digest()


@dataclass(slots=True)
class _Generation:
    since: float
    ids: set[bytes] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Known:
    """The id was accepted lately, and its event is durable."""


KNOWN: Final = Known()


class Seen(Generic[Promise]):
    """At most `limit` ids, each for `seconds`, unless there are too many of them."""

    def __init__(self, limit: int, seconds: float, now: float) -> None:
        self._share = max(1, limit // GENERATIONS)
        self._seconds = seconds
        self._generations: deque[_Generation] = deque([_Generation(now)])
        self._reserved: dict[bytes, Promise] = {}

    def __len__(self) -> int:
        return sum(len(generation.ids) for generation in self._generations)

    def reserve(self, digest: bytes, promise: Promise) -> Known | Promise | None:
        """None when the id is now reserved under `promise`; else KNOWN, or who has reserved it."""
        for generation in reversed(self._generations):
            if digest in generation.ids:
                return KNOWN
        holder = self._reserved.get(digest)
        if holder is None:
            self._reserved[digest] = promise
        return holder

    def confirm(self, digests: Iterable[bytes], now: float) -> None:
        """The events of these ids are durable."""
        ids = self._current(now)
        for digest in digests:
            self._reserved.pop(digest, None)
            ids.add(digest)

    def release(self, digests: Iterable[bytes]) -> None:
        """Nothing is promised for these ids; the next to bring one may try."""
        for digest in digests:
            self._reserved.pop(digest, None)

    def _current(self, now: float) -> set[bytes]:
        newest = self._generations[-1]
        aged = now - newest.since >= self._seconds / (GENERATIONS - 1)
        if aged or len(newest.ids) >= self._share:
            newest = _Generation(now)
            self._generations.append(newest)
        while len(self._generations) > GENERATIONS or (
            # The youngest id of a generation is as old as the next generation.
            len(self._generations) > 1 and now - self._generations[1].since > self._seconds
        ):
            self._generations.popleft()
        return newest.ids
