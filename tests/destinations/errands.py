"""A scene for errands: a worker that carries one out within the test's process."""

from __future__ import annotations

import asyncio
import io
from typing import Any

import orjson

from destinations.errand import Errand
from destinations.meter import Meter
from destinations.plan import Plan
from destinations.settings import Delivery
from destinations.stint import Stint, work
from hub.clock import iso
from hub.event import entry_of
from hub.log import EVENTS, Entry, Log
from tests.destinations.scene import CLOCK, entry


async def carry_out(
    told: Plan, log: Log, errand: Errand[Any], asked: asyncio.Event | None = None
) -> Stint:
    """The whole errand, or until `asked`."""
    asked = asked or asyncio.Event()
    meter = Meter(io.StringIO(), CLOCK.steady())
    delivery = Delivery(commit_seconds=0.02)
    return await work(told, log, errand, delivery, CLOCK, asked, meter, lambda: (0, 0))


def aged(number: int, seconds: float) -> Entry:
    """An event that was accepted so many seconds ago."""
    at = CLOCK.now() - seconds
    event = orjson.loads(entry(number, "u").value)
    return entry_of("shop", {**event, "timestamp": iso(at), "receivedAt": iso(at)}, at)


async def pass_over(log: Log, name: str) -> None:
    """The instance's group is put behind all events, by mistake."""
    reader = await log.open_reader(EVENTS, name)
    await reader.take(1, 0.0)
    spans = next(one.spans for one in await log.status() if one.stream == EVENTS)
    await reader.commit({span.partition: span.end for span in spans})
    await reader.close()
