"""The ledger: what became of every event at every instance, as pages of the stream `deliveries`.

An outcome is on a durable page before its offset counts as finished, so a restart repeats only what
was really in flight, and what was accepted can be set against what came of it. A page holds many
lines of one instance and one partition, since a record for each event would cost more than its
delivery. Shape: `schemas/delivery.json`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson

from destinations.ranges import Range
from hub.clock import iso
from hub.encoding import dumps
from hub.event import Event
from hub.log import Entry, Record

DELIVERED = "delivered"
FILTERED = "filtered"
REFUSED = "refused"
EXPIRED = "expired"
FAILED = "failed"
SENDING = "sending"
PARKED = "parked"

FINAL = frozenset({DELIVERED, FILTERED, REFUSED, EXPIRED})
"""The outcomes after which nothing more comes, unless a person asks for it."""

LINES = 1_000
"""Events that one page tells of, and those that one line does: a quarter of a megabyte."""

Line = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Page:
    """Lines of one instance and one partition of `events`; `at` in seconds since the epoch.

    `replay` names the replay that wrote it; empty for the instance's own work.
    """

    destination: str
    partition: int
    at: float
    lines: Sequence[Line]
    replay: str = ""


def line_of(event: Event, outcome: str, **told: Any) -> dict[str, Any]:
    """A line about one event."""
    return {
        "offset": event.record.offset,
        "id": event.id,
        "source": event.source,
        "received_at": int(event.received_at * 1000),
        "outcome": outcome,
        **told,
    }


def shared_line(events: Iterable[Event], outcome: str, **told: Any) -> dict[str, Any]:
    """One line for events that one request brought to the same end; `page_of` makes them many."""
    each = [(one.record.offset, one.id, one.source, int(one.received_at * 1000)) for one in events]
    return {"events": each, "outcome": outcome, **told}


def filtered_line(code: str, ranges: Sequence[Range]) -> dict[str, Any]:
    """One line for many events that an instance is not to deliver: they cost next to nothing."""
    return {"offsets": ranges, "outcome": FILTERED, "code": code}


def offsets_of(line: Line) -> Sequence[Range]:
    """The offsets that a line is about."""
    if "events" in line:
        return [(offset, offset + 1) for offset, *_ in line["events"]]
    ranges: Sequence[Range] | None = line.get("offsets")
    return ((line["offset"], line["offset"] + 1),) if ranges is None else ranges


def entry_of(page: Page, key: bytes) -> Entry:
    """The page as an entry; `key` is the key of any of its events, and brings it to its partition.

    Headers tell what it is about, so that who looks for one event need not parse every page.
    """
    ranges = [one for line in page.lines for one in offsets_of(line)]
    low = min(first for first, _ in ranges)
    high = max(end for _, end in ranges) - 1
    headers = [("to", page.destination.encode()), ("low", b"%d" % low), ("high", b"%d" % high)]
    if page.replay:
        headers.append(("replay", page.replay.encode()))
    told = {
        "version": 1,
        "destination": page.destination,
        "partition": page.partition,
        "at": iso(page.at),
        "lines": page.lines,
    }
    return Entry(key, dumps(told), tuple(headers))


def page_of(record: Record) -> Page:
    """The page of a record that `entry_of` made, with a line for each event; `at` is the record's.

    Raises ValueError or KeyError for what it did not make.
    """
    page = sheet_of(record)
    return replace(page, lines=[one for line in page.lines for one in _unshared(line)])


def sheet_of(record: Record) -> Page:
    """The same with the lines as they were written, for who asks no more than `offsets_of`."""
    told = orjson.loads(record.value)
    replay = dict(record.headers).get("replay", b"").decode()
    return Page(told["destination"], told["partition"], record.at, told["lines"], replay)


def _unshared(line: Line) -> Iterator[Line]:
    if "events" not in line:
        yield line
        return
    shared = {name: value for name, value in line.items() if name != "events"}
    for offset, id, source, received_at in line["events"]:  # noqa: A001 - the line's name for it
        yield {"offset": offset, "id": id, "source": source, "received_at": received_at, **shared}
