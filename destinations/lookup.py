"""Finds what the ledger tells of events, by way of the index: few pages, not the whole stream."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from destinations.index import Index
from destinations.index_rows import lane_name
from destinations.item import origin
from destinations.ledger import FINAL, PARKED, Line, Page, offsets_of, page_of
from hub import log as streams
from hub.log import DELIVERIES, Log, Place, Record

PAGES: Final = 400
"""Pages that are read for one question."""

NEAR: Final = 32
"""Pages that are read at once where they stand close together."""

LANE: Final = 100_000
"""Parked events of one key that are looked through: as many as an instance parks."""


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

    async def record(self, stream: str, place: Place) -> Record | None:
        """The record at a place; None when the log has deleted it."""
        for record in await self._log.read(stream, place.partition, place.offset, 1):
            if record.offset == place.offset:
                return record
        return None

    async def parked(self, destination: str, key: bytes, until: Place | None) -> list[Place]:
        """Where the events of a key that an instance parked and has not ended stand in `parked`, in
        order; those before `until`, if it is given. One whose append was repeated stands twice.
        """
        lane = lane_name(destination.encode(), key)
        found = await self._index.ask(lambda file: file.others(lane, LANE)) or []
        places = [place for _, place in found if until is None or place.offset < until.offset]
        # A lane keeps its order: those that have ended come before all that wait.
        ended, waits = 0, len(places)
        while ended < waits:
            middle = (ended + waits) // 2
            if await self._has_ended(destination, places[middle]):
                ended = middle + 1
            else:
                waits = middle
        return places[waits:]

    async def _has_ended(self, destination: str, parked: Place) -> bool:
        record = await self.record(streams.PARKED, parked)
        if record is None:
            return True
        event = origin(record)
        left, _ = await self.unfinished(destination, event.partition, [event.offset], FINAL)
        return not left

    async def unfinished(
        self,
        destination: str,
        partition: int,
        offsets: Sequence[int],
        ends: Collection[str] = FINAL | {PARKED},
    ) -> tuple[list[int], bool]:
        """Those of `offsets` (in order) of which no page tells one of `ends`; and whether all pages
        were read, or there were too many.
        """
        left = dict.fromkeys(offsets)
        seen = 0
        if left:
            async for _, page in self._pages(partition, offsets[0], offsets[-1] + 1, destination):
                seen += 1
                if not page.replay:
                    _strike(left, page, ends)
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


def _strike(left: dict[int, None], page: Page, ends: Collection[str]) -> None:
    """Take off what the page tells an end of."""
    for line in page.lines:
        if line["outcome"] not in ends:
            continue
        for first, end in offsets_of(line):
            for offset in _within(left, first, end):
                del left[offset]


def _within(left: Collection[int], first: int, end: int) -> list[int]:
    if end - first <= len(left):
        return [offset for offset in range(first, end) if offset in left]
    return [offset for offset in left if first <= offset < end]
