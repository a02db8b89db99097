"""When to say 429 rather than to promise: room in this process, and the turn of a source."""

from __future__ import annotations

import math
from typing import Final

from msgspec import Struct

LONGEST_WAIT: Final = 300
"""Seconds; SDKs cap Retry-After there (facts, 1.10)."""


class Room:
    """How much is in flight, and how much may be."""

    def __init__(self, max_bytes: int, max_requests: int) -> None:
        self._max_bytes = max_bytes
        self._max_requests = max_requests
        self.bytes = 0
        self.requests = 0

    def enter(self) -> Stay | None:
        """A place for one more request; None when there is none.

        Until its body is there it takes up bytes only: clients that are slow on purpose must not
        be able to take every place.
        """
        return Stay(self) if self.open else None

    def place(self, size: int) -> Stay | None:
        """A place for a request whose body, of so many bytes, is there; None when there is none."""
        if not (self.open and self.has(size)):
            return None
        self.requests += 1
        self.bytes += size
        return Stay(self, size, begun=True)

    @property
    def open(self) -> bool:
        """Whether one more may enter."""
        return not self.full and self.bytes < self._max_bytes

    @property
    def full(self) -> bool:
        """Whether as many requests are worked on as may be."""
        return self.requests >= self._max_requests

    def has(self, size: int) -> bool:
        """Whether so many bytes more would fit."""
        return self.bytes + size <= self._max_bytes


class Stay(Struct, eq=False):
    """One request's place in the room; `kept` when an append will leave it, not the request."""

    room: Room
    size: int = 0
    begun: bool = False
    kept: bool = False
    left: bool = False

    def begin(self) -> bool:
        """The body is there: count as a request; False when there are too many of them."""
        if self.room.full:
            return False
        self.begun = True
        self.room.requests += 1
        return True

    def grow(self, size: int) -> bool:
        """Take so many bytes more; False when they do not fit, and then nothing is taken."""
        if not self.room.has(size):
            return False
        self.size += size
        self.room.bytes += size
        return True

    def hold(self, size: int) -> None:
        """Take so many bytes more that are there already; who comes next finds less room."""
        self.size += size
        self.room.bytes += size

    def leave(self) -> None:
        """Give the place back; the second time does nothing."""
        if not self.left:
            self.left = True
            self.room.requests -= self.begun
            self.room.bytes -= self.size


class Turn:
    """A source's rate, as a bucket of tokens that one batch may overdraw.

    A batch may hold more events than the bucket does; refusing it for ever would lose it, so it
    passes when there is anything in the bucket, and those after it wait the longer.
    """

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self._rate = rate
        self._burst = burst
        self._tokens = burst
        self._at = now

    def take(self, events: int, now: float) -> int:
        """0 when these events may pass; else the seconds to wait, 1 to 300."""
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now
        if self._tokens < 1.0:
            wait = math.ceil((1.0 - self._tokens) / self._rate)
            return max(1, min(wait, LONGEST_WAIT))
        self._tokens -= events
        return 0
