"""What became of one messageId."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from destinations import deadletters
from destinations.trace import Tracer
from hub.event import Event
from hub.log import DEAD_LETTERS, REJECTED, Entry
from tests.destinations.invented import plan
from tests.destinations.ledgers import Ledgers


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Ledgers]:
    made = Ledgers(tmp_path)
    yield made
    await made.index.close()


async def _traced(scene: Ledgers, number: int = 0, **instance: Any) -> dict[str, Any]:
    plans = {"crm": plan(**instance)}
    tracer = Tracer(scene.log, scene.index, scene.follower, plans, scene.clock)
    return await tracer.trace(f"m-{number:05d}", 60.0)


async def _at_crm(scene: Ledgers, number: int = 0, **instance: Any) -> dict[str, Any]:
    told: dict[str, Any] = (await _traced(scene, number, **instance))["events"][0]
    found: dict[str, Any] = told["destinations"]["crm"]
    return found


async def test_acceptance_is_told(scene: Ledgers) -> None:
    """Who sent it, what it is, and where it stands."""
    await scene.accept("ada", "bob")
    told = (await _traced(scene, 1))["events"][0]

    assert ("shop", "track", "A", "0:1", None) == tuple(
        told[name] for name in ("source", "type", "name", "place", "twin_of")
    )


async def test_an_unknown_id(scene: Ledgers) -> None:
    """An id that was never seen is so on the whole log, which is said."""
    await scene.accept("ada")
    told = await _traced(scene, 7)

    assert ([], [], {"usable": True, "records_unread": 0}) == (
        told["events"],
        told["rejected"],
        told["looked"],
    )


async def test_a_twin_names_the_first(scene: Ledgers) -> None:
    """What was accepted twice is shown twice, and which of them is delivered."""
    await scene.accept("ada")
    await scene.accept("ada")
    events = (await _traced(scene))["events"]

    assert [("0:0", None), ("0:1", "0:0")] == [(e["place"], e["twin_of"]) for e in events]


async def test_a_request_is_shown_without_values(scene: Ledgers) -> None:
    """The names of an action's fields and the kinds of their values."""
    await scene.accept("ada", properties={"email": "ada@example.org"})
    told = await _traced(scene)

    verdict = told["events"][0]["destinations"]["crm"]["verdict"]

    assert ("send", {"email": "an e-mail address"}) == (verdict["action"], verdict["fields"])
    assert ("POST", "7 bytes") == (verdict["request"]["method"], verdict["request"]["body"])


async def test_consent_is_told(scene: Ledgers) -> None:
    """An event that an instance must not have says so."""
    consent = {"consent": {"categoryPreferences": {"ads": False}}}
    await scene.accept("ada", context=consent)
    told = await _at_crm(scene, consent=("ads",))

    assert {"filtered": "filtered_by_end_user_consent"} == told["verdict"]


async def test_every_attempt_is_told(scene: Ledgers) -> None:
    """With its code, status, vendor's id and wait, in their order, up to the end."""
    (place,) = await scene.accept("ada")
    told: dict[str, Any] = {"action": "send", "at": 1_795_255_200_000}
    await scene.page("failed", place, code="http_500", status=500, wait=2.5, attempts=1, **told)
    await scene.page("delivered", place, vendor_id="req-7", status=200, attempts=2, **told)
    found = await _at_crm(scene)

    assert "delivered" == found["outcome"]
    assert ["failed", "delivered"] == [one["outcome"] for one in found["attempts"]]
    assert ("http_500", 500, "2026-11-21T10:00:02.500Z") == tuple(
        found["attempts"][0][name] for name in ("code", "status", "next_try")
    )
    assert "req-7" == found["attempts"][1]["vendor_id"]


async def test_a_vendors_note_is_redacted(scene: Ledgers) -> None:
    """A vendor echoes what it was told; a trace does not."""
    (place,) = await scene.accept("ada")
    await scene.page("delivered", place, note="dropped ada@example.org")
    found = await _at_crm(scene)

    assert "dropped ***" == found["attempts"][0]["note"]


@pytest.mark.parametrize("settled", [False, True])
async def test_a_dead_letter_is_told(scene: Ledgers, settled: bool) -> None:
    """Where it is, why, and whether somebody has seen to it."""
    (place,) = await scene.accept("ada")
    await scene.page("refused", place, code="invalid")
    letter = deadletters.entry_of(
        plan(),
        Event.of(await scene.record(place)),
        action="send",
        code="invalid",
        reason="no such person: ada@example.org",
        attempts=1,
        first_at=0.0,
        died_at=0.0,
        reply=None,
    )
    (buried,) = await scene.log.append(DEAD_LETTERS, [letter])
    if settled:
        record = await scene.record(buried, DEAD_LETTERS)
        body = orjson.loads(record.value)
        settlement = deadletters.settlement_of(deadletters.DeadLetter(buried, body, record))
        await scene.log.append(DEAD_LETTERS, [settlement])
    found = await _at_crm(scene)

    assert "refused" == found["outcome"]
    assert [("0:0", "invalid", "no such person: ***", settled)] == [
        (one["place"], one["code"], one["reason"], one["settled"]) for one in found["dead_letters"]
    ]


async def test_a_parked_event_is_told(scene: Ledgers) -> None:
    """It waits in `parked`, and where."""
    await scene.park(*await scene.accept("ada"))
    found = await _at_crm(scene)

    assert "parked" == found["outcome"]
    assert ["0:0"] == [one["place"] for one in found["parked"]]


