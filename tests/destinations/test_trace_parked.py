"""Traces of events behind a lane that a real worker has set aside, on logs that processes share."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from destinations.admin import routes
from destinations.asking import ask
from destinations.settings import Delivery
from destinations.trace import Tracer
from hub.log import EVENTS, PARKED, Log
from hub.log.opening import open_log
from hub.log.settings import KafkaLog, LogSettings, SqliteLog
from tests.destinations.ledgers import Ledgers
from tests.destinations.scene import entry, plan, received, working
from tests.destinations.test_admin import TOKEN, Standing


@pytest.fixture(params=["sqlite", pytest.param("kafka", marks=pytest.mark.kafka)])
async def log(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Log]:
    """A log of each kind that processes share, with one partition."""
    settings: LogSettings = SqliteLog(path=tmp_path / "hub.db", partitions=1)
    if request.param == "kafka":
        broker = request.getfixturevalue("kafka_broker")
        prefix = f"t{uuid.uuid4().hex[:12]}."
        settings = KafkaLog(bootstrap_servers=broker, topic_prefix=prefix, partitions=1)
    opened = await open_log(settings)
    yield opened
    await opened.close()


async def _parked(log: Log) -> int:
    return len(await log.read(PARKED, 0, 0, 10))


async def _refuses_ada(events: list[dict[str, Any]]) -> int:
    return 500 if events[0]["userId"] == "ada" else 200


async def _set_aside(log: Log, url: str) -> None:
    """A worker parks three events of ada, since bob's are taken all the while."""
    await log.append(EVENTS, [entry(n, "ada") for n in range(3)])
    number = 1_000
    async with working(log, plan(url, park_seconds=0.5, breaker_failures=1_000)):
        while await _parked(log) < 3:
            await log.append(EVENTS, [entry(number, "bob")])
            number += 1


async def test_the_blocker_of_a_parked_lane_is_named(log: Log, tmp_path: Path) -> None:
    """By HTTP, to who asks for an event that is parked behind it, and for one that is not yet."""
    async with received() as (receiver, url):
        receiver.says = _refuses_ada
        await _set_aside(log, url)
        await log.append(EVENTS, [entry(7, "ada")])
        scene = Ledgers(tmp_path / "index", log=log)
        tracer = Tracer(log, scene.index, scene.follower, {"hook": plan(url)}, scene.clock)
        delivery = Delivery.model_validate({"admin_token": TOKEN})
        app = web.Application()
        app.add_routes(routes(delivery, lambda name: tracer.trace(name, 60.0), Standing()))
        async with TestServer(app) as server:
            base = str(server.make_url("")).rstrip("/")
            found = {}
            for number in (0, 2, 7):
                answer = await ask(delivery, "GET", base, f"/admin/trace/m-{number:05d}")
                found[number] = answer["events"][0]["destinations"]["hook"]
        await scene.index.close()
    blockers = {n: told["waiting"]["blocked_by"] for n, told in found.items()}

    assert {0: "parked", 2: "parked", 7: "pending"} == {n: t["outcome"] for n, t in found.items()}
    assert {0: 0, 2: 2, 7: 3} == {n: t["waiting"]["before_in_lane"] for n, t in found.items()}
    assert blockers[0] is None
    for blocker in (blockers[2], blockers[7]):
        assert ("m-00000", True, "http_500") == (
            blocker["id"],
            blocker["parked"],
            blocker["last"]["code"],
        )
