"""`trace` on the command line."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from destinations import tracing
from hub.log.opening import open_log
from hub.log.settings import SqliteLog
from tests.destinations.scene import SECRET, accept

TOKEN = "a-token-of-some-length"


async def _config(folder: Path, delivery: str = "port = 1\n") -> str:
    """Settings of a log with three events."""
    log = await open_log(SqliteLog(path=folder / "hub.db", partitions=2))
    await accept(log, 3)
    await log.close()
    path = folder / "hub.toml"
    path.write_text(
        f"[log]\nkind = 'sqlite'\npath = '{folder / 'hub.db'}'\npartitions = 2\n"
        f"[delivery]\nindex_path = '{folder / 'index'}'\n{delivery}"
        "[destinations.hook]\nvendor = 'webhook'\n"
        f"[destinations.hook.settings]\nurl = 'https://x.invalid'\nsecret = '{SECRET}'\n"
    )
    return str(path)


async def _trace(config: str, *arguments: str) -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--config")
    tracing.parser(parser.add_subparsers())
    options = parser.parse_args(["--config", config, "trace", *arguments])
    status: int = await options.run(options)
    return status


async def test_without_a_process_the_log_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who has no token, or runs no process, gets the same answer from the log."""
    status = await _trace(await _config(tmp_path), "m-00001")
    out = capsys.readouterr().out

    assert 0 == status
    assert out.startswith("track 'A' from shop, accepted at ")
    assert "  hook: pending\n" in out


async def test_an_id_that_is_nowhere(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Status 1, and a sentence."""
    status = await _trace(await _config(tmp_path), "nobody")

    assert (1, "nobody: not found\n") == (status, capsys.readouterr().out)


async def test_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line that programs read."""
    await _trace(await _config(tmp_path), "m-00001", "--json")
    (line,) = capsys.readouterr().out.splitlines()

    assert "m-00001" == orjson.loads(line)["id"]


async def test_a_running_process_is_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With a token, its warm index answers; an id may hold anything."""
    heard = []

    async def answers(request: web.Request) -> web.Response:
        heard.append((request.match_info["id"], request.headers["Authorization"]))
        told: dict[str, Any] = {
            "id": "a/b",
            "looked": {"usable": True, "records_unread": 0},
            "events": [],
            "rejected": [],
        }
        return web.json_response(told)

    app = web.Application()
    app.add_routes([web.get("/admin/trace/{id:.+}", answers)])
    server = TestServer(app)
    await server.start_server()
    told = f"host = '127.0.0.1'\nport = {server.port}\nadmin_token = '{TOKEN}'\n"
    await _trace(await _config(tmp_path, told), "a/b")
    await server.close()

    assert [("a/b", f"Bearer {TOKEN}")] == heard
    assert "a/b: not found\n" == capsys.readouterr().out


async def test_a_process_that_does_not_answer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is said, and the log is read instead."""
    told = f"port = 1\nadmin_token = '{TOKEN}'\n"
    status = await _trace(await _config(tmp_path, told), "m-00001")

    assert 0 == status
    assert "looking into the log" in capsys.readouterr().err
