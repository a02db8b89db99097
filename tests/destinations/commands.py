"""A scene for commands: settings with one webhook, a log, and a command said in this process."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hub.log import Log
from hub.log.opening import open_log
from hub.log.settings import SqliteLog
from tests.destinations.scene import SECRET


def config(folder: Path, url: str, told: str = "") -> str:
    """The path of settings with the instance `hook`; `told` are more lines of its settings."""
    path = folder / "hub.toml"
    path.write_text(
        f"[log]\nkind = 'sqlite'\npath = '{folder / 'hub.db'}'\npartitions = 2\n"
        "[delivery]\nport = 0\ncommit_seconds = 0.05\n"
        "[destinations.hook]\nvendor = 'webhook'\n"
        f"[destinations.hook.settings]\nurl = '{url}'\nsecret = '{SECRET}'\n"
        f"allow_http = true\nallow_private = true\n{told}"
    )
    return str(path)


async def log_in(folder: Path) -> Log:
    """The log of these settings."""
    return await open_log(SqliteLog(path=folder / "hub.db", partitions=2))


async def say(parser: Callable[[Any], None], path: str, *words: str) -> int:
    """Run a command as `python -m destinations` does; its exit status."""
    root = argparse.ArgumentParser()
    root.add_argument("--config")
    parser(root.add_subparsers(dest="command"))
    options = root.parse_args(["--config", path, *words])
    status: int = await options.run(options)
    return status
