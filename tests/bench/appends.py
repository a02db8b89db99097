"""SQLite by itself: rows of an event's size in transactions of so many, each on disk when it ends.

Run as a program; prints what it took as one line of JSON. None of the hub's code is in it.
"""

from __future__ import annotations

import argparse
import sqlite3
import time
from pathlib import Path

import orjson

from tests.bench.events import Events

HEADERS = b"h" * 120
"""As long as those of a record of the log."""


def appended(path: Path, size: int, seconds: float) -> dict[str, float]:
    """Append for so many seconds, `size` rows to a transaction."""
    events = Events(5_000)
    db = sqlite3.connect(path, isolation_level=None)
    # The hub's own page size, and rarer checkpoints: SQLite's defaults would be a lower ceiling.
    db.executescript(
        "PRAGMA page_size = 8192; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
        "PRAGMA wal_autocheckpoint = 2000;"
        "CREATE TABLE records (id INTEGER PRIMARY KEY, key BLOB, headers BLOB, value BLOB)"
    )
    count, spent, began = 0, 0.0, time.monotonic()
    while time.monotonic() - began < seconds:
        rows = [(b"shop\0user-0000001", HEADERS, events.event()) for _ in range(size)]
        before = time.process_time()
        db.execute("BEGIN IMMEDIATE")
        db.executemany("INSERT INTO records (key, headers, value) VALUES (?, ?, ?)", rows)
        db.execute("COMMIT")
        spent += time.process_time() - before
        count += size
    took = time.monotonic() - began
    db.close()
    path.unlink()
    return {"events": count, "seconds": took, "cpu": spent}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.appends", description=__doc__)
    parser.add_argument("path", type=Path, help="a file that is not there yet")
    parser.add_argument("--size", type=int, default=64, help="rows of a transaction")
    parser.add_argument("--seconds", type=float, default=2.0)
    asked = parser.parse_args()
    print(orjson.dumps(appended(asked.path, asked.size, asked.seconds)).decode())  # noqa: T201


if __name__ == "__main__":
    main()
