"""Which offsets of one partition of one stream are finished, and so what may be committed. Pure.

The place to commit is the first offset that is not finished: everything before it is. Offsets
begin in growing order and finish in any.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from destinations.ranges import Range, ranges_of


class Track:
    """Offsets from `place` on; `finished`: those beyond it that need nothing more, as committed."""

    __slots__ = ("_before", "_finished", "_open", "last", "place")

    def __init__(self, place: int | None = None, finished: Sequence[Range] = ()) -> None:
        self.last = -1
        self.place = place
        # Offsets in order with the time of their event; popped from the front, so the whole is
        # linear. (The first key of a dict would be quadratic: deleted slots are skipped each time.)
        self._open: deque[tuple[int, float]] = deque()
        self._finished: set[int] = set()
        # What was finished before we came, and was not reached yet.
        self._before = deque(finished)

    def __len__(self) -> int:
        """Offsets begun and not yet part of `place`."""
        return len(self._open)

    @property
    def oldest(self) -> float | None:
        """The time of the first event that is not finished; None when there is none."""
        return self._open[0][1] if self._open else None

    def begin(self, offset: int, at: float) -> bool:
        """`offset` is reached; `at` is its event's time in seconds. Whether it needs work."""
        if offset <= self.last:
            raise ValueError(f"offset {offset} begins after {self.last}")
        self.last = offset
        if not self._open:
            self.place = offset
        self._open.append((offset, at))
        while self._before and self._before[0][1] <= offset:
            self._before.popleft()
        if self._before and self._before[0][0] <= offset:
            self.finish(offset)
            return False
        return True

    def finish(self, offset: int) -> None:
        """`offset` needs nothing more; saying so twice does no harm."""
        if not self._open or offset < self._open[0][0]:
            return
        self._finished.add(offset)
        while self._open and self._open[0][0] in self._finished:
            done, _ = self._open.popleft()
            self._finished.discard(done)
            # What lies between two begun offsets was not ours (a compacted or control record).
            self.place = self._open[0][0] if self._open else done + 1

    def beyond(self) -> list[Range]:
        """What is finished beyond `place`."""
        ahead = [(max(first, self.last + 1), end) for first, end in self._before]
        return [*ranges_of(self._finished), *((a, b) for a, b in ahead if a < b)]
