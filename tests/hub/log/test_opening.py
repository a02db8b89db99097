"""The log that settings mean."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from hub.log.memory import MemoryLog
from hub.log.opening import open_log
from hub.log.settings import MemoryLog as MemorySettings
from hub.log.settings import SqliteLog as SqliteSettings
from hub.log.sqlite import SqliteLog


async def test_the_kind_decides(tmp_path: Path) -> None:
    """Each kind of settings opens its log."""
    memory = await open_log(MemorySettings())
    sqlite = await open_log(SqliteSettings(path=tmp_path / "hub.db"))
    await memory.close()
    await sqlite.close()

    assert [MemoryLog, SqliteLog] == [type(memory), type(sqlite)]


def test_a_client_is_imported_when_asked_for() -> None:
    """Who opens no Kafka log imports no Kafka client."""
    check = "import sys, hub.log.opening; print([m for m in sys.modules if 'kafka' in m])"

    found = subprocess.run([sys.executable, "-c", check], capture_output=True, check=True)

    assert found.stdout == b"[]\n"
