"""The lines of a hub that has nothing to do: what it costs to have one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from tests.bench.bench import Bench
from tests.bench.delivering import house, webhook
from tests.bench.reading import Goal, Line, Reading

REST_SECONDS = 2.0


async def idle(bench: Bench, kind: str) -> AsyncIterator[Line]:
    """CPU and memory of a hub with one destination, both processes, to which nobody sends."""
    hub = house(bench, kind, {"orders": webhook("orders", "http://127.0.0.1:9/never")})
    readings, sizes = [], []
    async with hub.ingest() as ingest, hub.delivery() as delivery:
        await asyncio.sleep(REST_SECONDS)
        for _ in range(bench.rounds):
            spent, seconds = ingest.cpu + delivery.cpu, 2 * bench.seconds
            await asyncio.sleep(seconds)
            spent = ingest.cpu + delivery.cpu - spent
            readings.append(Reading(0, seconds, spent))
            sizes.append((ingest.memory + delivery.memory) / 1e6)
    for name, goal, values in (
        (
            "CPU",
            Goal(2.0, "% of a core", at_most=True),
            [100 * r.cpu / r.seconds for r in readings],
        ),
        ("memory", Goal(250.0, "MB", at_most=True), sizes),
    ):
        yield Line(
            name=f"idle hub {kind}, {name}",
            beside="",
            goal=goal,
            values=tuple(values),
            ours=tuple(readings),
            durable=hub.store.durable,
            note="ingest and delivery",
        )
