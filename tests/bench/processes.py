"""Processes that are measured: begun, waited for, weighed by what /proc says, and ended."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import orjson

from tests.bench.spent import cpu, tree

HOUSE = Path(__file__).parents[2]
START_SECONDS = 90.0
STOP_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Server:
    """A process that answers at `url`; with it count those that it began."""

    url: str
    pid: int

    @property
    def cpu(self) -> float:
        return cpu(self.pid)

    @property
    def memory(self) -> int:
        """Bytes resident now, of all its processes."""
        return sum(_resident(pid) for pid in tree(self.pid))


def _resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@asynccontextmanager
async def server(
    folder: Path, *arguments: str, port: int, path: str = "", **environment: str
) -> AsyncIterator[Server]:
    """`python -m arguments`, from when it answers 200 on `path` until the block ends."""
    said = folder / f"{arguments[0]}-{port}.out"
    with said.open("wb") as out:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", *arguments),
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(HOUSE), **environment},
            stdout=out,
            stderr=out,
        )
    made = Server(f"http://127.0.0.1:{port}", process.pid)
    try:
        await _ready(process, f"{made.url}/{path}", said)
        yield made
    finally:
        await _end(process)


async def _ready(process: asyncio.subprocess.Process, url: str, said: Path) -> None:
    async with asyncio.timeout(START_SECONDS), aiohttp.ClientSession() as session:
        while True:
            if process.returncode is not None:
                raise RuntimeError(f"it ended:\n{_end_of(said)}")
            with contextlib.suppress(aiohttp.ClientError):
                async with session.get(url) as answer:
                    if answer.status == 200:
                        return
            await asyncio.sleep(0.02)


def _end_of(said: Path) -> str:
    return said.read_text("utf-8", "replace")[-3_000:]


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    try:
        async with asyncio.timeout(STOP_SECONDS):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


async def asked(*arguments: object) -> dict[str, Any]:
    """What `python -m arguments` prints as its last line, of JSON. Raises RuntimeError."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", *map(str, arguments)),
        cwd=HOUSE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        out, said = await process.communicate()
    finally:
        await _end(process)
    if process.returncode:
        raise RuntimeError(f"{arguments[0]} failed:\n{said.decode('utf-8', 'replace')[-3_000:]}")
    found: dict[str, Any] = orjson.loads(out.splitlines()[-1])
    return found


def free_ports(count: int) -> list[int]:
    """Ports that nobody has, held together so that no two are the same."""
    held = [socket.socket() for _ in range(count)]
    try:
        for one in held:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in held]
    finally:
        for one in held:
            one.close()
