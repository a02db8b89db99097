"""The ledger as a table: what was accepted, and what became of it, for each source and instance.

accepted = delivered + filtered + refused + expired + pending, and the difference must be 0.
A million events are arrays of some bytes each, one partition after the other.
"""

from __future__ import annotations

from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from destinations import scroll
from destinations.index_rows import page_row
from destinations.ledger import (
    DELIVERED,
    EXPIRED,
    FILTERED,
    FINAL,
    PARKED,
    REFUSED,
    Page,
    offsets_of,
    page_of,
)
from hub.clock import iso
from hub.event import Event
from hub.log import DELIVERIES, EVENTS, Log, Record, Span, StreamStatus

PAGE: Final = 1_000
"""Records read at once."""

WINDOW: Final = 2_000_000
"""Offsets of one partition that are counted at once: some 20 MB for ten instances."""

CODES: Final = 250
"""Outcomes with their codes that are told apart; more are told as `other`."""

SECONDS: Final = {"minute": 60, "hour": 3_600, "all": 0}
"""By what events are put together: seconds of acceptance; 0 is all in one."""


@dataclass(slots=True)
class Balance:
    """What came of the events of one source, one time and one instance.

    `replayed`: delivered by a replay, beside what the instance's own work came to. `difference`:
    the instance has passed them, and nothing tells of them.
    """

    at: float | None
    source: str
    destination: str
    accepted: int = 0
    delivered: int = 0
    filtered: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    expired: int = 0
    pending: int = 0
    replayed: int = 0
    difference: int = 0

    def told(self) -> dict[str, object]:
        """As JSON takes it."""
        return {
            "at": None if self.at is None else iso(self.at),
            **{
                name: getattr(self, name)
                for name in ("source", "destination", "accepted", "delivered")
            },
            "filtered": dict(self.filtered),
            "refused": dict(self.refused),
            **{
                name: getattr(self, name)
                for name in ("expired", "pending", "replayed", "difference")
            },
        }


@dataclass(frozen=True, slots=True)
class Question:
    """Which events are counted: appended from `begin` to `end`, in seconds since the epoch."""

    begin: float
    end: float
    by: str = "all"
    source: str | None = None
    destination: str | None = None


async def balances(log: Log, instances: Iterable[str], asked: Question) -> list[Balance]:
    """The rows of the table, by time, source and instance; of `instances` and all that were paged.

    Raises LogError.
    """
    # The places first: what is told of events before them is in the ledger by now.
    (status,) = [status for status in await log.status() if status.stream == EVENTS]
    books = _Books(asked, status, dict.fromkeys(instances))
    ledger = {span.partition: span for span in await scroll.spans(log, DELIVERIES)}
    for span in status.spans:
        first = max(span.first, await log.offset_at(EVENTS, span.partition, asked.begin))
        end = min(span.end, await log.offset_at(EVENTS, span.partition, asked.end))
        for start in range(first, end, WINDOW):
            part = Span(span.partition, start, min(start + WINDOW, end))
            await _window(log, books, part, ledger[span.partition])
    found = books.rows.values()
    return sorted(found, key=lambda row: (row.at or 0.0, row.source, row.destination))


async def _window(log: Log, books: _Books, span: Span, ledger: Span) -> None:
    window = _Window(span.partition, span.first, span.end)
    begin: float | None = None
    async for record in scroll.records(log, EVENTS, span, PAGE):
        begin = record.at if begin is None else begin
        window.groups[record.offset - span.first] = books.group(record)
    if begin is None:
        return
    start = await log.offset_at(DELIVERIES, span.partition, begin)
    told = replace(ledger, first=max(ledger.first, start))
    async for record in scroll.records(log, DELIVERIES, told, PAGE):
        row = page_row(record)
        if row is not None and row.low < span.end and row.high >= span.first:
            books.hear(window, page_of(record))
    books.close(window)


class _Window:
    """Some offsets of one partition: of which group each is, and what each instance tells."""

    def __init__(self, partition: int, first: int, end: int) -> None:
        self.partition = partition
        self.first = first
        self.end = end
        self.groups = array("I", bytes(4 * (end - first)))
        self.outcomes: dict[str, bytearray] = defaultdict(lambda: bytearray(end - first))
        self.replayed: dict[str, bytearray] = defaultdict(lambda: bytearray(end - first))


