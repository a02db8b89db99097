"""`ledger` on the command line."""

from __future__ import annotations

import argparse
from pathlib import Path

import orjson
import pytest

from destinations import auditing
from hub.log import Place
from hub.log.opening import open_log
from hub.log.settings import SqliteLog
from tests.destinations.ledgers import Ledgers
from tests.destinations.scene import SECRET


async def _config(folder: Path, committed: int) -> str:
    """Settings of a log with two events, of which one was delivered."""
    log = await open_log(SqliteLog(path=folder / "hub.db", partitions=1))
    scene = Ledgers(folder / "index", log=log)
    await scene.accept("ada", "bob")
    await scene.page("delivered", Place(0, 0), to="hook")
    await scene.commit(committed, to="hook")
    await scene.index.close()
    await log.close()
    path = folder / "hub.toml"
    path.write_text(
        f"[log]\nkind = 'sqlite'\npath = '{folder / 'hub.db'}'\npartitions = 1\n"
        "[destinations.hook]\nvendor = 'webhook'\n"
        f"[destinations.hook.settings]\nurl = 'https://x.invalid'\nsecret = '{SECRET}'\n"
    )
    return str(path)


async def _ledger(config: str, *arguments: str) -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--config")
    auditing.parser(parser.add_subparsers())
    options = parser.parse_args(["--config", config, "ledger", *arguments])
    status: int = await options.run(options)
    return status


async def test_a_table_is_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A row for each source and instance, of all that the log keeps."""
    status = await _ledger(await _config(tmp_path, 1))
    row = capsys.readouterr().out.splitlines()[1]

    assert 0 == status
    assert ["all", "shop", "hook", "2", "1", "0", "0", "0", "1", "0", "0"] == row.split()


async def test_a_difference_is_a_status(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What was passed over in silence ends with status 1, so that a script can watch for it."""
    status = await _ledger(await _config(tmp_path, 2), "--json", "--by", "minute")
    (line,) = capsys.readouterr().out.splitlines()

    assert 1 == status
    assert 1 == orjson.loads(line)["difference"]


async def test_a_range(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Only what was accepted in it."""
    await _ledger(await _config(tmp_path, 1), "--from", "2h", "--to", "1h")

    assert 1 == len(capsys.readouterr().out.splitlines())


async def test_no_time_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A time that is none is refused with what one looks like."""
    config = await _config(tmp_path, 1)
    with pytest.raises(SystemExit):
        await _ledger(config, "--from", "yesterday")

    assert "2026-11-21T10:00:00Z" in capsys.readouterr().err
