"""Dead letters: their shape, their listing, their settlement."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

import schemas
from destinations.deadletters import DeadLetter, entry_of, find, open_letters, settle
from destinations.plan import Plan
from destinations.selection import Selection
from destinations.talk import Reply
from hub.clock import FakeClock
from hub.log import DEAD_LETTERS, Log, Place
from hub.log.memory import MemoryLog
from hub.log.settings import MemoryLog as MemorySettings
from tests.destinations.cases import NOW, cases_of, event_of, plan_of


@pytest.fixture
def log() -> MemoryLog:
    return MemoryLog(MemorySettings(partitions=3))


@pytest.fixture
def plan() -> Plan:
    return plan_of(cases_of("webhook")[0], "http://127.0.0.1:1")


def _entry(
    plan: Plan, number: int, code: str = "http_400", reply: Reply | None = None, replay: str = ""
) -> Any:
    event = event_of({"type": "track", "event": "A", "userId": f"u{number % 4}"}, number)
    return entry_of(
        plan,
        event,
        action="deliver",
        code=code,
        reason="the receiver answered 400",
        attempts=1,
        first_at=NOW,
        died_at=NOW,
        reply=reply,
        replay=replay,
    )


async def _letters(
    log: Log, destination: str | None = None, **words: list[str]
) -> list[DeadLetter]:
    selection = Selection(**{name: frozenset(said) for name, said in words.items()})
    found = open_letters(log, destination=destination, selection=selection)
    return [letter async for letter in found]


async def test_a_dead_letter_has_its_shape(plan: Plan, log: MemoryLog) -> None:
    """It fits schemas/deadletter.json, with the vendor's answer redacted and cut."""
    answer = Reply(400, {}, b'{"no": "ada@ex.org ' + b"word " * 2_000 + b'"}')
    await log.append(DEAD_LETTERS, [_entry(plan, 1, reply=answer)])
    (letter,) = await _letters(log)

    assert [] == schemas.load().deadletter.violations(letter.body)
    assert 400 == letter.body["answer"]["status"]
    assert "ada@ex.org" not in letter.body["answer"]["body"]
    assert len(letter.body["answer"]["body"]) <= 2_048
    assert "crm" == letter.body["destination"]


async def test_open_letters_are_those_not_settled(plan: Plan, log: MemoryLog) -> None:
    """A settlement takes its letter off the list, and no other."""
    await log.append(DEAD_LETTERS, [_entry(plan, n) for n in range(1_200)])
    letters = await _letters(log)
    await settle(log, letters[::2])
    left = await _letters(log)

    assert 1_200 == len(letters)
    assert [letter.body["id"] for letter in letters[1::2]] == [m.body["id"] for m in left]


async def test_letters_are_chosen_by_instance_code_and_event(plan: Plan, log: MemoryLog) -> None:
    """Only the asked-for instance's, only with the asked-for code and of the asked-for event."""
    await log.append(DEAD_LETTERS, [_entry(plan, 1, "a"), _entry(plan, 2, "b")])

    assert 1 == len(await _letters(log, "crm", codes=["b"]))
    assert 2 == len(await _letters(log, "crm", names=["A"], sources=["shop"]))
    assert [] == await _letters(log, "crm", names=["B"])
    assert [] == await _letters(log, "other")


async def test_letters_are_chosen_by_when_they_died(plan: Plan) -> None:
    """From a time on and before another; a settlement counts whenever it came."""
    clock = FakeClock(NOW)
    log = MemoryLog(MemorySettings(partitions=1), clock=clock)
    for number in range(4):
        await log.append(DEAD_LETTERS, [_entry(plan, number)])
        clock.advance(10.0)
    await settle(log, (await _letters(log))[1:2])
    within = Selection(since=NOW + 10.0, until=NOW + 30.0)
    found = [letter.body["id"] async for letter in open_letters(log, selection=within)]

    assert [event_of({"type": "track"}, 2).id] == found


async def test_a_letter_is_found_by_its_place(plan: Plan, log: MemoryLog) -> None:
    """With whether it is open; a settlement is no letter, and beyond the end there is none."""
    (place,) = await log.append(DEAD_LETTERS, [_entry(plan, 1)])
    first = await find(log, place)
    assert first is not None
    await settle(log, [first[0]])
    second = await find(log, place)
    settlement = await find(log, Place(place.partition, place.offset + 1))

    assert first[1]
    assert (first[0], False) == second
    assert settlement is None
    assert await find(log, Place(place.partition, 99)) is None
    assert await find(log, Place(99, 0)) is None


async def test_the_event_is_told_as_it_stood(plan: Plan, log: MemoryLog) -> None:
    """With its place, its key, its headers, and the time at which it was accepted."""
    await log.append(DEAD_LETTERS, [_entry(plan, 3)])
    (letter,) = await _letters(log)
    was = event_of({"type": "track", "event": "A", "userId": "u3"}, 3).record

    assert (was.partition, was.offset, was.key) == (
        letter.event.partition,
        letter.event.offset,
        letter.event.key,
    )
    assert was.headers == letter.event.headers
    assert was.value == letter.event.value


async def test_the_letter_of_a_replay_says_so(plan: Plan) -> None:
    """In its body, which fits its schema, and in a header."""
    entry = _entry(plan, 1, replay="spring")
    body = orjson.loads(entry.value)

    assert [] == schemas.load().deadletter.violations(body)
    assert "spring" == body["replay"]
    assert b"spring" == dict(entry.headers)["replay"]


async def test_the_entry_keeps_the_event_whole(plan: Plan) -> None:
    """What can be replayed is the record as ingest kept it."""
    event = event_of({"type": "track", "event": "A", "userId": "u1", "_metadata": {"x": 1}})
    entry = entry_of(
        plan,
        event,
        action=None,
        code="c",
        reason="r",
        attempts=0,
        first_at=1,
        died_at=2,
        reply=None,
    )

    assert event.body == orjson.loads(entry.value)["event"]
    assert event.record.key == entry.key
