"""The file of a SQLite log: its tables, connections to it, and what its errors mean."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any, Final

from hub.log import STREAMS, LogError, LogMisconfigured, LogUnavailable

# A record's row is `partition id << 40 | offset`: one integer to seek, records of a partition side
# by side. 2**40 records are 35 years of a thousand a second in one partition.
OFFSET_BITS: Final = 40

# 2: a claim has a note.
FORMAT: Final = 2

# Measured with 1.25 KB records, 64 to a transaction: 8 KiB pages hold six, waste 9 % and read 1.3
# times as fast as 4 KiB pages; a composite WITHOUT ROWID key wrote a fifth slower.
_PAGE_BYTES: Final = 8_192

# The write-ahead log is copied back into the file when it holds so much: small enough for a
# pause of some milliseconds, large enough that hot pages are written once for many commits.
_CHECKPOINT_PAGES: Final = 8 * 1024 * 1024 // _PAGE_BYTES

# After a burst the write-ahead log is cut back to this.
_WAL_BYTES: Final = 64 * 1024 * 1024

# Seconds to wait for another process while the file is opened and changed over to WAL.
_OPENING_SECONDS: Final = 10.0

# 3.35 has all that is used here (UPDATE ... FROM, upsert, window-free JSON aggregates).
_OLDEST_SQLITE: Final = (3, 35, 0)

_TABLES: Final = f"""
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
CREATE TABLE IF NOT EXISTS records (
    id INTEGER PRIMARY KEY,            -- partition id << {OFFSET_BITS} | offset
    at REAL NOT NULL,
    bytes INTEGER NOT NULL,            -- bytes ever appended to the partition, with this one
    data BLOB NOT NULL                 -- codec.py; last, so that what is before is read without it
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

# What brings a file from one format to the next. Processes of an older hub that have it open go on
# with it: they name the columns that they use.
_MIGRATIONS: Final = {1: "ALTER TABLE claims ADD COLUMN note TEXT NOT NULL DEFAULT ''"}


def connect(path: Path, *, timeout: float = 5.0) -> sqlite3.Connection:
    """A connection in autocommit mode; waits up to `timeout` seconds for another process's lock."""
    db = sqlite3.connect(path, timeout=timeout, isolation_level=None, check_same_thread=False)
    db.execute("PRAGMA synchronous = FULL")
    db.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
    db.execute(f"PRAGMA journal_size_limit = {_WAL_BYTES}")
    db.execute("PRAGMA cache_size = -16384")  # 16 MiB: the upper pages of every tree, and the ends
    return db


def prepare(path: Path, partitions: int) -> None:
    """Make the file, or check that it is ours and split as the settings say.

    Raises LogMisconfigured or LogUnavailable.
    """
    if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
        raise LogMisconfigured(f"SQLite {sqlite3.sqlite_version} is too old; use 3.35 or later")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LogMisconfigured(f"the folder of {path} cannot be made: {error}") from None
    db = None
    try:
        db = sqlite3.connect(path, timeout=_OPENING_SECONDS, isolation_level=None)
        # These two are taken while the file is empty and are without effect later.
        db.execute(f"PRAGMA page_size = {_PAGE_BYTES}")
        db.execute("PRAGMA auto_vacuum = INCREMENTAL")
        (mode,) = db.execute("PRAGMA journal_mode = WAL").fetchone()
        if mode != "wal":
            raise LogMisconfigured(
                f"{path} cannot keep a write-ahead log ({mode}); it needs a local disk, no network"
            )
        db.execute("PRAGMA synchronous = FULL")
        db.execute("BEGIN IMMEDIATE")
        for statement in _TABLES.split(";\n"):
            db.execute(statement)
        _check(db, path, partitions)
        _migrate(db)
        db.executemany(
            "INSERT OR IGNORE INTO partitions (stream, number) VALUES (?, ?)",
            [(stream, number) for stream in STREAMS for number in range(partitions)],
        )
        db.execute("COMMIT")
    except sqlite3.Error as error:
        raise at_opening(path, error) from None
    finally:
        if db is not None:
            db.close()


def _check(db: sqlite3.Connection, path: Path, partitions: int) -> None:
    made = dict(db.execute("SELECT name, value FROM made").fetchall())
    if not made:
        db.executemany(
            "INSERT INTO made VALUES (?, ?)", [("format", FORMAT), ("partitions", partitions)]
        )
    elif made["format"] not in _MIGRATIONS and made["format"] != FORMAT:
        raise LogMisconfigured(
            f"{path} has format {made['format']}, and this hub reads up to {FORMAT};"
            " use the version that wrote it, or begin a new file"
        )
    elif made["partitions"] != partitions:
        # A key's partition depends on their number: a change would tear keys' order apart.
        raise LogMisconfigured(
            f"{path} was made with {made['partitions']} partitions and the settings say"
            f" {partitions}; set partitions = {made['partitions']}, or begin a new file"
        )


def _migrate(db: sqlite3.Connection) -> None:
    """Bring a file of an older format to ours, where it stands."""
    made: int = one(db, "SELECT value FROM made WHERE name = 'format'")
    for old in range(made, FORMAT):
        db.execute(_MIGRATIONS[old])
    db.execute("UPDATE made SET value = ? WHERE name = 'format' AND value < ?", (FORMAT, FORMAT))


def at_opening(path: Path, error: sqlite3.Error) -> LogError:
    """What an error means at the opening: a lock and a full disk pass, the rest stays."""
    if isinstance(error, sqlite3.OperationalError) and busy(error):
        return LogUnavailable(f"{path} is locked by another process: {error}")
    if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL:
        return LogUnavailable(f"{path} is on a disk that is full: {error}")
    return LogMisconfigured(f"{path} cannot be used as a log: {error}")


def busy(error: sqlite3.Error) -> bool:
    """Whether another connection has the lock."""
    # The lower byte is the primary code; SQLITE_BUSY has several extended ones.
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF == sqlite3.SQLITE_BUSY


def one(db: sqlite3.Connection, sql: str, args: tuple[Any, ...] | dict[str, Any] = ()) -> Any:
    """The single value of a query that has one row.

    Every step of a query gives up Python's lock and must win it back from a busy event loop, up to
    5 ms each time; so what is read often is put into one value by SQLite (JSON, or joined blobs).
    """
    (value,) = db.execute(sql, args).fetchone()
    return value
