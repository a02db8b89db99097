"""The file of a SQLite log: how it is made and opened, and what its errors mean."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any, Final

from hub.log import LogError, LogMisconfigured, LogUnavailable
from hub.log.sqlite import tables
from hub.log.sqlite.tables import FORMAT

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

# Statements that a connection keeps prepared: an INSERT of each size for each partition, and more.
_STATEMENTS: Final = 1_000


def connect(path: Path, *, timeout: float = 5.0) -> sqlite3.Connection:
    """A connection in autocommit mode; waits up to `timeout` seconds for another process's lock."""
    db = sqlite3.connect(
        path,
        timeout=timeout,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=_STATEMENTS,
    )
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
        tables.make(db)
        _check(db, path, partitions)
        tables.divide(db, partitions)
        tables.modernise(db)
        db.execute("COMMIT")
        while tables.move(db):
            pass
    except sqlite3.Error as error:
        raise at_opening(path, error) from None
    finally:
        if db is not None:
            db.close()


def _check(db: sqlite3.Connection, path: Path, partitions: int) -> None:
    made = dict(db.execute("SELECT name, value FROM made").fetchall())
    if not made:
        made = {"format": FORMAT, "partitions": partitions}
        db.executemany("INSERT INTO made VALUES (?, ?)", made.items())
    if not 1 <= made["format"] <= FORMAT:
        raise LogMisconfigured(
            f"{path} has format {made['format']}, and this hub reads up to {FORMAT};"
            " use the version that wrote it, or begin a new file"
        )
    if made["partitions"] != partitions:
        # A key's partition depends on their number: a change would tear keys' order apart.
        raise LogMisconfigured(
            f"{path} was made with {made['partitions']} partitions and the settings say"
            f" {partitions}; set partitions = {made['partitions']}, or begin a new file"
        )


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
