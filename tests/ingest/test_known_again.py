"""Requests whose head is known are told and kept as all others, in whatever pieces they come."""

import asyncio
from itertools import count, pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.ingest import scenes
from tests.ingest.lines import AUTHORISED, line, request
from tests.ingest.scenes import HeldLog, Hub, hub_of, track


async def test_what_is_known_again_is_not_parsed_again(hub: Hub) -> None:
    """However its length differs; and its headers still count."""
    async with line(hub) as one:
        [connection] = hub.process.server.connections
        headers = (AUTHORISED, "User-Agent: lib", "Origin: https://a.example")
        for number in range(20):
            context = {"library": {"name": "analytics.js"}}
            body = track(messageId=f"m{number}", properties={"a": "x" * number}, context=context)
            one.write(request(body, *headers))
            _, answered, _ = await one.answer()

            assert "https://a.example" == answered["Access-Control-Allow-Origin"]
        parsed_ones = connection._request_count
    kept = await hub.events()

    assert 2 == parsed_ones  # the one of `line`, and the first
    assert 21 == hub.process.server.requests_count
    assert {f"m{number}" for number in range(20)} == {event["messageId"] for event in kept}
    assert {("lib", "127.0.0.1")} == {
        (event["context"]["userAgent"], event["context"]["ip"]) for event in kept
    }


async def test_a_body_that_looks_like_a_request_is_a_body(hub: Hub) -> None:
    """It came in a piece of its own, behind a head that says how long it is."""
    raw = request(track(messageId="m"), AUTHORISED)
    async with line(hub) as one:
        one.write(raw)
        statuses = [(await one.answer())[0]]
        one.write(request(raw, AUTHORISED)[: -len(raw)])
        await hub.get("/healthz")
        one.write(raw)
        statuses.append((await one.answer())[0])

    assert [200, 400] == statuses
    assert 1 == len(await hub.events())


async def test_a_header_that_looks_like_a_request_is_a_header(hub: Hub) -> None:
    """Its head began behind a whole request."""
    raws = [request(track(messageId=f"m{number}"), AUTHORISED) for number in range(3)]
    async with line(hub) as one:
        one.write(raws[0])
        statuses = [(await one.answer())[0]]
        one.write(raws[1] + b"GET /healthz HTTP/1.1\r\nContent-Length: 0\r\nX-More: ")
        statuses.append((await one.answer())[0])
        one.write(raws[2])
        statuses.append((await one.answer())[0])

    assert [200, 200, 400] == statuses  # a length that is said twice
    assert {"m0", "m1"} == {event["messageId"] for event in await hub.events()}


async def test_what_follows_a_known_head_at_once_waits_for_its_answer() -> None:
    """Also when it is read before the first has gone its way."""
    log = HeldLog()
    async with hub_of(scenes.settings(), log) as hub, line(hub) as one:
        log.free.set()
        raws = [request(track(messageId=f"m{number}"), AUTHORISED) for number in range(4)]
        one.write(raws[0])
        await one.answer()
        log.free.clear()
        [connection] = [one for one in hub.process.server.connections if one._framing._known]
        connection.data_received(raws[1])
        connection.data_received(raws[2] + request(b"", path="/nowhere", method="GET"))
        connection.data_received(raws[3])
        answer = asyncio.create_task(one.answer())
        await hub.get("/healthz")
        assert not answer.done()
        log.free.set()
        statuses = [(await answer)[0]] + [(await one.answer())[0] for _ in range(3)]

        assert [200, 200, 404, 200] == statuses
        assert [f"m{number}" for number in range(4)] == sorted(
            event["messageId"] for event in await hub.events()
        )


@pytest.mark.parametrize("goes_on", [False, True])
async def test_a_known_head_overtakes_nothing(hub: Hub, goes_on: bool) -> None:
    """Also when aiohttp has not yet begun with what came before."""
    raw = request(track(), AUTHORISED)
    async with line(hub) as one:
        one.write(raw)
        await one.answer()
        [connection] = hub.process.server.connections
        connection.data_received(request(b"", path="/nowhere", method="GET"))
        if goes_on:
            connection._go_on()
        connection.data_received(raw)

        assert [404, 200] == [(await one.answer())[0] for _ in range(2)]


