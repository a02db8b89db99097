"""Finds what the ledger tells of events, by way of the index: few pages, not the whole stream."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from destinations.index import Index
from destinations.ledger import FINAL, PARKED, Line, Page, offsets_of, page_of
from hub.log import DELIVERIES, Log, Place, Record

PAGES: Final = 400
"""Pages that are read for one question."""

NEAR: Final = 32
"""Pages that are read at once where they stand close together."""


@dataclass(frozen=True, slots=True)
class Told:
    """One line about an event, and the page that it stands on."""

    page: Page
    place: Place
    line: Line


class Lookup:
    """Asks the log by way of the index."""

    def __init__(self, log: Log, index: Index) -> None:
        self._log = log
        self._index = index

    async def lines(self, place: Place) -> Mapping[str, Sequence[Told]]:
        """What is told of the event at `place`, by instance, the oldest first."""
        found: dict[str, list[Told]] = defaultdict(list)
        async for record, page in self._pages(place.partition, place.offset, place.offset + 1):
            told = Place(record.partition, record.offset)
            found[page.destination] += (
                Told(page, told, line) for line in page.lines if _is_about(line, place.offset)
            )
        return found

    async def unfinished(
        self, destination: str, partition: int, offsets: Sequence[int]
    ) -> tuple[list[int], bool]:
        """Those of `offsets` (in order) of which no page tells an end, nor that they are parked;
        and whether all pages were read, or there were too many.
        """
        left = dict.fromkeys(offsets)
        seen = 0
        if left:
            async for _, page in self._pages(partition, offsets[0], offsets[-1] + 1, destination):
                seen += 1
                if not page.replay:
                    _strike(left, page)
        return list(left), seen < PAGES

    async def _pages(
        self, partition: int, first: int, end: int, destination: str | None = None
    ) -> AsyncIterator[tuple[Record, Page]]:
        found = await self._index.ask(
            lambda file: file.pages(partition, first, end, destination, PAGES)
        )
        offsets = [page.offset for page in found or ()]
        while offsets:
            near = {offset for offset in offsets[:NEAR] if offset < offsets[0] + NEAR}
            for record in await self._log.read(
                DELIVERIES, partition, offsets[0], max(near) - offsets[0] + 1
            ):
                if record.offset in near:
                    yield record, page_of(record)
            offsets = offsets[len(near) :]


def _is_about(line: Line, offset: int) -> bool:
    return any(first <= offset < end for first, end in offsets_of(line))


def _strike(left: dict[int, None], page: Page) -> None:
    """Take off what the page tells an end of."""
    for line in page.lines:
        if line["outcome"] not in FINAL and line["outcome"] != PARKED:
            continue
        for first, end in offsets_of(line):
            for offset in _within(left, first, end):
                del left[offset]


def _within(left: Collection[int], first: int, end: int) -> list[int]:
    if end - first <= len(left):
        return [offset for offset in range(first, end) if offset in left]
    return [offset for offset in left if first <= offset < end]
