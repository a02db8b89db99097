"""Two workers of one instance, and a limit that is for both together."""

from __future__ import annotations

import asyncio

from destinations.settings import Delivery
from destinations.spec import Rate, Reply, Request, Window
from destinations.worker import Worker
from hub.clock import FakeClock
from hub.log.memory import MemoryLog
from hub.metrics import Metrics
from tests.destinations.invented import action, plan
from tests.destinations.scene import accept, sample, until


class Counting:
    """Answers all requests, and counts them."""

    def __init__(self) -> None:
        self.requests = 0

    async def send(self, request: Request) -> Reply:
        del request
        self.requests += 1
        return Reply(200)


async def test_two_workers_together_keep_to_the_limit() -> None:
    """While the clock stands still no window moves on: sixteen requests, whoever sends them."""
    clock, log, vendor = FakeClock(), MemoryLog(), Counting()
    asked, both = asyncio.Event(), [Metrics(), Metrics()]
    slow = action(rate=Rate("all", (Window(16, 10.0),)))
    workers = [
        Worker(plan(slow), log, vendor, metrics, clock, Delivery(commit_seconds=0.02))
        for metrics in both
    ]
    async with asyncio.TaskGroup() as group:
        for worker in workers:
            group.create_task(worker.run(asked))
        await until(lambda: [4, 4] == [len(w.standing()["partitions"]) for w in workers])
        await accept(log, 200, people=100)
        held = "destination_backlog"
        await until(lambda: 184 == sum(sample(m, held) for m in both))
        asked.set()

    assert 16 == vendor.requests
