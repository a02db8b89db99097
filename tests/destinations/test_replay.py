"""A range of the log, sent once more to one instance."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from destinations.deadletters import open_letters
from destinations.ledger import SENDING
from destinations.plan import Plan
from destinations.replay import Range, is_settled, replay, surveyed
from destinations.selection import Selection
from destinations.stint import Stint
from hub.log import EVENTS, Log, Place, StreamStatus
from hub.log.memory import MemoryLog
from hub.log.settings import MemoryLog as MemorySettings
from tests.destinations.errands import aged, carry_out, pass_over
from tests.destinations.ledgers import Ledgers
from tests.destinations.scene import (
    CLOCK,
    accept,
    in_order,
    plan,
    received,
    until,
    working,
)

ANY = Selection()


def fresh() -> Log:
    return MemoryLog(MemorySettings(partitions=3))


async def survey(
    log: Log, selection: Selection = ANY, name: str = "spring", everything: bool = False
) -> Range:
    return await surveyed(log, "hook", selection, CLOCK.now(), replay=name, everything=everything)


async def replayed(log: Log, told: Plan, of: Range, asked: asyncio.Event | None = None) -> Stint:
    return await carry_out(told, log, replay(log, of, CLOCK, 100_000.0), asked)


async def events_of(log: Log) -> StreamStatus:
    return next(status for status in await log.status() if status.stream == EVENTS)


async def refuses(_: Sequence[dict[str, Any]]) -> int:
    return 400


async def test_what_was_passed_over_is_sent_in_order() -> None:
    """Every event of the range goes once, each person's in their order, and all is told."""
    log = fresh()
    async with received() as (receiver, url):
        ids = await accept(log, 200)
        await pass_over(log, "hook")
        of = await survey(log)
        stint = await replayed(log, plan(url), of)

    assert Counter(ids) == Counter(receiver.ids())
    assert in_order(receiver.got)
    assert Stint(200, 0, 0, done=True, state="delivering") == stint
    assert {"sent": 200} == of.chooser.counts


async def test_the_live_lane_is_untouched() -> None:
    """The group's places are what they were; what it has still to do is not done for it."""
    log = fresh()
    async with received() as (receiver, url):
        early = await accept(log, 50)
        await pass_over(log, "hook")
        late = await accept(log, 50, first=50)
        before = (await events_of(log)).groups
        of = await survey(log)
        await replayed(log, plan(url), of)
        after = (await events_of(log)).groups

    assert sorted(early) == sorted(receiver.ids())
    assert {"sent": 50, "pending": 50} == of.chooser.counts
    assert before == after
    assert not set(late) & set(receiver.ids())


async def test_what_was_delivered_is_sent_only_when_asked_for() -> None:
    """By default the ledger's word is taken; a second replay finds nothing to do either."""
    log = fresh()
    async with received() as (receiver, url):
        ids = await accept(log, 40)
        async with working(log, plan(url)):
            await until(lambda: len(receiver.got) == 40)
        careful = await survey(log, name="a")
        await replayed(log, plan(url), careful)
        unchanged = len(receiver.got)
        for _ in range(2):
            bold = await survey(log, name="b", everything=True)
            await replayed(log, plan(url), bold)

    assert 40 == unchanged
    assert {"delivered": 40} == careful.chooser.counts
    assert Counter(ids * 2) == Counter(receiver.ids())
    assert {"done": 40} == bold.chooser.counts


async def test_it_goes_on_where_it_was_stopped() -> None:
    """Asked to stop, it hears out what is on the road; the same name does the rest, once each."""
    log = fresh()
    asked = asyncio.Event()

    async def says(_: Sequence[dict[str, Any]]) -> int:
        if receiver.requests == 100:
            asked.set()
        return 200

    async with received() as (receiver, url):
        receiver.says = says
        ids = await accept(log, 2_000, people=500)
        await pass_over(log, "hook")
        first = await replayed(log, plan(url, max_backlog=50), await survey(log), asked)
        between = len(receiver.got)
        second = await replayed(log, plan(url), await survey(log))

    assert not first.done
    assert 1 == first.status
    assert 100 <= between < 2_000
    assert 0 == second.status
    assert Counter(ids) == Counter(receiver.ids())


