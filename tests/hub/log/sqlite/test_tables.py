"""Files that older hubs left become ours, with all that is in them."""

from __future__ import annotations

import contextlib
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hub.log import EVENTS, PARKED, Committed, Entry
from hub.log.settings import SqliteLog as Settings
from hub.log.sqlite import SqliteLog, tables
from hub.log.sqlite.codec import body_of, encode
from hub.log.sqlite.file import connect, one, prepare
from hub.log.sqlite.members import Member, committed
from hub.log.sqlite.tables import FORMAT, move

# As the first hub made them; the second gave `claims` a note.
TABLES = """
CREATE TABLE made (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE partitions (
    id INTEGER PRIMARY KEY,
    stream TEXT NOT NULL,
    number INTEGER NOT NULL,
    first INTEGER NOT NULL DEFAULT 0,
    end INTEGER NOT NULL DEFAULT 0,
    at REAL NOT NULL DEFAULT 0,
    bytes INTEGER NOT NULL DEFAULT 0,
    UNIQUE (stream, number)
);
CREATE TABLE records (
    id INTEGER PRIMARY KEY,
    at REAL NOT NULL,
    bytes INTEGER NOT NULL,
    data BLOB NOT NULL
);
CREATE TABLE claims (
    stream TEXT NOT NULL,
    grp TEXT NOT NULL,
    number INTEGER NOT NULL,
    place INTEGER,
    owner TEXT,
    heir TEXT,
    PRIMARY KEY (stream, grp, number)
) WITHOUT ROWID;
INSERT INTO made VALUES ('format', 1), ('partitions', 2);
INSERT INTO partitions VALUES
    (1, 'events', 0, 3, 1200, 99.0, 120000), (2, 'events', 1, 0, 0, 0, 0),
    (3, 'parked', 0, 0, 2, 99.0, 200), (4, 'parked', 1, 0, 0, 0, 0);
INSERT INTO claims VALUES ('events', 'g', 0, 17, NULL, NULL);
"""

RECORDS = [*((1, offset) for offset in range(3, 1_200)), (3, 0), (3, 1)]


def left_by(hub: int, folder: Path) -> Path:
    """A file of that format: partition 0 of events has records from offset 3 to 1,199, and that of
    `parked` two.
    """
    path = folder / "hub.db"
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.executescript(TABLES)
        if hub == 2:
            db.execute("ALTER TABLE claims ADD COLUMN note TEXT NOT NULL DEFAULT ''")
            db.execute("UPDATE made SET value = 2 WHERE name = 'format'")
        for id_, offset in RECORDS:
            entry = Entry(b"k", b"%d of %d" % (offset, id_))
            data = encode(entry, body_of(entry), offset, 99.0)
            row = (id_ << 40 | offset, 99.0, 100 * (offset + 1), data)
            db.execute("INSERT INTO records VALUES (?, ?, ?, ?)", row)
        db.commit()
    return path


async def values(path: Path) -> list[tuple[int, bytes]]:
    """Offset and value of all that a log has in its first partitions."""
    log = await SqliteLog.open(Settings(path=path, partitions=2))
    found = [
        *await log.read(EVENTS, 0, 0, 10_000),
        *await log.read(EVENTS, 1, 0, 10_000),
        *await log.read(PARKED, 0, 0, 10_000),
    ]
    await log.close()
    return [(record.offset, record.value) for record in found]


ALL = [(offset, b"%d of %d" % (offset, id_)) for id_, offset in RECORDS]


@pytest.mark.parametrize("hub", [1, 2])
async def test_a_file_of_an_older_format_is_brought_to_ours(tmp_path: Path, hub: int) -> None:
    """Records keep their offsets, and places that were committed stay; opening again is nothing."""
    path = left_by(hub, tmp_path)

    assert ALL == await values(path)
    assert ALL == await values(path)
    with contextlib.closing(connect(path)) as db:
        found = committed(db, Member("one", "process", EVENTS, "g"), [0, 1])
        assert {0: Committed(17), 1: Committed(None)} == found
        assert FORMAT == one(db, "SELECT value FROM made WHERE name = 'format'")
        assert 0 == one(db, "SELECT count(*) FROM sqlite_master WHERE name = 'unmoved'")


async def test_what_is_appended_next_follows(tmp_path: Path) -> None:
    """An offset is given out once, and retention goes on where it was."""
    log = await SqliteLog.open(Settings(path=left_by(2, tmp_path), partitions=2))
    places = await log.append(PARKED, [Entry(b"%d" % n, b"new") for n in range(20)])
    status = await log.status()
    await log.close()

    assert 2 == min(place.offset for place in places if place.partition == 0)
    (events,) = [one for one in status if one.stream == EVENTS]
    assert (3, 1_200) == (events.spans[0].first, events.spans[0].end)


async def test_who_is_killed_on_the_way_leaves_the_rest_to_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And whoever opens the file has to wait until all has been moved."""
    path = left_by(2, tmp_path)
    moved = 0

    def killed(db: sqlite3.Connection) -> bool:
        nonlocal moved
        if moved == 1:
            raise KeyboardInterrupt
        moved += 1
        return move(db)

    with monkeypatch.context() as patch:
        patch.setattr(tables, "move", killed)
        with pytest.raises(KeyboardInterrupt):
            prepare(path, 2)
    with contextlib.closing(connect(path)) as db:
        assert 0 < one(db, "SELECT count(*) FROM records_1") < len(RECORDS) - 2

    assert ALL == await values(path)


async def test_many_may_open_it_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers do: each record is moved once."""
    path = left_by(1, tmp_path)
    monkeypatch.setattr(tables, "_MOVED", 10)
    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(prepare, path, 2) for _ in range(4)]:
            done.result()

    assert ALL == await values(path)


def test_a_process_of_an_older_hub_is_refused_and_misled_by_nothing(tmp_path: Path) -> None:
    """To it, records that were moved would have been compacted."""
    path = left_by(2, tmp_path)
    with contextlib.closing(sqlite3.connect(path)) as older:
        prepare(path, 2)
        with pytest.raises(sqlite3.OperationalError, match="no such table: records"):
            older.execute("SELECT min(id) FROM records")
