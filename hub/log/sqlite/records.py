"""Records of a partition, read from the file by their offsets."""

from __future__ import annotations

import sqlite3
from typing import Any, Final

from hub.log import Record
from hub.log.sqlite.codec import decode
from hub.log.sqlite.file import one
from hub.log.sqlite.tables import records_of

# What one read brings into memory, in bytes, whatever the limit of records; one may exceed it.
_READ_BYTES: Final = 8 * 1024 * 1024

Where = tuple[str, int, int]
"""Stream, number and id of a partition."""


def read(db: sqlite3.Connection, where: Where, offset: int, end: int, limit: int) -> list[Record]:
    """Up to `limit` records from `offset` on, fewer when they are large; none only at the end.

    The partition ends at `end`.
    """
    while offset < end and limit > 0:
        until = min(offset + limit, end)
        if records := _read(db, where, offset, until):
            return records
        offset = _next(db, where, until, end)
    return []


def _next(db: sqlite3.Connection, where: Where, offset: int, end: int) -> int:
    """The first offset at or after `offset` that holds a record: compaction leaves gaps."""
    records = records_of(where[2])
    found = one(
        db, f"SELECT min(offset) FROM {records} WHERE offset >= ? AND offset < ?", (offset, end)
    )
    return end if found is None else int(found)


def _read(db: sqlite3.Connection, where: Where, offset: int, until: int) -> list[Record]:
    """The records from `offset` on that are before `until`, or fewer when they are large."""
    stream, partition, id_ = where
    records = records_of(id_)
    args: dict[str, Any] = {"from": offset, "to": until, "most": _READ_BYTES}
    # Joined into one blob, see file.one; rows of one range come in the order of their offsets.
    data = one(
        db,
        f"SELECT CAST(group_concat(data, '') AS BLOB) FROM {records} WHERE offset >= :from AND"
        f" offset < coalesce((SELECT offset FROM {records} WHERE offset > :from AND offset < :to"
        f" AND bytes > (SELECT bytes FROM {records} WHERE offset = :from) + :most LIMIT 1), :to)",
        args,
    )
    return decode(stream, partition, data) if data else []
