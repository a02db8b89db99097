"""The process that delivers, as a whole."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from hub.log.opening import open_log
from hub.log.settings import SqliteLog
from tests.destinations.scene import SECRET, accept, received, until

HOUSE = Path(__file__).parents[2]
TOKEN = "a-token-of-some-length"


def write(folder: Path, url: str, **changes: str) -> Path:
    """Settings with one webhook; `changes` are settings of the instance."""
    path = folder / "hub.toml"
    own = "".join(f"{name} = {value}\n" for name, value in changes.items())
    text = (
        f"[log]\nkind = 'sqlite'\npath = '{folder / 'hub.db'}'\npartitions = 2\n"
        f"[delivery]\nport = 0\ncommit_seconds = 0.05\nindex_path = '{folder / 'index'}'\n"
        f"admin_token = '{TOKEN}'\n"
        f"[destinations.hook]\nvendor = 'webhook'\nretry_seconds = 0.01\n{own}"
        f"[destinations.hook.settings]\nurl = '{url}'\nsecret = '{SECRET}'\n"
        "allow_http = true\nallow_private = true\n"
    )
    # A file that is written in place is read half-written now and then; a person's editor renames.
    (folder / "next.toml").write_text(text)
    os.replace(folder / "next.toml", path)
    return path


class Process:
    """`python -m destinations`, its address, and all that it says."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.said = ""
        self.address = ""
        self.reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            self.said += line.decode()
            if found := re.search(r"metrics at (http://\S+)/metrics", self.said):
                self.address = found.group(1)


@asynccontextmanager
async def running(config: Path) -> AsyncIterator[Process]:
    """The process, until the end of the block; it must then stop in order."""
    process = Process(
        await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "destinations", "--config", str(config)),
            cwd=HOUSE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
    )
    try:
        await until(lambda: process.address != "" or process.process.returncode is not None)
        yield process
        process.process.send_signal(signal.SIGTERM)
        assert 0 == await process.process.wait()
    finally:
        if process.process.returncode is None:
            process.process.kill()
        await process.process.wait()
        await process.reading


@pytest.fixture
async def log(tmp_path: Path):  # type: ignore[no-untyped-def]
    """The log that the process reads."""
    opened = await open_log(SqliteLog(path=tmp_path / "hub.db", partitions=2))
    yield opened
    await opened.close()


async def asked(process: Process, path: str) -> object:
    """An answer under /admin."""
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with (
        aiohttp.ClientSession() as session,
        session.get(process.address + path, headers=headers) as answer,
    ):
        return await answer.json()


async def test_what_is_accepted_twice_is_delivered_once(log, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """Also when the process was started anew in between, and the trace says so."""
    async with received() as (receiver, url):
        config = write(tmp_path, url)
        async with running(config):
            await accept(log, 20)
            await until(lambda: len(receiver.got) == 20)
        async with running(config) as process:
            await accept(log, 20)
            last = await accept(log, 1, first=99)
            await until(lambda: last[0] in receiver.ids())
            told = await asked(process, "/admin/trace/m-00003")

    assert 21 == len(receiver.got)
    assert isinstance(told, dict)
    assert 2 == len(told["events"])


async def test_a_bar_ends_with_a_change_of_the_settings(log, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """A new secret is tried at once, not minutes later, and without a restart."""
    good: list[bool] = []

    async def says(_: object) -> int | web.Response:
        return 200 if good else web.Response(status=410)

    async with received() as (receiver, url):
        receiver.says = says
        config = write(tmp_path, url)
        async with running(config) as process:
            ids = await accept(log, 5)
            await until(lambda: "barred: paused" in process.said)
            stands = await asked(process, "/admin/destinations")
            good.append(True)
            write(tmp_path, url, linger="0.01")
            await until(lambda: set(ids) == set(receiver.ids()))

    assert isinstance(stands, dict)
    assert "barred" == stands["hook"]["state"]
    assert ["deliver"] == [bar["action"] for bar in stands["hook"]["bars"]]


async def test_faulty_settings_change_nothing(log, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """They are told, and the process goes on with those it has."""
    async with received() as (receiver, url):
        config = write(tmp_path, url)
        async with running(config) as process:
            write(tmp_path, url, patience="'much'")
            await until(lambda: "cannot be used" in process.said)
            ids = await accept(log, 3)
            await until(lambda: set(ids) == set(receiver.ids()))

    assert SECRET not in process.said


async def test_a_braked_destination_waits_for_a_person(log, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """After a run of refusals nothing more is buried; let go, it delivers what waits."""
    bad: list[bool] = [True]

    async def says(_: object) -> int:
        return 422 if bad else 200

    async with received() as (receiver, url):
        receiver.says = says
        config = write(tmp_path, url, brake_run="5", max_in_flight="1")
        async with running(config) as process:
            await accept(log, 40, people=40)
            await until(lambda: "braked" in process.said)
            before = receiver.requests
            bad.clear()
            headers = {"Authorization": f"Bearer {TOKEN}"}
            async with (
                aiohttp.ClientSession() as session,
                session.post(
                    process.address + "/admin/destinations/hook/release", headers=headers
                ) as answer,
            ):
                said = await answer.json()
            await until(lambda: len(receiver.got) == 40 - before)

    assert {"released": True} == said
    assert before < 10
