"""One destination at work, on the memory log and over real sockets."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from typing import Any

import orjson
import pytest
from aiohttp import web

from destinations import worker
from destinations.deadletters import open_letters
from destinations.sender import Sender
from destinations.settings import Delivery
from destinations.worker import Worker
from hub.log import DEAD_LETTERS, EVENTS, Entry, LogUnavailable, Place, StreamStatus
from hub.log.memory import MemoryLog, MemoryReader
from hub.log.settings import MemoryLog as MemorySettings
from hub.metrics import Metrics
from tests.destinations.scene import (
    CLOCK,
    accept,
    entry,
    in_order,
    plan,
    received,
    sample,
    until,
    working,
)


@pytest.fixture
def log() -> MemoryLog:
    return MemoryLog(MemorySettings(partitions=4))


async def _lag(log: MemoryLog, group: str) -> int:
    return next(s for s in await log.status() if s.stream == EVENTS).lag(group)


@pytest.mark.parametrize("batch", [1, 20])
async def test_all_is_delivered_once_and_in_order(log: MemoryLog, batch: int) -> None:
    """Every accepted event arrives once, each person's in order, and the place is committed."""
    async with received() as (receiver, url):
        ids = await accept(log, 500)
        async with working(log, plan(url, batch=batch)) as metrics:
            await until(lambda: len(receiver.got) == 500)
        lag = await _lag(log, "hook")

    assert sorted(ids) == sorted(receiver.ids())
    assert in_order(receiver.got)
    assert 0 == lag
    assert 500 == sample(metrics, "destination_delivered_total", destination="hook")
    assert 500 == sample(metrics, "destination_accepted_total", destination="hook")
    assert 0 == sample(metrics, "destination_in_flight", destination="hook")


async def test_a_restart_sends_nothing_again(log: MemoryLog) -> None:
    """What was finished before a stop is not sent after it."""
    async with received() as (receiver, url):
        await accept(log, 50)
        async with working(log, plan(url)):
            await until(lambda: len(receiver.got) == 50)
        more = await accept(log, 1, first=50)
        async with working(log, plan(url)):
            await until(lambda: len(receiver.got) == 51)

    assert more == receiver.ids()[50:]


@pytest.mark.parametrize("batch", [1, 7])
async def test_order_holds_under_failures(log: MemoryLog, batch: int) -> None:
    """With a third of all requests failing in every way, nothing is lost and no order is broken."""
    die = random.Random(5)

    async def moody(_: Sequence[dict[str, Any]]) -> int | web.Response:
        await asyncio.sleep(die.random() * 0.003)
        if die.random() > 0.33:
            return 200
        return die.choice([500, 404, 302, web.Response(status=429, headers={"Retry-After": "0"})])

    async with received() as (receiver, url):
        receiver.says = moody
        ids = await accept(log, 400, people=20)
        async with working(log, plan(url, batch=batch, breaker_failures=1_000)):
            await until(lambda: len(receiver.got) >= 400)

    assert sorted(ids) == sorted(receiver.ids())
    assert in_order(receiver.got)


async def test_a_dead_destination_leaves_the_others_alone(log: MemoryLog) -> None:
    """One vendor hangs: the other gets everything, and the dead one's backlog stays bounded."""

    async def hangs(_: Sequence[dict[str, Any]]) -> int:
        await asyncio.sleep(3_600)
        return 200

    async with received() as (dead, dead_url), received() as (alive, url):
        dead.says = hangs
        ids = await accept(log, 1_000)
        of_dead = plan(dead_url, "dead", timeout=60.0, max_backlog=100)
        async with working(log, of_dead, plan(url, "alive"), stop_seconds=0.1) as metrics:
            await until(lambda: len(alive.got) == 1_000)
            backlog = sample(metrics, "destination_backlog", destination="dead")

    assert sorted(ids) == sorted(alive.ids())
    assert backlog <= 100
    assert 0 == len(dead.got)
    assert 1_000 == await _lag(log, "dead")


async def test_a_refusal_becomes_a_dead_letter(log: MemoryLog) -> None:
    """The event is kept with why, its lane moves on, and its offset is finished."""

    async def picky(events: Sequence[dict[str, Any]]) -> int:
        return 422 if events[0]["properties"]["n"] == 3 else 200

    async with received() as (receiver, url):
        receiver.says = picky
        ids = await accept(log, 10, people=1)
        async with working(log, plan(url)) as metrics:
            await until(lambda: len(receiver.got) == 9)
        letters = [letter.body async for letter in open_letters(log, destination="hook")]

    assert [i for i in ids if i != "m-00003"] == receiver.ids()
    assert [("m-00003", "http_422", 1)] == [(d["id"], d["code"], d["attempts"]) for d in letters]
    assert 0 == await _lag(log, "hook")
    assert 1 == sample(metrics, "destination_dead_lettered_total", code="http_422")


