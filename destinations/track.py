"""Which offsets of one partition of one stream are finished, and so what may be committed. Pure.

The place to commit is the first offset that is not finished: everything before it is. Offsets
begin in growing order, one or a range at once, and finish in any.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence

from destinations.ranges import Range, joined


class Track:
    """Offsets from `place` on; `finished`: those beyond it that need nothing more, as committed."""

    __slots__ = ("_before", "_finished", "_open", "last", "place")

    def __init__(self, place: int | None = None, finished: Sequence[Range] = ()) -> None:
        self.last = -1
        self.place = place
        # Ranges in order with the time of their first event; popped from the front, so the whole is
        # linear. (The first key of a dict would be quadratic: deleted slots are skipped each time.)
        self._open: deque[tuple[int, int, float]] = deque()
        self._finished: dict[int, int] = {}
        # What was finished before we came, and was not reached yet.
        self._before = deque(finished)

    def __len__(self) -> int:
        """Ranges begun and not yet part of `place`."""
        return len(self._open)

    @property
    def oldest(self) -> float | None:
        """The time of the first event that is not finished; None when there is none."""
        return self._open[0][2] if self._open else None

    def begin(self, first: int, end: int, at: float) -> Sequence[Range]:
        """Offsets from `first` to `end` (exclusive) are reached; `at` is the time of the first
        event in seconds. What of them needs work: each of these ranges finishes as a whole.
        """
        if first <= self.last:
            raise ValueError(f"offset {first} begins after {self.last}")
        self.last = end - 1
        if not self._open:
            self.place = first
        if not self._before:
            self._open.append((first, end, at))
            return ((first, end),)
        work = []
        for start, stop, is_done in self._pieces(first, end):
            self._open.append((start, stop, at))
            if is_done:
                self.finish(start, stop)
            else:
                work.append((start, stop))
        return work

    def finish(self, first: int, end: int) -> None:
        """A range that was begun needs nothing more; saying so twice does no harm."""
        self.finish_all(((first, end),))

    def finish_all(self, ranges: Iterable[Range]) -> None:
        """As `finish`, of many."""
        begun, finished = self._open, self._finished
        if not begun:
            return
        oldest = begun[0][0]
        for first, end in ranges:
            if first >= oldest:
                finished[first] = end
        while begun and (first := begun[0][0]) in finished:
            del finished[first]
            _, end, _ = begun.popleft()
            # What lies between two begun ranges was not ours (a compacted or control record).
            self.place = begun[0][0] if begun else end

    def beyond(self) -> list[Range]:
        """What is finished beyond `place`."""
        ahead = [(max(first, self.last + 1), end) for first, end in self._before]
        return joined([*self._finished.items(), *((a, b) for a, b in ahead if a < b)])

    def _pieces(self, first: int, end: int) -> Iterator[tuple[int, int, bool]]:
        """A range cut where what was finished before we came begins and ends; whether it was."""
        while first < end:
            while self._before and self._before[0][1] <= first:
                self._before.popleft()
            low, high = self._before[0] if self._before else (end, end)
            stop = min(end, high if low <= first else low)
            yield first, stop, low <= first
            first = stop
