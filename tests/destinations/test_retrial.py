"""Dead letters, sent again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from destinations import ledger
from destinations.deadletters import DeadLetter, open_letters
from destinations.ledger import page_of
from destinations.plan import Plan
from destinations.retrial import retrial
from hub.log import DELIVERIES, EVENTS, Log, Place
from hub.log.memory import MemoryLog
from hub.log.settings import MemoryLog as MemorySettings
from tests.destinations.errands import aged, carry_out
from tests.destinations.scene import CLOCK, accept, in_order, plan, received, until, working


async def letters_of(log: Log) -> list[DeadLetter]:
    return [letter async for letter in open_letters(log)]


async def retry(log: Log, told: Plan) -> None:
    """Send all open letters of the plan's instance."""
    letters = open_letters(log, destination=told.name)
    await carry_out(told, log, retrial("again", log, letters, CLOCK, 100_000.0))


async def lines_of(log: Log, replay: str) -> list[tuple[Place, str]]:
    """The places and outcomes that the pages of a replay tell."""
    found = []
    for status in await log.status():
        for span in status.spans if status.stream == DELIVERIES else ():
            for record in await log.read(DELIVERIES, span.partition, span.first, 100_000):
                page = page_of(record)
                if page.replay == replay:
                    found += [
                        (Place(page.partition, line["offset"]), line["outcome"])
                        for line in page.lines
                    ]
    return found


async def refuses(_: Sequence[dict[str, Any]]) -> int:
    return 400


async def test_letters_are_delivered_and_settled() -> None:
    """What a vendor refused is sent again in order, and is then no open dead letter."""
    log = MemoryLog(MemorySettings(partitions=3))
    async with received() as (receiver, url):
        receiver.says = refuses
        ids = await accept(log, 250)
        async with working(log, plan(url, brake_run=1_000, brake_ratio=1.0)):
            await until(lambda: receiver.requests == 250)
        receiver.says = None
        await retry(log, plan(url))

    assert sorted(ids) == sorted(receiver.ids())
    assert in_order(receiver.got)
    assert [] == await letters_of(log)


async def test_the_ledger_tells_of_the_event_and_not_of_the_letter() -> None:
    """Its lines are about the event's own place, on pages with the retry's name."""
    log = MemoryLog(MemorySettings(partitions=3))
    async with received() as (receiver, url):
        receiver.says = refuses
        await accept(log, 30)
        async with working(log, plan(url)):
            await until(lambda: receiver.requests == 30)
        events = [Place(**letter.body["place"]) for letter in await letters_of(log)]
        receiver.says = None
        await retry(log, plan(url))
        lines = await lines_of(log, "again")

    def where(place: Place) -> tuple[int, int]:
        return place.partition, place.offset

    assert sorted(map(where, events)) == sorted(where(place) for place, _ in lines)
    assert {ledger.DELIVERED} == {outcome for _, outcome in lines}


async def test_what_is_refused_again_is_a_new_letter() -> None:
    """A second refusal settles the old letter and leaves one new one, which names the retry."""
    log = MemoryLog(MemorySettings(partitions=1))
    async with received() as (receiver, url):
        receiver.says = refuses
        await accept(log, 3)
        async with working(log, plan(url)):
            await until(lambda: receiver.requests == 3)
        first = await letters_of(log)
        await retry(log, plan(url))
        second = await letters_of(log)

    assert [letter.body["place"] for letter in first] == [one.body["place"] for one in second]
    assert ["again"] * 3 == [letter.body["replay"] for letter in second]
    assert 6 == receiver.requests


async def test_patience_begins_anew() -> None:
    """A letter that is older than any patience is tried again when an attempt fails."""
    log = MemoryLog(MemorySettings(partitions=1))
    failures = [400, 500, 500]

    async def says(_: Sequence[dict[str, Any]]) -> int:
        return failures.pop(0) if failures else 200

    async with received() as (receiver, url):
        receiver.says = says
        await log.append(EVENTS, [aged(0, 7 * 86_400.0)])
        async with working(log, plan(url)):
            await until(lambda: receiver.requests == 1)
        await retry(log, plan(url))

    assert ["m-00000"] == receiver.ids()
    assert [] == await letters_of(log)