async def test_a_head_is_known_by_what_it_asked_itself(hub: Hub) -> None:
    """Not by what the request asked that went just before it."""
    dropped = request(track(), AUTHORISED, path="/v1/m")
    async with line(hub) as one:
        [connection] = hub.process.server.connections
        connection.data_received(request(track(), AUTHORISED))
        connection.data_received(dropped)
        statuses = [(await one.answer())[0] for _ in range(2)]
        one.write(dropped)
        statuses.append((await one.answer())[0])

    assert [200] * 3 == statuses
    assert 1 == len(await hub.events())


async def test_of_two_requests_at_once_nobody_counts_the_bytes(hub: Hub) -> None:
    """One head's length says nothing of the other's."""
    async with line(hub) as one:
        [connection] = hub.process.server.connections
        much = request(track(properties={"a": "x" * 1_000}), AUTHORISED)
        one.write(request(b"", path="/healthz", method="GET") + much[:-990])
        await one.answer()
        lost = connection._framing.lost
        one.write(much[-990:])

        assert 200 == (await one.answer())[0]
    assert lost


async def test_what_is_known_again_as_the_end_comes_is_answered(hub: Hub) -> None:
    """And told to leave, when others were."""
    async with line(hub) as one:
        raw = request(track(), AUTHORISED)
        one.write(raw)
        await one.answer()
        [connection] = hub.process.server.connections
        hub.process.stop_being_ready()
        connection.data_received(raw)
        connection.close()
        status, headers, _ = await one.answer()

    assert (200, "close") == (status, headers["Connection"])


NUMBERS = count()
SENT = st.sampled_from(["known", "known", "known", "other", "batch", "get", "nobody"])
CUTS = st.lists(st.floats(0.0, 1.0), max_size=2)


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(groups=st.lists(st.tuples(st.lists(SENT, min_size=1, max_size=3), CUTS), max_size=8))
@example(groups=[(["known"], []), (["known"], [0.5]), (["known"], [])])
@example(groups=[(["known"], []), (["known", "known"], [0.7]), (["known"], [])])
def test_in_whatever_pieces_it_comes_nothing_is_lost(house: Any, groups: Any) -> None:
    """Each request has its answer, in order, and its event is kept once."""
    runner, hub = house

    def one_of(kind: str) -> tuple[bytes, int]:
        number = next(NUMBERS)
        event = track(messageId=f"n{number}", properties={"a": "x" * (number % 13)})
        match kind:
            case "known":
                return request(event, AUTHORISED), 200
            case "other":
                return request(event, AUTHORISED, f"X-Number: {number}"), 200
            case "batch":
                return request({"batch": [event]}, AUTHORISED, path="/v1/batch"), 200
            case "get":
                return request(b"", path="/healthz", method="GET"), 200
            case _:
                return request(event), 400

    async def conversation() -> tuple[list[int], list[int], int, int]:
        expected, said, kept = [], [], 0
        before = len(await hub.events())
        async with line(hub) as one:
            for kinds, cuts in groups:
                sent = [one_of(kind) for kind in kinds]
                raw = b"".join(text for text, _ in sent)
                places = [0, *sorted(int(cut * len(raw)) for cut in cuts), len(raw)]
                for start, end in pairwise(places):
                    one.write(raw[start:end])
                    await hub.get("/healthz")  # so that pieces are read one by one
                expected += [status for _, status in sent]
                said += [(await one.answer())[0] for _ in sent]
                kept += sum(kind in ("known", "other", "batch") for kind in kinds)
        return expected, said, kept, len(await hub.events()) - before

    expected, said, kept, found = runner.run(conversation())

    assert expected == said
    assert kept == found
