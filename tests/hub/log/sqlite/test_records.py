"""Records are read from the file by their offsets."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from hub.log import TOKENS, Entry
from hub.log.settings import SqliteLog as Settings
from hub.log.sqlite import SqliteLog
from hub.log.sqlite.file import one
from hub.log.sqlite.records import Where, read
from hub.log.sqlite.tables import records_of
from tests.hub.log.scenes import numbered


async def filled(path: Path) -> SqliteLog:
    """A log whose partition 0 of `tokens` has ten small records, and then 20 of a megabyte."""
    log = await SqliteLog.open(Settings(path=path / "hub.db", partitions=1))
    for entries in (numbered("k", range(10)), [Entry(b"k", b"x" * 1_000_000)] * 20):
        await log.append(TOKENS, entries)
    return log


def where(db: sqlite3.Connection) -> Where:
    """The partition."""
    return TOKENS, 0, one(db, "SELECT id FROM partitions WHERE stream = ?", (TOKENS,))


@pytest.mark.parametrize(
    ("offset", "end", "count"), [(0, 30, 5), (0, 3, 3), (10, 30, 9), (25, 30, 5), (30, 30, 0)]
)
async def test_a_read_is_bounded_in_number_and_in_bytes(
    tmp_path: Path, offset: int, end: int, count: int
) -> None:
    """It ends with the limit, the end, or some megabytes, whichever comes first."""
    log = await filled(tmp_path)
    limit = 5 if offset < 10 else 20
    found = await log.ask(lambda db: read(db, where(db), offset, end, limit))
    await log.close()

    assert list(range(offset, offset + count)) == [record.offset for record in found]


@pytest.mark.parametrize("limit", [1, 3, 7])
async def test_a_gap_is_passed(tmp_path: Path, limit: int) -> None:
    """However long a gap is, a read that begins in it goes on behind it."""
    log = await filled(tmp_path)

    def gap(db: sqlite3.Connection) -> None:
        records = records_of(where(db)[2])
        db.execute(f"DELETE FROM {records} WHERE offset BETWEEN 2 AND 9")  # noqa: S608

    await log.do(gap)
    found = await log.ask(lambda db: read(db, where(db), 7, 30, limit))
    await log.close()

    assert [10, 11, 12, 13][:limit] == [record.offset for record in found][:4]