async def test_barred_buries_nothing_and_resumes(log: MemoryLog) -> None:
    """While they do not let us in nothing is lost; a probe finds the door open again."""
    barred = True

    async def gone(_: Sequence[dict[str, Any]]) -> int:
        return 410 if barred else 200

    async with received() as (receiver, url):
        receiver.says = gone
        ids = await accept(log, 30)
        async with working(log, plan(url, barred_seconds=0.05, max_in_flight=1)) as metrics:
            await until(lambda: receiver.requests >= 3)
            told = sample(metrics, "destination_bars_total", destination="hook", code="http_410")
            barred = False
            await until(lambda: len(receiver.got) == 30)

    assert told >= 2
    assert sorted(ids) == sorted(receiver.ids())
    assert [] == [letter async for letter in open_letters(log)]
    assert 0 == sample(metrics, "destination_barred", destination="hook")


async def test_it_stops_while_the_vendor_is_down(log: MemoryLog) -> None:
    """A stop hears out what is in flight up to the deadline and lets go; the rest is read again."""

    async def hangs(_: Sequence[dict[str, Any]]) -> int:
        await asyncio.sleep(3_600)
        return 200

    async with received() as (receiver, url):
        receiver.says = hangs
        ids = await accept(log, 40)
        async with working(log, plan(url, timeout=60.0), stop_seconds=0.05):
            await receiver.heard.wait()
        receiver.says = None
        async with working(log, plan(url)):
            await until(lambda: len(receiver.got) == 40)

    assert sorted(ids) == sorted(receiver.ids())


async def test_an_answer_in_flight_is_heard_out(log: MemoryLog) -> None:
    """A request that is answered after the stop was asked for is not sent again."""
    go = asyncio.Event()

    async def slow(_: Sequence[dict[str, Any]]) -> int:
        await go.wait()
        return 200

    async with received() as (receiver, url):
        receiver.says = slow
        await accept(log, 1)
        async with working(log, plan(url)):
            await receiver.heard.wait()
            asyncio.get_running_loop().call_later(0.05, go.set)
        lag = await _lag(log, "hook")

    assert 1 == len(receiver.got)
    assert 0 == lag


async def test_two_workers_share_and_hand_over(log: MemoryLog) -> None:
    """A second worker takes partitions over and gives them back; order and count hold."""
    die = random.Random(3)

    async def slow(_: Sequence[dict[str, Any]]) -> int:
        await asyncio.sleep(die.random() * 0.002)
        return 200

    async with received() as (receiver, url):
        receiver.says = slow
        ids = await accept(log, 300, people=30)
        async with working(log, plan(url)):
            await until(lambda: len(receiver.got) > 50)
            async with working(log, plan(url)):
                ids += await accept(log, 300, people=30, first=300)
                await until(lambda: len(receiver.got) > 400)
            await until(lambda: len(set(receiver.ids())) == 600)

    assert set(ids) == set(receiver.ids())
    assert in_order(_first_times(receiver.got))


