"""The index's file: where each messageId stands, who is a twin, and which pages tell of what.

All of it can be made again from the log, so nothing is flushed to the disk in haste: what is new
waits in memory until it is worth a transaction, together with the span that it belongs to, and a
process that is killed reads that much again.

One thread writes and asks; `spans`, `recent` and `recent_from` may be looked up from any.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, Final

import orjson

from destinations.index_rows import (
    KEY_BYTES,
    OFFSET_BITS,
    PageRow,
    Standing,
    digest,
    event_rows,
    found_in,
    key_mark,
    other_rows,
    packed,
    page_row,
    runs,
    unpacked,
)
from hub.log import DELIVERIES, EVENTS, Place, Record, Span

FORMAT: Final = 1

# Records that wait for a transaction. Digests fall anywhere in their tree, so that each record of a
# small transaction rewrites a page of its own: 20,000 at once cost a third of what 500 do.
_WAITING: Final = 20_000

# Rows of one INSERT. Each step gives up Python's lock, and wins it back within 5 ms from a busy
# event loop: so few steps, with many rows.
_ROWS: Final = 250

# Twins kept in memory, so that instances that are not behind need not ask the file.
_RECENT: Final = 20_000

# Slices in which what the log has deleted is swept out: a whole sweep reads the whole file.
SLICES: Final = 256


_TABLES: Final = f"""
CREATE TABLE events (                  -- accepted events that are no twins
    a INTEGER NOT NULL,                -- the digest of the id
    place INTEGER NOT NULL,            -- partition << {OFFSET_BITS} | offset
    b INTEGER NOT NULL,                -- the digest of id and source
    at INTEGER NOT NULL,               -- of the append, in milliseconds
    PRIMARY KEY (a, place)
) WITHOUT ROWID;
CREATE TABLE twins (place INTEGER PRIMARY KEY, first INTEGER NOT NULL, at INTEGER NOT NULL);
CREATE INDEX twins_of ON twins (first);
CREATE TABLE lanes (place INTEGER PRIMARY KEY, marks BLOB NOT NULL); -- keys, {KEY_BYTES} bytes each
CREATE TABLE pages (                   -- of the ledger
    partition INTEGER NOT NULL,
    size INTEGER NOT NULL,             -- bits of high - low, so that a search knows how far back
    low INTEGER NOT NULL,
    high INTEGER NOT NULL,
    offset INTEGER NOT NULL,
    destination TEXT NOT NULL,
    PRIMARY KEY (partition, size, low, offset)
) WITHOUT ROWID;
CREATE TABLE others (                  -- rejected and parked events, dead letters, settlements
    a INTEGER NOT NULL,                -- the digest of the id, or of the letter that is settled
    stream TEXT NOT NULL,
    place INTEGER NOT NULL,
    PRIMARY KEY (a, stream, place)
) WITHOUT ROWID;
CREATE TABLE spans (                   -- what was taken in
    stream TEXT NOT NULL,
    partition INTEGER NOT NULL,
    first INTEGER NOT NULL,
    end INTEGER NOT NULL,
    PRIMARY KEY (stream, partition)
) WITHOUT ROWID
"""


@dataclass(slots=True)
class _Waiting:
    """What waits for the next transaction."""

    events: dict[int, list[Standing]] = field(default_factory=dict)
    moved: list[tuple[int, int]] = field(default_factory=list)
    twins: dict[int, tuple[int, int]] = field(default_factory=dict)
    lanes: dict[int, bytearray] = field(default_factory=dict)
    lane_ends: dict[int, int] = field(default_factory=dict)
    pages: list[PageRow] = field(default_factory=list)
    others: list[tuple[int, str, int]] = field(default_factory=list)
    count: int = 0


class IndexFile:
    """One process's index. `window`: seconds within which an id is a twin of an earlier one.

    Every method may raise sqlite3.Error: the file is then to be made anew.
    """

    def __init__(self, path: Path, window: float) -> None:
        self._window = int(window * 1000)
        self._waiting = _Waiting()
        self.spans: dict[tuple[str, int], Span] = {}
        self.recent: dict[tuple[int, int], Place] = {}
        self.recent_from: dict[int, int] = {}
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        try:
            self._open()
        except BaseException:
            self._db.close()
            raise

    def _open(self) -> None:
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = OFF")
        self._db.execute("PRAGMA cache_size = -32768")  # 32 MiB
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if version not in (0, FORMAT):
            raise sqlite3.DatabaseError(f"the index has format {version}")
        if version == 0:
            self._db.executescript(f"BEGIN;{_TABLES};PRAGMA user_version = {FORMAT};COMMIT")
        for stream, partition, first, end in self._db.execute("SELECT * FROM spans"):
            self.spans[stream, partition] = Span(partition, first, end)
            if stream == EVENTS:
                self.recent_from[partition] = end

    def close(self) -> None:
        """Write what waits, and let go of the file."""
        try:
            self.flush()
        finally:
            self._db.close()

    def abandon(self) -> None:
        """Let go of the file as it is."""
        self._db.close()

    # In

    def feed(self, stream: str, records: Sequence[Record], span: Span) -> None:
        """Take in `records`, which are all that `span` of their partition holds.

        Only what touches what is known already is taken, and of that only what is new.
        """
        number, fresh = span.partition, self._waiting
        known = self.spans.get((stream, number)) or Span(number, span.first, span.first)
        if span.first > known.end or span.end < known.first:
            return
        new = records
        if span.first < known.end and span.end > known.first:
            new = [r for r in records if not known.first <= r.offset < known.end]
        if stream == EVENTS:
            self._forget_recent()
            self.recent_from.setdefault(number, span.first)
            self._take(new)
        elif stream == DELIVERIES:
            fresh.pages += filter(None, map(page_row, new))
        else:
            fresh.others += chain.from_iterable(map(other_rows, new))
        fresh.count += len(new)
        self.spans[stream, number] = Span(
            number, min(known.first, span.first), max(known.end, span.end)
        )
        if fresh.count >= _WAITING:
            self.flush()

    def _forget_recent(self) -> None:
        if len(self.recent) >= _RECENT:
            self.recent_from = {
                number: self.spans[EVENTS, number].end for number in self.recent_from
            }
            self.recent.clear()

    def _take(self, records: Sequence[Record]) -> None:
        fresh = self._waiting
        for place, marks in runs(records):
            start = fresh.lane_ends.pop(place, place)
            fresh.lanes.setdefault(start, bytearray()).extend(marks)
            fresh.lane_ends[place + len(marks) // KEY_BYTES] = start
        rows = event_rows(records)
        own = dict(rows)
        found = self._found(own)
        if found or len(own) < len(rows):
            for a, one in rows:
                self._judge(a, one, found.setdefault(a, []))
        else:
            for a, one in rows:
                fresh.events[a] = [one]

    def _found(self, digests: Mapping[int, object]) -> dict[int, list[Standing]]:
        """By digest, what is known already."""
        found: dict[int, list[Standing]] = {}
        (text,) = self._db.execute(
            "SELECT json_group_array(json_array(a, at, place, b)) FROM events"
            " WHERE a IN (SELECT value FROM json_each(?))",
            (orjson.dumps(list(digests)).decode(),),
        ).fetchone()
        for a, at, place, b in orjson.loads(text):
            found.setdefault(a, []).append((at, place, b))
        for a in self._waiting.events.keys() & digests.keys():
            found.setdefault(a, []).extend(self._waiting.events[a])
        return found

    def _judge(self, a: int, own: Standing, known: list[Standing]) -> None:
        """A record joins those of its id: as a twin, or as one that others are twins of.

        Which is earlier is the same in every process: of all that share an id the first is a twin
        nowhere, and so cannot be lost.
        """
        at, _, b = own
        same = [one for one in known if one[2] == b]
        earlier = [one for one in same if one < own and at - one[0] <= self._window]
        if earlier:
            self._twin(own, min(earlier))
            return
        for one in same:
            if one > own and one[0] - at <= self._window:
                self._twin(one, own)
                self._move(a, one)
                known.remove(one)
        known.append(own)
        self._waiting.events.setdefault(a, []).append(own)

    def _twin(self, own: Standing, first: Standing) -> None:
        at, place, _ = own
        self._waiting.twins[place] = first[1], at
        self.recent[unpacked(place)] = Place(*unpacked(first[1]))

    def _move(self, a: int, own: Standing) -> None:
        """What stood among the events is a twin: an earlier one came to be known later."""
        waiting = self._waiting.events.get(a, [])
        if own in waiting:
            waiting.remove(own)
        else:
            self._waiting.moved.append((a, own[1]))

    def flush(self) -> None:
        """Write what waits, in one transaction."""
        fresh, db = self._waiting, self._db
        if not fresh.count:
            return
        with db:
            db.execute("BEGIN IMMEDIATE")
            self._insert(
                "events", sorted((a, p, b, at) for a, of in fresh.events.items() for at, p, b in of)
            )
            self._insert("twins", [(place, *told) for place, told in fresh.twins.items()])
            self._insert("lanes", [(place, bytes(run)) for place, run in fresh.lanes.items()])
            self._insert("pages", fresh.pages)
            self._insert("others", fresh.others)
            self._insert("spans", [(s, n, x.first, x.end) for (s, n), x in self.spans.items()])
            db.executemany("DELETE FROM events WHERE a = ? AND place = ?", fresh.moved)
        self._waiting = _Waiting()

    def _insert(self, table: str, rows: Sequence[tuple[Any, ...]]) -> None:
        for start in range(0, len(rows), _ROWS):
            some = rows[start : start + _ROWS]
            one = f"({', '.join('?' * len(some[0]))})"
            sql = f"INSERT OR REPLACE INTO {table} VALUES {', '.join([one] * len(some))}"  # noqa: S608 question marks
            self._db.execute(sql, list(chain.from_iterable(some)))

    # Out

    def twins(self, partition: int, first: int, end: int) -> dict[tuple[int, int], Place]:
        """The twins among `first` to `end` (exclusive), each with the place of the earlier one."""
        low, high = packed(partition, first), packed(partition, end)
        found = dict(
            self._all("SELECT place, first FROM twins WHERE place >= ? AND place < ?", low, high)
        )
        found |= {p: told[0] for p, told in self._waiting.twins.items() if low <= p < high}
        return {unpacked(place): Place(*unpacked(of)) for place, of in found.items()}

    def events(self, message_id: str, limit: int) -> list[Place]:
        """Where events of this id stand, also of several sources and twins; the earliest first."""
        self.flush()
        found = self._all(
            "WITH RECURSIVE found (place, at) AS (SELECT place, at FROM events WHERE a = ? UNION"
            " SELECT twins.place, twins.at FROM found JOIN twins ON twins.first = found.place)"
            " SELECT place FROM found ORDER BY at, place LIMIT ?",
            digest(message_id.encode())[0],
            limit,
        )
        return [Place(*unpacked(place)) for (place,) in found]

    def others(self, name: bytes, limit: int) -> list[tuple[str, Place]]:
        """Streams and places of what else has this id, settles the letter at this place, or is
        parked in the lane of this name.
        """
        self.flush()
        found = self._all(
            "SELECT stream, place FROM others WHERE a = ? ORDER BY stream, place LIMIT ?",
            digest(name)[0],
            limit,
        )
        return [(stream, Place(*unpacked(place))) for stream, place in found]

    def pages(
        self, partition: int, first: int, end: int, destination: str | None, limit: int
    ) -> list[Place]:
        """Pages that may tell of events from `first` to `end` (exclusive), the first `limit`; of
        one instance or of all.
        """
        self.flush()
        found = self._all(
            "WITH RECURSIVE sizes (bits) AS (SELECT 0 UNION SELECT bits + 1 FROM sizes"
            " WHERE bits < ?5) SELECT offset FROM sizes CROSS JOIN pages"
            " ON partition = ?1 AND size = bits AND low > ?2 - (1 << bits) AND low < ?3"
            " WHERE high >= ?2 AND (?6 IS NULL OR destination = ?6) ORDER BY offset LIMIT ?4",
            partition,
            first,
            end,
            limit,
            OFFSET_BITS,
            destination,
        )
        return [Place(partition, offset) for (offset,) in found]

    def lane(self, partition: int, key: bytes, first: int, end: int) -> list[int]:
        """Offsets from `first` to `end` (exclusive) of events of this key."""
        self.flush()
        base, mark = packed(partition, 0), key_mark(key)
        # The run that `first` is in begins before it.
        found = self._all(
            "SELECT place, marks FROM lanes WHERE place < ?2 AND place >= coalesce("
            "(SELECT max(place) FROM lanes WHERE place <= ?1), ?1) ORDER BY place",
            base | first,
            base | end,
        )
        offsets = (start - base + n for start, marks in found for n in found_in(marks, mark))
        return [offset for offset in offsets if first <= offset < end]

    def knows(self, record: Record) -> bool:
        """Whether this very event was taken in, and not one of another log at the same place."""
        rows = event_rows([record])
        if not rows:
            return True
        ((a, (at, place, _)),) = rows
        self.flush()
        return bool(
            self._all(
                "SELECT 1 FROM events WHERE a = ?1 AND place = ?2 AND at = ?3"
                " UNION ALL SELECT 1 FROM twins WHERE place = ?2 AND at = ?3",
                a,
                place,
                at,
            )
        )

    # Away

    def sweep(self, kept: Mapping[tuple[str, int], int], number: int) -> None:
        """Delete what the log has deleted, by the first offsets that it keeps: slice `number`."""
        self.flush()
        width = (1 << 64) // SLICES
        low = (number % SLICES - SLICES // 2) * width
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            for (stream, partition), first in kept.items():
                self._sweep(
                    stream, packed(partition, 0), packed(partition, first), low, low + width - 1
                )

    def _sweep(self, stream: str, base: int, end: int, low: int, high: int) -> None:
        def delete(rows: str, *arguments: Any) -> None:
            sql = f"DELETE FROM {rows} AND place >= ? AND place < ?"  # noqa: S608 see below
            self._db.execute(sql, (*arguments, base, end))

        if stream == EVENTS:
            delete("events WHERE a BETWEEN ? AND ?", low, high)
            delete("twins WHERE true")
            delete("lanes WHERE place + length(marks) / ? <= ?", KEY_BYTES, end)
        elif stream == DELIVERIES:
            sql = "DELETE FROM pages WHERE partition = ? AND offset < ?"
            self._db.execute(sql, unpacked(end))
        else:
            delete("others WHERE stream = ? AND a BETWEEN ? AND ?", stream, low, high)

    def _all(self, sql: str, *args: Any) -> list[Any]:
        return self._db.execute(sql, args).fetchall()
