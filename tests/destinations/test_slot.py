"""Files that processes have to themselves."""

from __future__ import annotations

from pathlib import Path

import pytest

from destinations.slot import SLOTS, Slot


def test_two_never_share_a_file(tmp_path: Path) -> None:
    """Who comes second gets another file."""
    slots = [Slot(tmp_path), Slot(tmp_path)]
    names = [slot.path.name for slot in slots]
    for slot in slots:
        slot.free()

    assert ["0.db", "1.db"] == names


def test_a_restart_finds_its_file_again(tmp_path: Path) -> None:
    """A slot that was let go is the first to be taken again."""
    first = Slot(tmp_path)
    first.path.write_text("warm")
    first.free()
    second = Slot(tmp_path)
    found = second.path.read_text()
    second.free()

    assert "warm" == found


def test_clear_removes_the_file(tmp_path: Path) -> None:
    """Nothing is left of the file, nor of what SQLite keeps beside it."""
    slot = Slot(tmp_path)
    for suffix in ("", "-wal", "-shm"):
        (tmp_path / f"0.db{suffix}").touch()
    slot.clear()
    left = sorted(path.name for path in tmp_path.iterdir())
    slot.free()

    assert ["0.lock"] == left


def test_slots_are_bounded(tmp_path: Path) -> None:
    """One process too many is told so."""
    slots = [Slot(tmp_path) for _ in range(SLOTS)]
    with pytest.raises(BlockingIOError, match="no slot left"):
        Slot(tmp_path)
    for slot in slots:
        slot.free()

    assert SLOTS == len(list(tmp_path.glob("*.lock")))