def _first_times(got: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Deliveries without repetitions, which at-least-once allows at a hand-over."""
    return list({event["messageId"]: event for event in reversed(got)}.values())[::-1]


async def test_filtered_events_are_finished(log: MemoryLog) -> None:
    """What is not for the instance is counted by reason and holds nobody up."""
    async with received() as (receiver, url):
        await log.append(EVENTS, [entry(1, "u1", integrations={"All": False}), entry(2, "u1")])
        async with working(log, plan(url)) as metrics:
            await until(lambda: len(receiver.got) == 1)

    assert ["m-00002"] == receiver.ids()
    assert 0 == await _lag(log, "hook")
    assert 1 == sample(
        metrics, "destination_filtered_total", reason="filtered_by_integrations_object"
    )


async def test_a_foreign_record_stops_nobody(log: MemoryLog) -> None:
    """A record that no ingest of ours wrote is left out, and the partition goes on."""
    async with received() as (receiver, url):
        good = entry(2, "u1")
        await log.append(EVENTS, [Entry(good.key, b"\xff not ours"), good])
        async with working(log, plan(url)):
            await until(lambda: len(receiver.got) == 1)

    assert 0 == await _lag(log, "hook")


class Unwilling(MemoryLog):
    """A log that will not take dead letters the first few times."""

    def __init__(self, settings: MemorySettings) -> None:
        super().__init__(settings)
        self.refusals = 2

    async def append(self, stream: str, entries: Sequence[Entry]) -> Sequence[Place]:
        if stream == DEAD_LETTERS and self.refusals:
            self.refusals -= 1
            raise LogUnavailable("away")
        return await super().append(stream, entries)


async def test_a_dead_letter_waits_for_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    """While dead letters cannot be kept, their offsets are not finished and their lanes wait."""
    monkeypatch.setattr("destinations.worker.AGAIN_SECONDS", 0.01)
    log = Unwilling(MemorySettings(partitions=1))

    async def picky(events: Sequence[dict[str, Any]]) -> int:
        return 400 if events[0]["properties"]["n"] == 0 else 200

    async with received() as (receiver, url):
        receiver.says = picky
        await accept(log, 2, people=1)
        async with working(log, plan(url)):
            await until(lambda: len(receiver.got) == 1)
        letters = [letter async for letter in open_letters(log)]

    assert 0 == log.refusals
    assert 1 == len(letters)
    assert {"n": 0} == orjson.loads(letters[0].record.value)["event"]["properties"]


async def test_what_may_be_another_s_is_not_sent(
    log: MemoryLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker whose group gives no sign holds what it has; it goes on when it hears of it."""
    heard = asyncio.Event()
    monkeypatch.setattr(MemoryReader, "in_touch", property(lambda _: heard.is_set()))
    async with received() as (receiver, url):
        await accept(log, 3)
        async with working(log, plan(url)) as metrics:
            await until(lambda: sample(metrics, "destination_backlog") == 3)
            before = len(receiver.got)
            heard.set()
            await until(lambda: len(receiver.got) == 3)

    assert 0 == before


async def test_a_full_backlog_pauses_reading_and_resumes(log: MemoryLog) -> None:
    """No more than `max_backlog` events are held, and none is forgotten."""
    go = asyncio.Event()

    async def slow(_: Sequence[dict[str, Any]]) -> int:
        await go.wait()
        return 200

    async with received() as (receiver, url):
        receiver.says = slow
        ids = await accept(log, 300)
        async with working(log, plan(url, max_backlog=25)) as metrics:
            await receiver.heard.wait()
            await until(lambda: sample(metrics, "destination_backlog") == 25)
            go.set()
            await until(lambda: len(receiver.got) == 300)

    assert sorted(ids) == sorted(receiver.ids())


class Forgetful(MemoryLog):
    """A log that cannot be asked how it stands for a while after it was joined."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0

    async def status(self) -> Sequence[StreamStatus]:
        self.asked += 1
        if 2 <= self.asked <= 4:
            raise LogUnavailable("away")
        return await super().status()


async def test_what_was_taken_is_held_until_its_partition_is_adopted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A log that goes away between giving records and telling what was left loses none of them."""
    monkeypatch.setattr(worker, "AGAIN_SECONDS", 0.01)
    log = Forgetful()
    async with received() as (receiver, url):
        ids = await accept(log, 100)
        async with working(log, plan(url)):
            await until(lambda: len(receiver.got) == len(ids))

    assert log.asked > 4
    assert sorted(ids) == sorted(receiver.ids())


async def test_a_partition_is_not_adopted_while_it_is_let_go(log: MemoryLog) -> None:
    """Its reader still has it until then: the first to let go may not take it up again."""
    may_answer = asyncio.Event()

    async def says(_: list[dict[str, Any]]) -> int:
        await may_answer.wait()
        return 200

    async with received() as (receiver, url), Sender() as sender:
        receiver.says = says
        ids = await accept(log, 40)
        asked = asyncio.Event()
        delivery = Delivery(commit_seconds=0.02)
        one = Worker(plan(url), log, sender, Metrics(), CLOCK, delivery)
        working_one = asyncio.create_task(one.run(asked))
        await receiver.heard.wait()
        async with working(log, plan(url)):
            # Takes go on while answers of what moves are awaited.
            await until(lambda: len(one._leaving) == 2)
            before = one._station._lanes.backlog
            ids += await accept(log, 40, first=40)
            await until(lambda: one._station._lanes.backlog > before)
            among = one._leaving & one._station.partitions
            may_answer.set()
            await until(lambda: {*ids} <= set(receiver.ids()))
        asked.set()
        await working_one

    assert set() == among
