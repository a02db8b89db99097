"""Watches that nothing is passed over: what an instance has committed must be told in the ledger.

One reader group shares the pages of `deliveries` out over the processes. Now and then the places
that were committed at the look before are set against the pages read since: what they had passed
was on a page by then, so what no page tells of is counted, and a person must look.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Final

from destinations.happenings import AuditHappenings
from destinations.ledger import FINAL, PARKED, offsets_of, sheet_of
from destinations.ranges import joined
from destinations.tally import Tally
from hub.clock import Clock
from hub.event import Event
from hub.log import DELIVERIES, EVENTS, Log, LogUnavailable, Reader, Record, Span, StreamStatus

GROUP: Final = "ledger"

LOOK_SECONDS: Final = 10.0
"""Seconds between two looks."""

TAKE: Final = 200
"""Pages taken at once."""

GATHER_SECONDS: Final = 0.5
"""How long pages gather between two takes: nobody waits for them before the next look."""

_ENDS: Final = FINAL | {PARKED}
"""The outcomes after which an instance's place may pass an event."""

VERIFIED: Final = 1_000
"""Offsets of one partition that are looked up in the log before they are counted, in one look."""


@dataclass(slots=True)
class _Partition:
    """One partition of `deliveries`, and so of `events`.

    Pages before `read` are known. `mark`: pages before its first number tell of no event at or
    beyond its second; it is committed once every instance has passed it, so that another process
    can go on from there.
    """

    base: int
    read: int
    mark: tuple[int, int]
    tallies: dict[str, Tally] = field(default_factory=dict)

    def tally(self, name: str) -> Tally:
        return self.tallies.setdefault(name, Tally(self.base))


class Audit:
    """Audits `instances`, which may change, until it is cancelled."""

    def __init__(
        self, log: Log, instances: Collection[str], tells: AuditHappenings, clock: Clock
    ) -> None:
        self._log = log
        self._instances = instances
        self._tells = tells
        self._clock = clock
        self._partitions: dict[int, _Partition] = {}
        self._places: Mapping[str, Mapping[int, int]] = {}
        self._reader: Reader | None = None

    async def run(self) -> None:
        """Read pages, and look; a log that is away is asked again."""
        try:
            while True:
                due = self._clock.steady() + LOOK_SECONDS
                try:
                    while (left := due - self._clock.steady()) > 0:
                        if await self.take(min(left, 1.0)) < TAKE:
                            await asyncio.sleep(min(left, GATHER_SECONDS))
                    await self.take(0.0)  # what gathered since
                    await self.look()
                except LogUnavailable:
                    await asyncio.sleep(1.0)  # the workers tell that the log is away
        finally:
            await self.close()

    async def close(self) -> None:
        """Leave the group."""
        if self._reader is not None:
            await self._reader.close()
            self._reader = None

    async def take(self, wait: float) -> int:
        """Read some pages, waiting up to `wait` seconds for the first; returns how many."""
        reader = await self._joined()
        pages = await reader.take(TAKE, wait)
        for page in pages:
            known = self._partitions.get(page.partition) or await self._begin(page.partition)
            self._hear(known, page)
            known.read = page.offset + 1
        return len(pages)

    async def look(self) -> None:
        """Settle what the places of the look before have passed."""
        reader = await self._joined()
        status = {status.stream: status for status in await self._log.status()}
        spans = {span.partition: span for span in status[EVENTS].spans}
        ends = {span.partition: span.end for span in status[DELIVERIES].spans}
        for partition in self._partitions.keys() - reader.partitions:
            del self._partitions[partition]
        for partition in reader.partitions & spans.keys():
            known = self._partitions.get(partition) or await self._begin(partition)
            # A page that was not read may tell of what seems to be missing.
            if known.read >= ends.get(partition, 0):
                await self._settle(known, spans[partition])
        self._places = status[EVENTS].groups

    async def _joined(self) -> Reader:
        if self._reader is None:
            self._reader = await self._log.open_reader(DELIVERIES, GROUP, on_revoke=self._revoked)
        return self._reader

    async def _revoked(self, partitions: frozenset[int]) -> None:
        for partition in partitions:
            self._partitions.pop(partition, None)

    async def _begin(self, partition: int) -> _Partition:
        """Go on where the last owner stood; the first of all begins with what is accepted now."""
        reader = await self._joined()
        committed = (await reader.committed([partition]))[partition]
        status = {status.stream: status for status in await self._log.status()}
        if committed.place is not None and committed.note.isdecimal():
            read, base = committed.place, int(committed.note)
        else:
            read = _span(status[DELIVERIES], partition).first
            base = _span(status[EVENTS], partition).end
        made = self._partitions[partition] = _Partition(base, read, (read, base))
        return made

    def _hear(self, known: _Partition, record: Record) -> None:
        try:
            page = sheet_of(record)
            if page.replay or page.destination not in self._instances:
                return
            ends = [offsets_of(line) for line in page.lines if line["outcome"] in _ENDS]
        except (ValueError, KeyError):
            return
        tally = known.tally(page.destination)
        for first, end in joined(chain.from_iterable(ends)):
            tally.end(first, end)

    async def _settle(self, known: _Partition, span: Span) -> None:
        partition = span.partition
        instances = tuple(self._instances)
        for name in instances:
            place = self._places.get(name, {}).get(partition, 0)
            missing = known.tally(name).settle(place)
            count = await self._events_among(missing, span)
            if count:
                self._tells.unaccounted(name, count, f"{partition}:{missing[0]}")
        pages, events = known.mark
        if all(known.tally(name).base >= events for name in instances):
            reader = await self._joined()
            await reader.commit({partition: pages}, {partition: str(events)})
            known.base, known.mark = events, (known.read, span.end)

    async def _events_among(self, missing: Sequence[int], span: Span) -> int:
        """How many of these offsets are events: a log may hold what no ingest of ours wrote, and
        may have deleted what nobody has read in time.
        """
        missing = [offset for offset in missing if offset >= span.first]
        looked_up = missing[:VERIFIED]
        count = len(missing) - len(looked_up)
        for offset in looked_up:
            records = await self._log.read(EVENTS, span.partition, offset, 1)
            count += bool(records) and records[0].offset == offset and _is_event(records[0])
        return count


def _span(status: StreamStatus, partition: int) -> Span:
    return next(span for span in status.spans if span.partition == partition)


def _is_event(record: Record) -> bool:
    try:
        Event.of(record)
    except (KeyError, ValueError):
        return False
    return True