async def test_only_those_with_a_code_are_sent() -> None:
    """What was refused is sent by its code; its dead letters are then open no more."""
    log = fresh()

    async def says(events: Sequence[dict[str, Any]]) -> int:
        return 400 if events[0]["userId"] == "u1" else 200

    async with received() as (receiver, url):
        receiver.says = says
        await accept(log, 30)
        async with working(log, plan(url)):
            await until(lambda: receiver.requests == 30)
        receiver.says = None
        of = await survey(log, Selection(codes=frozenset({"http_400"})))
        await replayed(log, plan(url), of)
        letters = [letter async for letter in open_letters(log)]

    assert {"sent": 3, "other_code": 27} == of.chooser.counts
    assert 3 == sum(event["userId"] == "u1" for event in receiver.got)
    assert all(is_settled(of, Place(**letter.body["place"])) for letter in letters)


async def test_a_second_refusal_is_a_dead_letter_that_names_the_replay() -> None:
    """And the replay does not try it a third time."""
    log = fresh()
    async with received() as (receiver, url):
        receiver.says = refuses
        await accept(log, 2)
        await pass_over(log, "hook")
        stint = await replayed(log, plan(url), await survey(log))
        again = await survey(log)
        await replayed(log, plan(url), again)
        letters = [letter.body async for letter in open_letters(log)]

    assert 1 == stint.status
    assert (2, 2) == (stint.refused, receiver.requests)
    assert ["spring", "spring"] == [letter["replay"] for letter in letters]
    assert {"done": 2} == again.chooser.counts


async def test_an_old_event_is_tried_again_when_an_attempt_fails() -> None:
    """Its age is no reason to give up: patience begins with the first attempt."""
    log = fresh()
    failures = [500, 500]

    async def says(_: Sequence[dict[str, Any]]) -> int:
        return failures.pop(0) if failures else 200

    async with received() as (receiver, url):
        receiver.says = says
        await log.append(EVENTS, [aged(0, 30 * 86_400.0)])
        await pass_over(log, "hook")
        stint = await replayed(log, plan(url), await survey(log))

    assert (1, 0) == (stint.delivered, stint.refused)
    assert 3 == receiver.requests


async def test_rules_and_consent_are_judged_again() -> None:
    """As the instance is set now, not as it was."""
    log = fresh()
    async with received() as (receiver, url):
        await accept(log, 4)
        await pass_over(log, "hook")
        deaf = plan(url, sources=("other",))
        stint = await replayed(log, deaf, await survey(log))

    assert 0 == receiver.requests
    assert (0, 4, 0) == (stint.delivered, stint.filtered, stint.status)


async def test_a_range_of_time_is_kept_to() -> None:
    """Only what was appended between the times is looked at."""
    log = fresh()
    await accept(log, 10)
    between = CLOCK.now()
    await accept(log, 10, first=10)
    await pass_over(log, "hook")
    before = await survey(log, Selection(until=between))
    after = await survey(log, Selection(since=between))

    assert (10, 10) == (before.total, after.total)


async def test_a_call_that_was_not_heard_out_is_in_doubt(tmp_path: Path) -> None:
    """After a kill between intent and answer, the same replay knows what it may repeat."""
    log = fresh()
    scene = Ledgers(tmp_path, log=log)
    (place, _) = await scene.accept("a", "b")
    await scene.page(SENDING, place, to="hook", replay="spring")
    await pass_over(log, "hook")
    errand = replay(log, await survey(log), CLOCK, 1.0)

    assert {place.offset} == set(errand.left(place.partition).doubts)
    await errand.close()
