"""What was read lately of a file, decoded once for all the readers of a process."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict, deque
from collections.abc import Sequence
from operator import itemgetter
from typing import Final

from hub.log import Record

MOST_BYTES: Final = 16 * 1_048_576
"""Bytes of records that are kept; beyond, what came first goes first."""

_Run = tuple[int, int, Sequence[Record]]  # offsets from the first to the end, and all they hold


class Shelf:
    """Runs of records of one stream, whose offsets have no gaps."""

    def __init__(self, most: int = MOST_BYTES) -> None:
        self._most = most
        self._bytes = 0
        self._runs: defaultdict[int, list[_Run]] = defaultdict(list)
        self._order: deque[tuple[int, _Run]] = deque()

    def find(self, partition: int, offset: int, limit: int) -> list[Record]:
        """Up to `limit` records from `offset` on, as far as they are at hand."""
        found: list[Record] = []
        runs = self._runs[partition]
        while len(found) < limit:
            number = bisect_right(runs, offset, key=itemgetter(0)) - 1
            if number < 0 or offset >= runs[number][1]:
                break
            first, _, records = runs[number]
            found += records[offset - first : offset - first + limit - len(found)]
            offset = found[-1].offset + 1
        return found

    def keep(self, partition: int, records: Sequence[Record]) -> None:
        """Have these records at hand from now on, until there are too many."""
        run = records[0].offset, records[-1].offset + 1, records
        runs = self._runs[partition]
        runs.insert(bisect_right(runs, run[0], key=itemgetter(0)), run)
        self._order.append((partition, run))
        self._bytes += _weight(run)
        while self._bytes > self._most:
            number, oldest = self._order.popleft()
            self._runs[number].remove(oldest)
            self._bytes -= _weight(oldest)


def _weight(run: _Run) -> int:
    return sum(len(record.value) for record in run[2])
