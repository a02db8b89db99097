"""Dead letters, sent again."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from destinations.deadletters import open_letters
from destinations.plan import Plan
from destinations.replay import LettersReader
from destinations.sender import Sender
from destinations.settings import Delivery
from destinations.worker import Worker
from hub.log.memory import MemoryLog
from hub.log.settings import MemoryLog as MemorySettings
from hub.metrics import Metrics
from tests.destinations.scene import CLOCK, accept, in_order, plan, received, until, working


async def _replay(log: MemoryLog, told: Plan) -> int:
    letters = [letter async for letter in open_letters(log, destination=told.name)]
    reader = LettersReader(log, letters, CLOCK)
    asked = asyncio.Event()
    async with Sender() as sender:
        worker = Worker(told, log, sender, Metrics(), CLOCK, Delivery(commit_seconds=0.02))
        task = asyncio.create_task(worker.run(asked, reader))
        await reader.done.wait()
        asked.set()
        await task
    return reader.settled


async def test_letters_are_delivered_and_settled() -> None:
    """What a vendor refused is sent again in order, and is then no open dead letter."""
    log = MemoryLog(MemorySettings(partitions=3))
    broken = True

    async def refuses(_: Sequence[dict[str, Any]]) -> int:
        return 400 if broken else 200

    async with received() as (receiver, url):
        receiver.says = refuses
        ids = await accept(log, 100)
        async with working(log, plan(url)):
            await until(lambda: receiver.requests == 100)
        broken = False
        settled = await _replay(log, plan(url))
        left = [letter async for letter in open_letters(log)]

    assert 100 == settled
    assert sorted(ids) == sorted(receiver.ids())
    assert in_order(receiver.got)
    assert [] == left


async def test_what_is_refused_again_is_a_new_letter() -> None:
    """A second refusal settles the old letter and leaves one new one, not two."""
    log = MemoryLog(MemorySettings(partitions=1))

    async def refuses(_: Sequence[dict[str, Any]]) -> int:
        return 400

    async with received() as (receiver, url):
        receiver.says = refuses
        await accept(log, 3)
        async with working(log, plan(url)):
            await until(lambda: receiver.requests == 3)
        await _replay(log, plan(url))
        left = [letter async for letter in open_letters(log)]

    assert 3 == len(left)
    assert 6 == receiver.requests


async def test_nothing_to_replay_is_done_at_once() -> None:
    """A reader without letters is done."""
    assert LettersReader(MemoryLog(MemorySettings()), [], CLOCK).done.is_set()
