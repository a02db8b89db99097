"""Requests of one turn are decided together, and each as if it were alone."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from secrets import token_hex
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.enrich import Connection
from ingest.fast_path import Ask
from ingest.keys import hash_of
from ingest.post import Call
from tests.ingest import scenes
from tests.ingest.scenes import KEY, OTHER, UNKNOWN, Hub, basic, track, zipped

ODD_BODIES: tuple[Any, ...] = (
    *({"properties": 5}, {"context": {"direct": True, "ip": None}}, {"event": ""}, {"type": "?"}),
    *({"messageId": "the same"}, {"userId": 7}, {"context": {"library": {"name": "python"}}}),
)
CALLS = st.tuples(
    st.sampled_from(["track", "page", None]),
    st.lists(st.sampled_from([{}, {}, {}, *ODD_BODIES]), max_size=3),
    st.sampled_from([KEY, KEY, KEY, OTHER, UNKNOWN, ""]),
    st.sampled_from(["", "", "", "gzip", "br"]),
)


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(calls=st.lists(CALLS, min_size=1, max_size=8))
def test_company_changes_nothing(
    house: Any, calls: list[tuple[str | None, list[dict[str, Any]], str, str]]
) -> None:
    """Requests of one turn are told what each is told alone, and kept as each alone is."""
    runner, hub = house

    def asks(run: str) -> Iterator[tuple[Ask, bytes]]:
        for number, (type_, odd, key, encoding) in enumerate(calls):
            items = [
                {**track(messageId=f"{number}.{place}"), **one} for place, one in enumerate(odd)
            ]
            for item in items:
                item["messageId"] = f"{run} {item['messageId']}"
            body = orjson.dumps({"batch": items} if type_ is None else (items or [track()])[0])
            call = Call(type_, Connection("::1"), basic(key)["Authorization"])
            yield Ask("batch", call, (), encoding), zipped(body) if encoding == "gzip" else body

    async def told(run: str, together: bool) -> Any:
        fast_path = hub.process.server.fast_path
        answers: dict[int, bytes] = {}
        every = list(asks(run))

        def write(number: int, answer: bytes, goes_on: bool) -> None:
            assert goes_on
            assert number not in answers
            answers[number] = answer.replace(run.encode(), b"")

        for number, (ask, body) in enumerate(every):
            fast_path.gather(ask, body, partial(write, number))
            if not together:
                await scenes.until(lambda number=number: _is_in(number, answers))
        await scenes.until(lambda: _is_in(len(every) - 1, answers))
        kept = [one for one in await hub.events() if one["messageId"].startswith(run)]
        refused = [one for one in await hub.rejected() if run in str(one)]
        ids = sorted(one["messageId"].removeprefix(run) for one in kept)
        return [answers[number] for number in range(len(every))], ids, len(refused)

    assert runner.run(told(token_hex(8), True)) == runner.run(told(token_hex(8), False))


async def _is_in(number: int, answers: dict[int, bytes]) -> bool:
    return len(answers) > number


NOTHING: Any = None
SOUND = Call("track", Connection(), basic(KEY)["Authorization"])


async def answered(hub: Hub, *asked: tuple[Call, dict[str, Any]]) -> list[int]:
    """The statuses that requests of one turn are answered by."""
    answers: dict[int, bytes] = {}

    def write(number: int, answer: bytes, goes_on: bool) -> None:
        assert goes_on
        assert number not in answers
        answers[number] = answer

    for number, (call, body) in enumerate(asked):
        ask = Ask("single", call, (), "")
        hub.process.server.fast_path.gather(ask, orjson.dumps(body), partial(write, number))
    assert {} == answers
    await scenes.until(lambda: _is_in(len(asked) - 1, answers))
    return [int(answers[number].split()[1]) for number in range(len(asked))]


@pytest.mark.parametrize("broken", [0, 1, 2])
@pytest.mark.parametrize("odd", [{}, {"userId": 7}], ids=["plain", "odd"])
@pytest.mark.parametrize("call", [NOTHING, SOUND._replace(connection=NOTHING)], ids=["no", "odd"])
async def test_a_fault_of_ours_is_nobody_elses(
    hub: Hub, broken: int, odd: dict[str, Any], call: Call
) -> None:
    """Who came in the same turn is taken, once; what they said is counted once."""
    bodies = [track(messageId=f"m{number}") for number in range(3)]
    bodies[broken] |= odd
    statuses = await answered(
        hub, *((call if n == broken else SOUND, body) for n, body in enumerate(bodies))
    )
    size = sum(len(orjson.dumps(body)) for n, body in enumerate(bodies) if call or n != broken)

    assert [500 if number == broken else 200 for number in range(3)] == statuses
    assert {f"m{number}" for number in range(3)} - {f"m{broken}"} == {
        event["messageId"] for event in await hub.events()
    }
    assert size == await hub.metric('ingest_request_bytes_total{source="shop"}')
    assert 0.0 == await hub.metric("ingest_in_flight_bytes")
    assert 0.0 == await hub.metric('ingest_duplicates_total{source="shop"}')


async def test_a_fault_before_that_is_nobody_elses_either(hub: Hub) -> None:
    """Here an encoding that is none."""
    answers: list[bytes] = []
    for encoding in ("", NOTHING, 7):
        body = orjson.dumps(track(messageId=f"m{encoding}"))
        write = partial(lambda _, answer, __: answers.append(answer), encoding)
        hub.process.server.fast_path.gather(Ask("single", SOUND, (), encoding), body, write)
    await scenes.until(lambda: _is_in(2, dict(enumerate(answers))))

    assert [b"200", b"200", b"500"] == sorted(answer.split()[1] for answer in answers)
    assert {"m", "mNone"} == {event["messageId"] for event in await hub.events()}
    assert 0.0 == await hub.metric("ingest_in_flight_bytes")


async def test_more_than_is_decided_at_once_is_decided(hub: Hub) -> None:
    """Once each, however much of it comes in a turn."""
    bodies = [track(messageId=f"m{n}", properties={"a": "x" * 30_000}) for n in range(14)]

    assert [200] * 14 == await answered(hub, *((SOUND, body) for body in bodies))
    assert {f"m{n}" for n in range(14)} == {event["messageId"] for event in await hub.events()}
    assert 14 == len(await hub.events())
    assert 0.0 == await hub.metric('ingest_duplicates_total{source="shop"}')


@pytest.mark.parametrize("company", [1, 5])
async def test_a_source_s_settings_are_its_own(start: Any, tmp_path: Path, company: int) -> None:
    """Its plan, and whether its clients' clocks are corrected."""
    rule = {"type": "track", "event": "Tested", "schema": {"required": ["groupId"]}}
    (tmp_path / "tested.json").write_bytes(orjson.dumps(rule))
    third = "shopKEYshopKEYshopKEYshopKEY0003"
    more = {
        "planned": {"keys": (hash_of(UNKNOWN),), "plan": tmp_path, "plan_mode": "enforce"},
        "uncorrected": {"keys": (hash_of(third),), "correct_clocks": False},
    }
    hub = await start(more=more, folder=tmp_path)
    shop, planned, uncorrected = (
        SOUND._replace(authorization=basic(key)["Authorization"]) for key in (KEY, UNKNOWN, third)
    )
    told = {"timestamp": "2026-11-21T08:00:00.000Z", "sentAt": "2026-11-21T09:00:00.000Z"}
    asked = [
        (shop, track(messageId="a", **told)),
        (planned, track(messageId="b", **told)),
        (planned, track(messageId="c", groupId="g", **told)),
        (uncorrected, track(messageId="d", **told)),
    ]
    statuses = await answered(hub, *asked * company) if company > 1 else []
    statuses = statuses or [status for one in asked for status in await answered(hub, one)]

    assert [200, 400, 200, 200] * company == statuses
    assert {("a", 9), ("c", 9), ("d", 8)} == {
        (event["messageId"], int(event["timestamp"][11:13])) for event in await hub.events()
    }
