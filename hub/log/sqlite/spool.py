"""What a file of one partition can do as a spool: say how much it holds, and drop what was drained.

Each function is done within one transaction.
"""

from __future__ import annotations

import math
import sqlite3
from dataclasses import dataclass

from hub.log.sqlite import retention
from hub.log.sqlite.tables import records_of


@dataclass(frozen=True, slots=True)
class Holding:
    """What lies in a spool. `oldest`: when its first record came, in epoch seconds; inf if none."""

    records: int = 0
    bytes: int = 0
    oldest: float = math.inf


def holding(db: sqlite3.Connection) -> Holding:
    """What all streams hold together; looks at the first record of each only."""
    records, size, oldest = 0, 0, math.inf
    for id_, first, end, total in db.execute(
        "SELECT id, first, end, bytes FROM partitions WHERE first < end"
    ).fetchall():
        before, at = db.execute(
            f"SELECT bytes - length(data), at FROM {records_of(id_)} ORDER BY offset LIMIT 1"
        ).fetchone()
        records += end - first
        size += total - before
        oldest = min(oldest, at)
    return Holding(records, size, oldest)


def drop(db: sqlite3.Connection, stream: str, upto: int) -> None:
    """Delete a stream's records before offset `upto`, and give some free pages back to the disk.

    The second time does nothing.
    """
    id_, first = db.execute(
        "SELECT id, first FROM partitions WHERE stream = ? AND number = 0", (stream,)
    ).fetchone()
    if upto <= first:
        return
    db.execute(f"DELETE FROM {records_of(id_)} WHERE offset < ?", (upto,))
    db.execute("UPDATE partitions SET first = ? WHERE id = ?", (upto, id_))
    retention.step(db, -math.inf, None)  # nothing is too old: what it does is shrink the file
