"""The file of a SQLite log, and what is wrong with one."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest

from hub.log import LogMisconfigured, LogUnavailable
from hub.log.sqlite.file import at_opening, connect, one, prepare


def test_a_file_is_made_with_its_folder(tmp_path: Path) -> None:
    """The file and its folders are made; every commit is synced to the disk."""
    path = tmp_path / "some" / "where" / "hub.db"
    prepare(path, 4)

    with contextlib.closing(connect(path)) as db:
        found = [one(db, f"PRAGMA {name}") for name in ("journal_mode", "synchronous")]
        assert ["wal", 2] == found
        assert 24 == one(db, "SELECT count(*) FROM partitions")


def test_a_file_is_opened_again(tmp_path: Path) -> None:
    """Preparing a file that is there changes nothing."""
    path = tmp_path / "hub.db"
    prepare(path, 4)
    with contextlib.closing(connect(path)) as db:
        db.execute("UPDATE partitions SET end = 7")
    prepare(path, 4)

    with contextlib.closing(connect(path)) as db:
        assert 168 == one(db, "SELECT sum(end) FROM partitions")


def test_another_number_of_partitions_is_refused(tmp_path: Path) -> None:
    """A file keeps the number it was made with; settings that differ are told so."""
    path = tmp_path / "hub.db"
    prepare(path, 4)

    with pytest.raises(LogMisconfigured, match="set partitions = 4"):
        prepare(path, 8)


def test_another_format_is_refused(tmp_path: Path) -> None:
    """A file of a later hub is not touched."""
    path = tmp_path / "hub.db"
    prepare(path, 4)
    with contextlib.closing(connect(path)) as db:
        db.execute("UPDATE made SET value = 99 WHERE name = 'format'")

    with pytest.raises(LogMisconfigured, match="format 99"):
        prepare(path, 4)


def test_what_is_no_database_is_refused(tmp_path: Path) -> None:
    """A file that SQLite cannot read is named, and left as it is."""
    path = tmp_path / "notes.txt"
    path.write_text("not a database, but long enough to look at " * 10)

    with pytest.raises(LogMisconfigured, match=r"notes\.txt"):
        prepare(path, 4)
    assert path.read_text().startswith("not a database")


def test_a_place_without_a_write_ahead_log_is_refused() -> None:
    """Where WAL cannot be kept, the log says so: in memory, as on a network disk."""
    with pytest.raises(LogMisconfigured, match="write-ahead log"):
        prepare(Path(":memory:"), 4)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """A path below a file is refused with its reason."""
    (tmp_path / "file").write_text("")

    with pytest.raises(LogMisconfigured, match=r"file.hub\.db"):
        prepare(tmp_path / "file" / "hub.db", 4)


def test_another_applications_database_keeps_its_tables(tmp_path: Path) -> None:
    """In a database that has other tables, they stay."""
    path = tmp_path / "hub.db"
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE records (x)")  # as ours was called once
    prepare(path, 4)

    with contextlib.closing(connect(path)) as db:
        assert 0 == one(db, "SELECT count(*) FROM records")


def test_a_full_disk_passes_and_no_database_stays(tmp_path: Path) -> None:
    """What a person must mend is told apart from what ends by itself."""
    path = tmp_path / "hub.db"
    prepare(path, 4)
    with contextlib.closing(connect(path)) as db:
        pages = one(db, "PRAGMA page_count")
        db.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(sqlite3.Error) as full:
            db.execute("CREATE TABLE more AS SELECT zeroblob(100000)")
    with contextlib.closing(sqlite3.connect(":memory:")) as db, pytest.raises(sqlite3.Error) as odd:
        db.execute("SELECT nothing")

    assert isinstance(at_opening(path, full.value), LogUnavailable)
    assert isinstance(at_opening(path, odd.value), LogMisconfigured)
