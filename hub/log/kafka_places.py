"""Where the entries of one append stand; made when somebody asks, and ingest never does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import chain
from typing import overload

from hub.log import Entry, Place
from hub.log.partition import partition_of

Runs = Sequence[tuple[int, int]]
"""Runs of offsets in one partition, each as its first and how many."""


class Places(Sequence[Place]):
    """One place per entry, in order; to make them takes some 4 % of ingest's time in batches.

    `partitions`: how many the topic had when the entries were shared among them. `runs`: by
    partition, the offsets that its entries have.
    """

    def __init__(self, entries: Sequence[Entry], partitions: int, runs: Mapping[int, Runs]) -> None:
        self._entries = entries
        self._partitions = partitions
        self._runs = runs

    def __len__(self) -> int:
        return len(self._entries)

    @overload
    def __getitem__(self, index: int) -> Place: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Place]: ...

    def __getitem__(self, index: int | slice) -> Place | Sequence[Place]:
        return self._made[index]

    @cached_property
    def _made(self) -> Sequence[Place]:
        offsets = {
            partition: chain.from_iterable(range(first, first + count) for first, count in runs)
            for partition, runs in self._runs.items()
        }
        partitions = [partition_of(entry.key, self._partitions) for entry in self._entries]
        return [Place(partition, next(offsets[partition])) for partition in partitions]
