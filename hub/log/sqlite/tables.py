"""What the file of a SQLite log holds, and how what an older hub left there becomes the same."""

from __future__ import annotations

import sqlite3
from typing import Final

from hub.log import STREAMS

# 2: a claim has a note. 3: each partition's records have a table of their own.
FORMAT: Final = 3

_TABLES: Final = """
CREATE TABLE IF NOT EXISTS made (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS partitions (
    id INTEGER PRIMARY KEY,
    stream TEXT NOT NULL,
    number INTEGER NOT NULL,
    first INTEGER NOT NULL DEFAULT 0,  -- the first offset that is kept
    end INTEGER NOT NULL DEFAULT 0,    -- the offset that the next record will have
    at REAL NOT NULL DEFAULT 0,        -- when the last was appended; never steps back
    bytes INTEGER NOT NULL DEFAULT 0,  -- bytes ever appended
    UNIQUE (stream, number)
);
CREATE TABLE IF NOT EXISTS members (
    name TEXT PRIMARY KEY,
    process TEXT NOT NULL,
    stream TEXT NOT NULL,
    grp TEXT NOT NULL,
    joined INTEGER NOT NULL,
    seen REAL NOT NULL                 -- the last sign of life
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS claims (
    stream TEXT NOT NULL,
    grp TEXT NOT NULL,
    number INTEGER NOT NULL,
    place INTEGER,                     -- the next offset to read, as committed
    owner TEXT,                        -- who reads it
    heir TEXT,                         -- who should read it once the owner has let go
    note TEXT NOT NULL DEFAULT '',     -- what was committed with the place
    PRIMARY KEY (stream, grp, number)
) WITHOUT ROWID;
"""

# Of one partition. SQLite fills the last page of a table and begins the next; in a table for all
# partitions their ends would lie in the middle, and each page that is full be shared out anew among
# its neighbours. With 33 records for 8 partitions in a transaction, SQLite takes two thirds of the
# CPU that such a table cost.
_RECORDS: Final = """
CREATE TABLE IF NOT EXISTS {table} (
    offset INTEGER PRIMARY KEY,
    at REAL NOT NULL,
    bytes INTEGER NOT NULL,            -- bytes ever appended to the partition, with this one
    data BLOB NOT NULL                 -- codec.py; last, so that what is before is read without it
)
"""

# In formats 1 and 2 the records of all partitions had one table, each with the number
# `partition id << 40 | offset`.
_OFFSET_BITS: Final = 40

# Records that one transaction moves: other processes have their turn in between.
_MOVED: Final = 500


def records_of(id_: int) -> str:
    """The name of the table with a partition's records."""
    return f"records_{id_}"


def make(db: sqlite3.Connection) -> None:
    """Make the tables that are not there, but for those of the records."""
    for statement in _TABLES.split(";\n"):
        db.execute(statement)


def divide(db: sqlite3.Connection, partitions: int) -> None:
    """Make the partitions that are not there, and the tables of their records."""
    db.executemany(
        "INSERT OR IGNORE INTO partitions (stream, number) VALUES (?, ?)",
        [(stream, number) for stream in STREAMS for number in range(partitions)],
    )
    for (id_,) in db.execute("SELECT id FROM partitions").fetchall():
        db.execute(_RECORDS.format(table=records_of(id_)))


def modernise(db: sqlite3.Connection) -> None:
    """Bring a file of an older format to ours, but for its records, which `move` moves.

    A process of an older hub that has the file open finds no records any more, and says so: it
    could take those that were moved for compacted, and pass over them.
    """
    (made,) = db.execute("SELECT value FROM made WHERE name = 'format'").fetchone()
    if made < 2:
        db.execute("ALTER TABLE claims ADD COLUMN note TEXT NOT NULL DEFAULT ''")
    if made < 3:
        db.execute("ALTER TABLE records RENAME TO unmoved")
    db.execute("UPDATE made SET value = ? WHERE name = 'format'", (FORMAT,))


def move(db: sqlite3.Connection) -> bool:
    """Move some records of an older format to their partition's table; whether that was not all.

    A little at a time, so that the file needs no room for all of them twice. Several processes may
    do it at once, and who is killed leaves the rest to the next.
    """
    db.execute("BEGIN IMMEDIATE")
    there = db.execute("SELECT 1 FROM sqlite_master WHERE name = 'unmoved'").fetchone()
    first = db.execute("SELECT min(id) FROM unmoved").fetchone()[0] if there else None
    if first is not None:
        id_ = first >> _OFFSET_BITS
        base = id_ << _OFFSET_BITS
        (last,) = db.execute(
            "SELECT max(id) FROM (SELECT id FROM unmoved WHERE id < ? ORDER BY id LIMIT ?)",
            (base + (1 << _OFFSET_BITS), _MOVED),
        ).fetchone()
        db.execute(
            f"INSERT INTO {records_of(id_)}"
            " SELECT id - ?, at, bytes, data FROM unmoved WHERE id <= ? ORDER BY id",
            (base, last),
        )
        db.execute("DELETE FROM unmoved WHERE id <= ?", (last,))
    elif there:
        db.execute("DROP TABLE unmoved")
    db.execute("COMMIT")
    return first is not None
