"""A numbered file in a folder that one process has to itself, and finds again when it restarts."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Final

SLOTS: Final = 64
"""Processes of one machine that may share a folder."""


class Slot:
    """`path` is ours until `free`, or until this process ends, however it ends."""

    def __init__(self, folder: Path) -> None:
        """Take the first slot that nobody has. Raises OSError."""
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(SLOTS):
            # Beside the file: SQLite's own locks on it would be lost when we close it.
            lock = os.open(folder / f"{number}.lock", os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                os.close(lock)
                continue
            self._lock = lock
            self.path = folder / f"{number}.db"
            return
        raise BlockingIOError(f"{SLOTS} processes share {folder}; it has no slot left")

    def clear(self) -> None:
        """Remove the file, with what SQLite keeps beside it."""
        for suffix in ("", "-wal", "-shm"):
            self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)

    def free(self) -> None:
        """Let another process have it."""
        os.close(self._lock)
