"""A scene for the engine: a log, a receiver that can be told how to answer, and a worker."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import orjson
from aiohttp import web
from aiohttp.test_utils import TestServer

from destinations.instance import Instance
from destinations.plan import Plan
from destinations.sender import Sender
from destinations.settings import Delivery, DestinationsSettings, plans
from destinations.worker import Worker
from hub.clock import SystemClock, iso
from hub.event import entry_of
from hub.log import EVENTS, Entry, Log
from hub.metrics import Metrics

SECRET = "whsec_" + base64.b64encode(b"0" * 32).decode()
CLOCK = SystemClock()


class Receiver:
    """A webhook's other end: keeps what it said 200 to, answers as `says` decides."""

    def __init__(self) -> None:
        self.requests = 0
        self.got: list[dict[str, Any]] = []
        self.says: Callable[[list[dict[str, Any]]], Awaitable[int | web.Response]] | None = None
        self.heard = asyncio.Event()

    async def answer(self, request: web.Request) -> web.Response:
        self.requests += 1
        self.heard.set()
        said = orjson.loads(await request.read())
        events = [one["data"] for one in (said if isinstance(said, list) else [said])]
        answer: int | web.Response = 200 if self.says is None else await self.says(events)
        if isinstance(answer, int):
            answer = web.Response(status=answer)
        if answer.status == 200:
            self.got += events
        return answer

    def ids(self) -> list[str]:
        return [event["messageId"] for event in self.got]


@asynccontextmanager
async def received():  # type: ignore[no-untyped-def]
    """A receiver and its address."""
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/", receiver.answer)
    server = TestServer(app)
    await server.start_server()
    try:
        yield receiver, str(server.make_url("/"))
    finally:
        await server.close()


def plan(url: str, name: str = "hook", batch: int = 1, **told: Any) -> Plan:
    """A webhook's plan that loses patience with nothing and backs off by milliseconds."""
    settings = {
        "url": url,
        "secret": SECRET,
        "allow_http": True,
        "allow_private": True,
        "batch": batch,
        "timeout": told.pop("timeout", 10.0),
    }
    quick = {"retry_seconds": 0.01, "retry_most_seconds": 0.02, "breaker_seconds": 0.02}
    instance = Instance(vendor="webhook", settings=settings, **{**quick, **told})
    return plans(DestinationsSettings(destinations={name: instance}))[name]


def entry(number: int, person: str, **more: Any) -> Entry:
    """An accepted event, numbered."""
    now = CLOCK.now()
    event = {
        "type": "track",
        "event": "A",
        "userId": person,
        "messageId": f"m-{number:05d}",
        "timestamp": iso(now),
        "receivedAt": iso(now),
        "context": {},
        "properties": {"n": number},
        **more,
    }
    return entry_of("shop", event, now)


async def accept(log: Log, count: int, people: int = 10, first: int = 0) -> list[str]:
    """Append `count` events of `people` in turn; returns their ids."""
    numbers = range(first, first + count)
    await log.append(EVENTS, [entry(n, f"u{n % people}") for n in numbers])
    return [f"m-{n:05d}" for n in numbers]


@asynccontextmanager
async def working(log: Log, *of: Plan, metrics: Metrics | None = None, stop_seconds: float = 5.0):  # type: ignore[no-untyped-def]
    """Workers at work on the log until the block ends."""
    metrics = metrics or Metrics()
    asked = asyncio.Event()
    delivery = Delivery(commit_seconds=0.02, stop_seconds=stop_seconds)
    async with Sender() as sender:
        tasks = [
            asyncio.create_task(Worker(p, log, sender, metrics, CLOCK, delivery).run(asked))
            for p in of
        ]
        try:
            yield metrics
        finally:
            asked.set()
            await asyncio.gather(*tasks)


async def until(holds: Callable[[], bool], seconds: float = 60.0) -> None:
    """Wait for a condition; the bound is only there so that a bug does not hang the run."""
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110 - what is waited for is a socket away
            await asyncio.sleep(0.005)


def sample(metrics: Metrics, name: str, **labels: str) -> float:
    """The sum of a metric's samples with these labels."""
    return sum(
        s.value
        for family in metrics.registry.collect()
        for s in family.samples
        if s.name == name and labels.items() <= s.labels.items()
    )


def in_order(got: list[dict[str, Any]]) -> bool:
    """Whether each person's events came in the order of their numbers."""
    last: dict[str, int] = {}
    for event in got:
        number = event["properties"]["n"]
        if number < last.get(event["userId"], -1):
            return False
        last[event["userId"]] = number
    return True
