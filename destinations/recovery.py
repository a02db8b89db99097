"""What the last owner of a partition left: from its commit, the ledger after it, and `parked`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import dataclass, field, replace

from destinations import ledger, scroll
from destinations.ledger import FINAL, offsets_of, page_of
from destinations.note import Note, read
from destinations.progress import Recovered
from destinations.ranges import Range, ranges_of
from hub.log import DELIVERIES, EVENTS, PARKED, Committed, Log, Reader, Record, Span

PAGE = 1_000
"""Records read at once."""

LATEST = 600.0
"""Seconds after its last commit for which an owner may still have written; then it was gone."""

FEWEST = 5_000
"""Records that are looked at in any case: the clock may have been set."""


@dataclass(slots=True)
class _Told:
    """What pages of the ledger tell."""

    events: set[Range] = field(default_factory=set)
    parked: set[int] = field(default_factory=set)
    doubts: dict[int, int] = field(default_factory=dict)


async def recover(
    log: Log, reader: Reader, destination: str, partitions: Collection[int], now: float
) -> Mapping[int, Recovered]:
    """What was left in each of `partitions`. Raises LogUnavailable.

    `now` in seconds since the epoch. A group that was never committed has no past, and neither has
    one whose offsets another tool has set: that one shall deliver again.
    """
    committed = await reader.committed(partitions)
    spans: dict[str, dict[int, Span]] = {
        status.stream: {span.partition: span for span in status.spans}
        for status in await log.status()
    }
    found = {}
    for partition in partitions:
        was = committed.get(partition, Committed(None))
        here = {
            stream: spans[stream].get(partition, Span(partition, 0, 0))
            for stream in (EVENTS, PARKED, DELIVERIES)
        }
        if was.place is None:
            note = Note(now, here[DELIVERIES].end, parked=here[PARKED].end)
            found[partition] = Recovered(note, here[EVENTS].first)
        else:
            found[partition] = await _left(log, destination, was, here, now)
    return found


async def _left(
    log: Log, destination: str, was: Committed, here: Mapping[str, Span], now: float
) -> Recovered:
    place = was.place or 0
    note = read(was.note, place) if was.note else Note(now, here[DELIVERIES].end)
    told = await _told(log, destination, note, here[DELIVERIES])
    parked_before = {n for a, b in note.parked_finished for n in range(a, b)}
    lanes, moved = [], set()
    async for record in _from(log, PARKED, here[PARKED], note.parked):
        headers = dict(record.headers)
        if headers.get("to") != destination.encode():
            continue
        lanes.append((record.key, record.offset))
        moved.add(int(headers["place"].partition(b":")[2]))
    finished = {n for a, b in (*note.finished, *told.events) for n in range(a, b)} | moved
    return Recovered(
        Note(
            now,
            here[DELIVERIES].end,
            ranges_of(offset for offset in finished if offset >= place),
            note.parked,
            ranges_of(parked_before | told.parked),
        ),
        place,
        told.doubts,
        lanes,
    )


async def _told(log: Log, destination: str, note: Note, span: Span) -> _Told:
    """What the ledger tells of the instance's own work since the note was written."""
    told = _Told()
    seen = 0
    async for record in _from(log, DELIVERIES, span, note.ledger):
        seen += 1
        if seen > FEWEST and record.at > note.at + LATEST:
            break
        headers = dict(record.headers)
        if headers.get("to") != destination.encode() or "replay" in headers:
            continue
        for line in page_of(record).lines:
            _hear(told, line, record.offset)
    return told


def _hear(told: _Told, line: ledger.Line, page: int) -> None:
    outcome = line["outcome"]
    if outcome == ledger.SENDING:
        told.doubts.setdefault(line["offset"], page)
        return
    if outcome in FINAL and "parked" in line:
        told.parked.add(line["parked"])
    elif outcome in FINAL or outcome == ledger.PARKED:
        told.events.update((first, end) for first, end in offsets_of(line))
    if "offset" in line and not (outcome == ledger.FAILED and line.get("in_doubt")):
        told.doubts.pop(line["offset"], None)


def _from(log: Log, stream: str, span: Span, offset: int) -> AsyncIterator[Record]:
    """The records from `offset` to the end of `span`."""
    return scroll.records(log, stream, replace(span, first=max(span.first, offset)), PAGE)
