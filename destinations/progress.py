"""Which offsets of one partition are finished, and so what may be committed. Pure.

The place to commit is the first offset that is not finished: everything before it is. Offsets
begin in growing order and finish in any.
"""

from __future__ import annotations

from collections import deque


class Progress:
    """One partition's offsets, from when it was given to us until it is taken away.

    Items keep their Progress, not their partition: an answer that comes after the partition moved
    finishes a Progress that nobody commits any more, harmlessly.
    """

    __slots__ = ("_finished", "_open", "last", "partition", "place")

    def __init__(self, partition: int) -> None:
        self.partition = partition
        self.last = -1
        self.place: int | None = None
        # Offsets in order with the time of their event; popped from the front, so the whole is
        # linear. (The first key of a dict would be quadratic: deleted slots are skipped each time.)
        self._open: deque[tuple[int, float]] = deque()
        self._finished: set[int] = set()

    def __len__(self) -> int:
        """Offsets begun and not yet part of `place`."""
        return len(self._open)

    @property
    def oldest(self) -> float | None:
        """The time of the first event that is not finished; None when there is none."""
        return self._open[0][1] if self._open else None

    def begin(self, offset: int, at: float) -> None:
        """`offset` is being worked on; `at` is its event's time in seconds."""
        if offset <= self.last:
            raise ValueError(f"offset {offset} begins after {self.last}")
        self.last = offset
        if not self._open:
            self.place = offset
        self._open.append((offset, at))

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
