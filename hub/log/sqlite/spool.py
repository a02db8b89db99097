"""What a file of one partition can do as a spool: say how much it holds, and drop what was drained.

Each function is done within one transaction.
"""

from __future__ import annotations

import math
import sqlite3
from dataclasses import dataclass

from hub.log.sqlite import retention
from hub.log.sqlite.file import OFFSET_BITS


@dataclass(frozen=True, slots=True)
class Holding:
    """What lies in a spool. `oldest`: when its first record came, in epoch seconds; inf if none."""

    records: int = 0
    bytes: int = 0
    oldest: float = math.inf


def holding(db: sqlite3.Connection) -> Holding:
    """What all streams hold together; looks at the first record of each only."""
    records, size, oldest = db.execute(
        "SELECT sum(p.end - p.first), sum(p.bytes - r.bytes + length(r.data)), min(r.at)"
        " FROM partitions AS p JOIN records AS r ON r.id = (p.id << ? | p.first)"
        " WHERE p.first < p.end",
        (OFFSET_BITS,),
    ).fetchone()
    return Holding(records, size, oldest) if records else Holding()


def drop(db: sqlite3.Connection, stream: str, upto: int) -> None:
    """Delete a stream's records before offset `upto`, and give some free pages back to the disk.

    The second time does nothing.
    """
    id_, first = db.execute(
        "SELECT id, first FROM partitions WHERE stream = ? AND number = 0", (stream,)
    ).fetchone()
    if upto <= first:
        return
    base = id_ << OFFSET_BITS
    db.execute("DELETE FROM records WHERE id >= ? AND id < ?", (base | first, base | upto))
    db.execute("UPDATE partitions SET first = ? WHERE id = ?", (upto, id_))
    retention.step(db, -math.inf, None)  # nothing is too old: what it does is shrink the file
