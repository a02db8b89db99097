"""Records of a partition, read from the file by their offsets."""

from __future__ import annotations

import sqlite3
from typing import Any, Final

from hub.log import Record
from hub.log.sqlite.codec import decode
from hub.log.sqlite.file import OFFSET_BITS, one

# What one read brings into memory, in bytes, whatever the limit of records; one may exceed it.
_READ_BYTES: Final = 8 * 1024 * 1024

Where = tuple[str, int, int]
"""Stream, number and id of a partition."""


def read(db: sqlite3.Connection, where: Where, offset: int, end: int, limit: int) -> list[Record]:
    """Up to `limit` records from `offset` on, fewer when they are large; none only at the end.

    The partition ends at `end`.
    """
    stream, partition, id_ = where
    while offset < end and limit > 0:
        until = min(offset + limit, end)
        if records := _read(db, stream, partition, id_ << OFFSET_BITS | offset, until - offset):
            return records
        offset = _next(db, id_, until, end)
    return []


def _next(db: sqlite3.Connection, id_: int, offset: int, end: int) -> int:
    """The first offset at or after `offset` that holds a record: compaction leaves gaps."""
    base = id_ << OFFSET_BITS
    found = one(
        db, "SELECT min(id) FROM records WHERE id >= ? AND id < ?", (base | offset, base | end)
    )
    return end if found is None else int(found) - base


def _read(
    db: sqlite3.Connection, stream: str, partition: int, id_: int, count: int
) -> list[Record]:
    """The records of `count` ids from `id_` on, or fewer when they are large."""
    args: dict[str, Any] = {"from": id_, "to": id_ + count, "most": _READ_BYTES}
    # Joined into one blob, see file.one; rows of one range come in the order of their ids.
    data = one(
        db,
        "SELECT CAST(group_concat(data, '') AS BLOB) FROM records WHERE id >= :from AND id <"
        " coalesce((SELECT id FROM records WHERE id > :from AND id < :to AND bytes >"
        " (SELECT bytes FROM records WHERE id = :from) + :most LIMIT 1), :to)",
        args,
    )
    return decode(stream, partition, data) if data else []