class _Books:
    """Counts. Group 0 is what is not counted; outcome 0 is what nothing tells of."""

    def __init__(self, asked: Question, status: StreamStatus, instances: dict[str, None]) -> None:
        self._asked = asked
        self._groups: dict[tuple[str, float | None], int] = {}
        self._outcomes: dict[tuple[str, str], int] = {}
        self._places: Mapping[str, Mapping[int, int]] = status.groups
        self._instances = instances
        self.rows: dict[tuple[float | None, str, str], Balance] = {}

    def group(self, record: Record) -> int:
        """The number of the event's source and time; 0 when it is not asked for."""
        try:
            event = Event.of(record)
        except (KeyError, ValueError):
            return 0
        if self._asked.source not in (None, event.source):
            return 0
        seconds = SECONDS[self._asked.by]
        at = event.received_at // seconds * seconds if seconds else None
        return self._groups.setdefault((event.source, at), len(self._groups) + 1)

    def hear(self, window: _Window, page: Page) -> None:
        """The final lines of a page, and what is parked; the last word counts."""
        if self._asked.destination not in (None, page.destination):
            return
        kept = (window.replayed if page.replay else window.outcomes)[page.destination]
        for line in page.lines:
            outcome = line["outcome"]
            if outcome not in FINAL and outcome != PARKED:
                continue
            number = self._outcome(outcome, line.get("code", ""))
            for first, end in offsets_of(line):
                low, high = max(first, window.first), min(end, window.end)
                if low < high:
                    kept[low - window.first : high - window.first] = bytes([number]) * (high - low)

    def _outcome(self, outcome: str, code: str) -> int:
        code = code if outcome in (FILTERED, REFUSED) else ""
        known = self._outcomes
        if (outcome, code) not in known and len(known) >= CODES - len(FINAL):
            code = "other"
        return known.setdefault((outcome, code), len(known) + 1)

    def close(self, window: _Window) -> None:
        """Count the window for every instance."""
        found = {**self._instances, **dict.fromkeys(window.outcomes)}
        for name in found:
            if self._asked.destination in (None, name):
                self._count(window, name)

    def _count(self, window: _Window, name: str) -> None:
        passed = self._places.get(name, {}).get(window.partition, 0) - window.first
        passed = min(max(passed, 0), window.end - window.first)
        outcomes, groups = window.outcomes[name], window.groups
        kinds = {number: kind for kind, number in self._outcomes.items()}
        times = {number: group for group, number in self._groups.items()}
        for part, unknown in ((slice(0, passed), "difference"), (slice(passed, None), "pending")):
            for (group, number), count in Counter(
                zip(groups[part], outcomes[part], strict=True)
            ).items():
                if group:
                    row = self._row(*times[group], name)
                    row.accepted += count
                    _add(row, *kinds.get(number, (unknown, "")), count)
        delivered = self._outcomes.get((DELIVERED, ""))
        for (group, number), count in Counter(
            zip(groups, window.replayed[name], strict=True)
        ).items():
            if group and number and number == delivered:
                self._row(*times[group], name).replayed += count

    def _row(self, source: str, at: float | None, name: str) -> Balance:
        return self.rows.setdefault((at, source, name), Balance(at, source, name))


def _add(row: Balance, outcome: str, code: str, count: int) -> None:
    if outcome == FILTERED:
        row.filtered[code] += count
    elif outcome == REFUSED:
        row.refused[code] += count
    else:
        name = {DELIVERED: "delivered", EXPIRED: "expired", PARKED: "pending"}.get(outcome, outcome)
        setattr(row, name, getattr(row, name) + count)


def table(rows: Sequence[Balance]) -> str:
    """The rows for a person; codes stand below their sums."""
    heads = ("TIME", "SOURCE", "DESTINATION", "ACCEPTED", "DELIVERED", "FILTERED", "REFUSED")
    lines: list[tuple[str, ...]] = [(*heads, "EXPIRED", "PENDING", "DIFFERENCE", "REPLAYED")]
    for row in rows:
        numbers = (row.accepted, row.delivered, row.filtered.total(), row.refused.total())
        more = (row.expired, row.pending, row.difference, row.replayed)
        time = "all" if row.at is None else iso(row.at)[:16]
        lines.append((time, row.source, row.destination, *(f"{n:,}" for n in (*numbers, *more))))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    text = []
    for number, line in enumerate(lines):
        cells = [
            cell.ljust(width) if column < 3 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        text.append("  ".join(cells).rstrip())
        if number:
            text += _codes(rows[number - 1])
    return "\n".join(text) + "\n"


def _codes(row: Balance) -> list[str]:
    return [
        f"    {kind} {code}: {count:,}"
        for kind, codes in (("filtered", row.filtered), ("refused", row.refused))
        for code, count in sorted(codes.items())
    ]