async def test_a_waiting_event_names_its_blocker(scene: Ledgers) -> None:
    """Of its key the first without an end; others' events, and what has ended, block nobody."""
    places = await scene.accept("ada", "ada", "bob", "ada", "ada", "ada")
    await scene.page("delivered", places[0])
    await scene.page("delivered", places[3])
    told: dict[str, Any] = {"code": "http_500", "at": 1_795_255_200_000, "wait": 60}
    await scene.page("failed", places[1], **told)
    await scene.commit(1)
    waiting = (await _at_crm(scene, 5))["waiting"]

    assert (2, 4) == (waiting["before_in_lane"], waiting["before_in_partition"])
    assert ("m-00001", "0:1") == (waiting["blocked_by"]["id"], waiting["blocked_by"]["place"])
    assert ("http_500", "2026-11-21T10:01:00.000Z") == (
        waiting["blocked_by"]["last"]["code"],
        waiting["blocked_by"]["last"]["next_try"],
    )


async def test_the_head_of_a_lane_waits_for_nobody(scene: Ledgers) -> None:
    """What is first of its key is blocked by none."""
    await scene.accept("bob", "ada")
    waiting = (await _at_crm(scene, 1))["waiting"]

    assert (0, 1, None) == (
        waiting["before_in_lane"],
        waiting["before_in_partition"],
        waiting["blocked_by"],
    )


async def test_a_parked_event_names_its_blocker(scene: Ledgers) -> None:
    """Of those of its key that are parked the first without an end; it waits for no partition."""
    places = await scene.accept("ada", "bob", "ada", "ada", "ada")
    await scene.page("failed", places[2], code="http_500")
    await scene.park(*places)
    await scene.page("delivered", places[0], parked=0)
    await scene.commit(5)
    told = await _at_crm(scene, 4)
    waiting = told["waiting"]

    assert "parked" == told["outcome"]
    assert (2, 0) == (waiting["before_in_lane"], waiting["before_in_partition"])
    assert ("m-00002", "0:2", True, "http_500") == (
        waiting["blocked_by"]["id"],
        waiting["blocked_by"]["place"],
        waiting["blocked_by"]["parked"],
        waiting["blocked_by"]["last"]["code"],
    )


async def test_the_head_of_a_parked_lane_waits_for_nobody(scene: Ledgers) -> None:
    """What is first of its key is blocked by none, and neither is it by another instance's."""
    places = await scene.accept("ada", "ada")
    await scene.park(places[0], to="ads")
    await scene.park(places[1])
    waiting = (await _at_crm(scene, 1))["waiting"]

    assert (0, None) == (waiting["before_in_lane"], waiting["blocked_by"])


async def test_an_event_behind_a_parked_lane_names_its_blocker(scene: Ledgers) -> None:
    """It waits in `events`, for what was set aside of its key long before its place."""
    places = await scene.accept("ada", "bob", "ada", "ada", "ada")
    await scene.park(places[0], places[2])
    await scene.commit(3)
    told = await _at_crm(scene, 4)
    waiting = told["waiting"]

    assert "pending" == told["outcome"]
    assert (3, 1) == (waiting["before_in_lane"], waiting["before_in_partition"])
    assert ("m-00000", "0:0", True) == (
        waiting["blocked_by"]["id"],
        waiting["blocked_by"]["place"],
        waiting["blocked_by"]["parked"],
    )


async def test_a_lane_that_was_parked_once_blocks_nobody(scene: Ledgers) -> None:
    """What came back and was delivered is over."""
    places = await scene.accept("ada", "ada", "ada")
    await scene.park(*places[:2])
    await scene.page("delivered", *places[:2])
    await scene.commit(2)
    waiting = (await _at_crm(scene, 2))["waiting"]

    assert (0, None) == (waiting["before_in_lane"], waiting["blocked_by"])


async def test_what_was_passed_over_is_unaccounted(scene: Ledgers) -> None:
    """The place has passed and no line tells of it: that is said, not guessed."""
    await scene.accept("ada", "ada")
    await scene.commit(1)

    assert "unaccounted" == (await _at_crm(scene))["outcome"]


async def test_a_replay_is_told_as_one(scene: Ledgers) -> None:
    """What was delivered by a replay says by which."""
    (place,) = await scene.accept("ada")
    await scene.page("delivered", place, replay="july")
    found = await _at_crm(scene)

    assert "july" == found["attempts"][0]["replay"]


async def test_an_instance_that_is_gone_is_told(scene: Ledgers) -> None:
    """What was delivered to an instance that is not set any more has still happened."""
    (place,) = await scene.accept("ada")
    await scene.page("delivered", place, to="old")
    told = (await _traced(scene))["events"][0]["destinations"]["old"]

    assert ("delivered", {"removed": True}) == (told["outcome"], told["verdict"])


async def test_a_rejected_event_is_found(scene: Ledgers) -> None:
    """What was never accepted says why."""
    body = {
        "source": "shop",
        "code": "missing_type",
        "path": "/type",
        "receivedAt": "2026-11-21T10:00:00.000Z",
        "messageId": "m-00000",
    }
    await scene.log.append(REJECTED, [Entry(b"shop", orjson.dumps(body))])
    (told,) = (await _traced(scene))["rejected"]

    assert ("0:0", "missing_type") == (told["place"], told["code"])


async def test_an_index_that_is_behind_says_so(scene: Ledgers) -> None:
    """An answer that is not from the whole log says how much it has not seen."""
    await scene.accept(*["ada"] * 2_000)
    tracer = Tracer(scene.log, scene.index, scene.follower, {}, scene.clock)
    told = await tracer.trace("m-01999", 0.0)

    assert 0 < told["looked"]["records_unread"] < 2_000
