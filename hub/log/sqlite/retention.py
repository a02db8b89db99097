"""What a log deletes: records too old or too many, a little at a time for appends' sake."""

from __future__ import annotations

import sqlite3
from typing import Final

from hub.log.sqlite.file import OFFSET_BITS

# What one step deletes: some 5 ms of the write lock, an append's wait. The bytes are for large
# records, whose pages are chained and read one by one; at least one record goes.
_STEP_RECORDS: Final = 500
_STEP_BYTES: Final = 1_048_576

# Pages that one step gives back to the file system, 2 MiB: each is copied, so they are few.
_STEP_PAGES: Final = 256

# Pages that stay for what is appended next, 64 MiB: giving them back only to ask again is work.
_SPARE_PAGES: Final = 8_192


def step(db: sqlite3.Connection, oldest: float, most_bytes: int | None) -> bool:
    """Delete some records older than `oldest` (epoch seconds), and what exceeds `most_bytes` in a
    partition. Returns whether there is more to do.
    """
    for id_, first, end, total in db.execute(
        "SELECT id, first, end, bytes FROM partitions WHERE first < end"
    ).fetchall():
        upto = min(first + _STEP_RECORDS, end)
        kept = _first_kept(db, id_, first, upto, oldest, total - (most_bytes or total))
        if kept > first:
            base = id_ << OFFSET_BITS
            db.execute("DELETE FROM records WHERE id >= ? AND id < ?", (base | first, base | kept))
            db.execute("UPDATE partitions SET first = ? WHERE id = ?", (kept, id_))
            return True
    return _shrink(db)


def due(db: sqlite3.Connection, oldest: float, most_bytes: int | None) -> bool:
    """Whether `step` would find something; asked without the write lock."""
    return any(
        _first_kept(db, id_, first, first + 1, oldest, total - (most_bytes or total)) > first
        for id_, first, end, total in db.execute(
            "SELECT id, first, end, bytes FROM partitions WHERE first < end"
        ).fetchall()
    )


def _first_kept(
    db: sqlite3.Connection, id_: int, first: int, upto: int, oldest: float, before: int
) -> int:
    """The first offset to keep, of those up to `upto`; times and bytes only grow."""
    row = db.execute(
        "SELECT id FROM records WHERE id >= :from AND id < :to"
        " AND (at >= :oldest AND bytes - length(data) >= :before OR id > :from"
        " AND bytes > (SELECT bytes FROM records WHERE id = :from) + :most) ORDER BY id LIMIT 1",
        {
            "from": id_ << OFFSET_BITS | first,
            "to": id_ << OFFSET_BITS | upto,
            "oldest": oldest,
            "before": before,
            "most": _STEP_BYTES,
        },
    ).fetchone()
    return upto if row is None else row[0] & ((1 << OFFSET_BITS) - 1)


def _shrink(db: sqlite3.Connection) -> bool:
    """Give some free pages back to the file system; deleted records' space is used again first."""
    (spare,) = db.execute("PRAGMA freelist_count").fetchone()
    if spare <= _SPARE_PAGES:
        return False
    for _ in range(_STEP_PAGES):
        # One page each time: Python takes one step of a pragma, and a page is a step.
        db.execute("PRAGMA incremental_vacuum(1)")
    return True
