"""Dead letters: their shape, their listing, their settlement."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

import schemas
from destinations.deadletters import DeadLetter, entry_of, open_letters, settlement_of
from destinations.plan import Plan
from destinations.talk import Reply
from hub.log import DEAD_LETTERS, Log
from hub.log.memory import MemoryLog
from hub.log.settings import MemoryLog as MemorySettings
from tests.destinations.cases import NOW, cases_of, event_of, plan_of


@pytest.fixture
def log() -> MemoryLog:
    return MemoryLog(MemorySettings(partitions=3))


@pytest.fixture
def plan() -> Plan:
    return plan_of(cases_of("webhook")[0], "http://127.0.0.1:1")


def _entry(plan: Plan, number: int, code: str = "http_400", reply: Reply | None = None) -> Any:
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
    )


async def _letters(log: Log, **which: str) -> list[DeadLetter]:
    return [letter async for letter in open_letters(log, **which)]


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
    await log.append(DEAD_LETTERS, [settlement_of(letter) for letter in letters[::2]])
    left = await _letters(log)

    assert 1_200 == len(letters)
    assert [letter.body["id"] for letter in letters[1::2]] == [m.body["id"] for m in left]


async def test_letters_are_chosen_by_instance_and_code(plan: Plan, log: MemoryLog) -> None:
    """Only the asked-for instance's, only with the asked-for code."""
    await log.append(DEAD_LETTERS, [_entry(plan, 1, "a"), _entry(plan, 2, "b")])

    assert 1 == len(await _letters(log, destination="crm", code="b"))
    assert [] == await _letters(log, destination="other")


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
