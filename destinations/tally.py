"""Which events of one partition have an end in one instance's ledger. Pure.

A byte for each offset from `base` on; of what lies before, nothing is owed any more.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

MOST: Final = 1_000_000
"""Offsets that are kept; what lies beyond is not accused when the place comes there."""


class Tally:
    """Offsets before `base` are settled; those from it on are told of, or not yet."""

    def __init__(self, base: int) -> None:
        self.base = base
        self._ends = bytearray()
        self._forgotten = range(0)

    def end(self, first: int, end: int) -> None:
        """The events from `first` to `end` (exclusive) have come to an end."""
        most = self.base + MOST
        if end > most:
            start = min(self._forgotten.start or most, most)
            self._forgotten = range(start, max(self._forgotten.stop, end))
        first, end = max(first, self.base), min(end, most)
        if first < end:
            self._ends.extend(bytes(max(0, end - self.base - len(self._ends))))
            self._ends[first - self.base : end - self.base] = b"\1" * (end - first)

    def settle(self, place: int) -> Sequence[int]:
        """The offsets before `place` that have no end; they are settled by being told."""
        passed = place - self.base
        if passed <= 0:
            return []
        known = min(passed, MOST)
        ends = self._ends[:known].ljust(known, b"\0")
        missing = []
        at = ends.find(0)
        while at >= 0:
            if self.base + at not in self._forgotten:
                missing.append(self.base + at)
            at = ends.find(0, at + 1)
        del self._ends[:passed]
        self.base = place
        return missing
