"""A worker is killed in the middle of its work, and another goes on."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from destinations.ledger import page_of
from destinations.sender import Sender
from destinations.settings import Delivery
from destinations.worker import Worker
from hub.log import DELIVERIES, Log
from hub.log.settings import SqliteLog as Settings
from hub.log.sqlite import SqliteLog
from hub.metrics import Metrics
from tests.destinations.scene import CLOCK, accept, in_order, plan, received, until, working

PEOPLE = 2_000


@pytest.fixture
async def path(tmp_path: Path) -> AsyncIterator[Path]:
    """Where a log lies that outlives who opens it."""
    return tmp_path / "hub.db"


async def opened(path: Path) -> Log:
    return await SqliteLog.open(Settings(path=path, partitions=4), lease=1.0)


class Killed:
    """A worker that ends without a word: no commit, no answer heard, no partition let go."""

    def __init__(self, log: Log, sender: Sender, **told: object) -> None:
        self._worker = Worker(told["plan"], log, sender, Metrics(), CLOCK, Delivery())  # type: ignore[arg-type]
        self.task = asyncio.create_task(self._worker.run(asyncio.Event()))
        self._log = log

    async def kill(self) -> None:
        """As SIGKILL would: what waits in memory is gone, and so is what was not durable."""
        await self._log.close()
        everything = [t for t in asyncio.all_tasks() if t is not asyncio.current_task()]
        mine = {self.task, *self._worker._rides._of}
        for task in everything:
            name = task.get_name()
            if task in mine or name.startswith("hook "):
                task.cancel()
        await asyncio.wait(mine, timeout=10.0)


async def test_ten_thousand_in_flight_and_only_what_was_really_in_flight_goes_again(
    path: Path,
) -> None:
    """One of 2,000 people is not taken, so nothing is committed past the first event: a second
    worker sends again what the first had on the road, and not the thousands behind it.
    """
    async with received() as (receiver, url), Sender() as sender:
        stuck: list[str] = []

        async def says(events: list[dict[str, object]]) -> int:
            if events[0]["userId"] == "u0":
                stuck.append(str(events[0]["messageId"]))
                return 503
            return 200

        receiver.says = says
        log = await opened(path)
        ids = await accept(log, 10_000, PEOPLE)
        of = plan(url, batch=1, max_in_flight=16, breaker_failures=1_000)
        first = Killed(log, sender, plan=of)
        await until(lambda: len(receiver.got) >= 4_000)
        await first.kill()
        before = Counter(receiver.ids())
        receiver.says = None
        log = await opened(path)
        async with working(log, of):
            await until(lambda: len(set(receiver.ids())) == len(ids))
        await log.close()
    again = sum(Counter(receiver.ids()).values()) - len(ids)

    assert sum(before.values()) >= 4_000
    assert stuck
    # Sixteen on the road, and what was answered within the ledger's 10 ms and one append.
    assert again < 400
    assert in_order(receiver.got[len(before) :])


async def test_every_event_is_in_the_ledger_once(path: Path) -> None:
    """After an orderly stop and a new start: one delivered line for each event, none twice."""
    async with received() as (receiver, url):
        log = await opened(path)
        for first in (0, 500):
            ids = await accept(log, 500, 50, first=first)
            async with working(log, plan(url)):
                await until(lambda: {*ids} <= set(receiver.ids()))  # noqa: B023
        lines = await told(log)
        await log.close()

    assert 1_000 == len(receiver.got)
    assert {f"m-{n:05d}": 1 for n in range(1_000)} == Counter(lines)


async def told(log: Log) -> list[str]:
    """The ids of all that the ledger calls delivered."""
    ids = []
    for status in await log.status():
        if status.stream != DELIVERIES:
            continue
        for span in status.spans:
            for record in await log.read(DELIVERIES, span.partition, span.first, 100_000):
                ids += [one["id"] for one in page_of(record).lines if one["outcome"] == "delivered"]
    return ids
