"""What a log deletes: records too old, too many or superseded, a little at a time."""

from __future__ import annotations

import sqlite3
from typing import Final

from hub.log import COMPACTED
from hub.log.sqlite.codec import decode
from hub.log.sqlite.tables import records_of

# What one step deletes: some 5 ms of the write lock, an append's wait. The bytes are for large
# records, whose pages are chained and read one by one; at least one record goes.
_STEP_RECORDS: Final = 500
_STEP_BYTES: Final = 1_048_576

# Records of a compacted partition at which those are deleted that a later one of their key
# supersedes. Such streams are small, so that reading all of one is no work.
_COMPACT_RECORDS: Final = 1_000

# Pages that one step gives back to the file system, 2 MiB: each is copied, so they are few.
_STEP_PAGES: Final = 256

# Pages that stay for what is appended next, 64 MiB: giving them back only to ask again is work.
_SPARE_PAGES: Final = 8_192


def step(db: sqlite3.Connection, oldest: float, most_bytes: int | None) -> bool:
    """Delete some records older than `oldest` (epoch seconds), and what exceeds `most_bytes` in a
    partition. Returns whether there is more to do.

    A compacted partition loses what is superseded, whatever its age; no record but the last of its
    key is given up.
    """
    for id_, stream, first, end, total in _partitions(db):
        if stream in COMPACTED:
            _compact(db, id_)
            continue
        upto = min(first + _STEP_RECORDS, end)
        kept = _first_kept(db, id_, first, upto, oldest, total - (most_bytes or total))
        if kept > first:
            db.execute(f"DELETE FROM {records_of(id_)} WHERE offset < ?", (kept,))
            db.execute("UPDATE partitions SET first = ? WHERE id = ?", (kept, id_))
            return True
    return _shrink(db)


def due(db: sqlite3.Connection, oldest: float, most_bytes: int | None) -> bool:
    """Whether `step` would find something; asked without the write lock."""
    return any(
        _many(db, id_)
        if stream in COMPACTED
        else _first_kept(db, id_, first, first + 1, oldest, total - (most_bytes or total)) > first
        for id_, stream, first, end, total in _partitions(db)
    )


def _partitions(db: sqlite3.Connection) -> list[tuple[int, str, int, int, int]]:
    """The id, stream, first, end and bytes ever of each partition that has records."""
    return db.execute(
        "SELECT id, stream, first, end, bytes FROM partitions WHERE first < end"
    ).fetchall()


def _many(db: sqlite3.Connection, id_: int) -> bool:
    """Whether a compacted partition has so many records that it is time to look at them."""
    (count,) = db.execute(f"SELECT count(*) FROM {records_of(id_)}").fetchone()
    return int(count) > _COMPACT_RECORDS


def _compact(db: sqlite3.Connection, id_: int) -> None:
    """Delete the records of a partition that a later one of their key supersedes."""
    if not _many(db, id_):
        return
    records = records_of(id_)
    rows = db.execute(f"SELECT offset, data FROM {records} ORDER BY offset").fetchall()
    last = {decode("", 0, data)[0].key: offset for offset, data in rows}
    kept = set(last.values())
    db.executemany(
        f"DELETE FROM {records} WHERE offset = ?",
        [(offset,) for offset, _ in rows if offset not in kept],
    )


def _first_kept(
    db: sqlite3.Connection, id_: int, first: int, upto: int, oldest: float, before: int
) -> int:
    """The first offset to keep, of those up to `upto`; times and bytes only grow."""
    records = records_of(id_)
    row = db.execute(
        f"SELECT offset FROM {records} WHERE offset >= :from AND offset < :to"
        " AND (at >= :oldest AND bytes - length(data) >= :before OR offset > :from"
        f" AND bytes > (SELECT bytes FROM {records} WHERE offset = :from) + :most)"
        " ORDER BY offset LIMIT 1",
        {"from": first, "to": upto, "oldest": oldest, "before": before, "most": _STEP_BYTES},
    ).fetchone()
    return upto if row is None else int(row[0])


def _shrink(db: sqlite3.Connection) -> bool:
    """Give some free pages back to the file system; deleted records' space is used again first."""
    (spare,) = db.execute("PRAGMA freelist_count").fetchone()
    if spare <= _SPARE_PAGES:
        return False
    for _ in range(_STEP_PAGES):
        # One page each time: Python takes one step of a pragma, and a page is a step.
        db.execute("PRAGMA incremental_vacuum(1)")
    return True
