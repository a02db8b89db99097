"""Processes of one instance that need a new token at the same moment."""

from __future__ import annotations

import asyncio
import sys
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from hub.log.opening import open_log
from hub.log.settings import KafkaLog, LogSettings, SqliteLog

ROOT = Path(__file__).parents[2]
PATIENCE = 100.0
"""Seconds; only so that a bug does not hang the run."""


class Vendor:
    """Gives each refresh token one successor, and takes no refresh token twice."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def answer(self, request: web.Request) -> web.Response:
        grant = str((await request.post())["refresh_token"])
        good = grant == f"r{len(self.asked)}" and grant not in self.asked
        self.asked.append(grant)
        if not good:
            return web.json_response({"error": "invalid_grant"}, status=400)
        count = len(self.asked)
        return web.json_response(
            {"access_token": f"t{count}", "refresh_token": f"r{count}", "expires_in": 3_600}
        )


@asynccontextmanager
async def renewing(
    settings: LogSettings, vendor: TestServer
) -> AsyncIterator[asyncio.subprocess.Process]:
    """A process that is ready to want a token."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.destinations.renewing"),
        *(settings.model_dump_json(), str(vendor.make_url("/token"))),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert "ready" == await told(process)
        yield process
    finally:
        process.kill()
        await process.wait()


async def told(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    return (await process.stdout.readline()).decode().strip()


@pytest.fixture(params=["sqlite", pytest.param("kafka", marks=pytest.mark.kafka)])
async def settings(request: pytest.FixtureRequest, tmp_path: Path) -> LogSettings:
    """Settings of a log of each kind that processes share, and that is there."""
    made: LogSettings = SqliteLog(path=tmp_path / "hub.db")
    if request.param == "kafka":
        broker = request.getfixturevalue("kafka_broker")
        made = KafkaLog(bootstrap_servers=broker, topic_prefix=f"t{uuid.uuid4().hex[:12]}.")
    await (await open_log(made)).close()
    return made


async def test_a_race_for_a_token_is_one_request(settings: LogSettings) -> None:
    """Two processes whose token is revoked at once, time and again: each time one of them asks,
    and both go on with the same new token, though the vendor takes no refresh token twice.
    """
    vendor, rounds, got = Vendor(), 5, []
    app = web.Application()
    app.router.add_post("/token", vendor.answer)
    async with AsyncExitStack() as stack, asyncio.timeout(PATIENCE):
        server = await stack.enter_async_context(TestServer(app))
        both = [await stack.enter_async_context(renewing(settings, server)) for _ in range(2)]
        for _ in range(rounds):
            for process in both:
                assert process.stdin is not None
                process.stdin.write(b"\n")
            got.append([await told(process) for process in both])

    assert [[f"t{n}"] * 2 for n in range(1, rounds + 1)] == got
    assert [f"r{n}" for n in range(rounds)] == vendor.asked
