"""Who goes the fast path is told what everybody is told, in the same order, only sooner."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.log.memory import MemoryLog
from ingest.fast_path import Ask
from tests.ingest import scenes
from tests.ingest.lines import AUTHORISED, Line, line, parsed, request
from tests.ingest.scenes import KEY, UNKNOWN, HeldLog, Hub, basic, hub_of, track, zipped


def taken(hub: Hub, raw: bytes) -> bool:
    """Whether the fast path takes a request of these bytes."""
    message, payload = parsed(raw)
    fast_path = hub.process.server.fast_path
    return fast_path.takes(message, payload, "127.0.0.1", lambda *_: None) is not None


@pytest.mark.parametrize("path", ["/v1/track", "/v1/i", "/v1/batch", "/b", "//v1//import"])
async def test_what_came_whole_goes_fast(hub: Hub, path: str) -> None:
    """Single events and batches, by all their paths, valid or not."""
    assert taken(hub, request(track(), AUTHORISED, path=path))
    assert taken(hub, request(b"{", "Content-Encoding: gzip", path=path))


@pytest.mark.parametrize(
    "raw",
    [
        request(b"", path="/healthz", method="GET"),
        request(b"", path="/v1/track", method="OPTIONS"),
        request(b"", path="/v1/pixel/track", method="GET"),
        request(track(), path="/v1/m"),
        request(track(), path="/nowhere"),
        request(track(), path="http://other.example/v1/track"),
        request(track(), "Connection: close"),
        request(track(), "Connection: upgrade", "Upgrade: websocket"),
        request(track(), "Expect: 100-continue"),
        request(track())[:-1],
        request(track()).replace(b"HTTP/1.1", b"HTTP/1.0"),
    ],
)
async def test_all_else_goes_the_usual_way(hub: Hub, raw: bytes) -> None:
    """Whoever must be waited for, leaves afterwards, or asks for something else."""
    assert not taken(hub, raw)


async def test_who_is_late_finds_the_usual_way_only(hub: Hub) -> None:
    """It tells a client to come back on another connection."""
    hub.process.stop_being_ready()

    assert not taken(hub, request(track(), AUTHORISED))


BODIES = st.one_of(
    st.binary(max_size=50),
    st.sampled_from(
        [track(), {"batch": [track(), 1]}, {"batch": []}, [], {"writeKey": KEY, **track()}]
    ).map(orjson.dumps),
    st.builds(track, userId=st.text(max_size=5), event=st.text(max_size=5)).map(zipped),
)
HEADERS = st.lists(
    st.sampled_from(
        [
            AUTHORISED,
            f"Authorization: {basic(UNKNOWN)['Authorization']}",
            "Origin: https://shop.example",
            "Origin: n\xf6",
            "Content-Encoding: gzip",
            "Content-Encoding: br",
            "X-Retry-Count: 3",
            "User-Agent: \xe9",
            "X-Forwarded-For: 10.0.0.1",
        ]
    ),
    max_size=4,
    unique_by=lambda header: header.partition(":")[0],
)


@settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(body=BODIES, headers=HEADERS, path=st.sampled_from(["/v1/track", "/v1/b", "/v1/page"]))
def test_both_ways_tell_the_same(house: Any, body: bytes, headers: list[str], path: str) -> None:
    """And keep the same, whatever is sent: in one piece it goes fast, in two it does not."""
    runner, hub = house
    raw = request(body, *headers, path=path)

    async def told(*pieces: bytes) -> tuple[Any, int]:
        before = len(await hub.events()) + len(await hub.rejected())
        answers = []
        async with line(hub) as one:
            for _ in range(2):  # the second time its head is known
                for piece in pieces:
                    one.write(piece)
                    # What came is read by now, since another that came later is answered.
                    await hub.get("/healthz")
                answers.append(await one.answer())
        return answers, len(await hub.events()) + len(await hub.rejected()) - before

    assert runner.run(told(raw)) == runner.run(told(raw[:-1], raw[-1:]))


async def test_answers_come_in_the_order_of_their_requests() -> None:
    """Of what is sent ahead, too: nothing overtakes what the log still holds."""
    log = HeldLog()
    async with hub_of(scenes.settings(), log) as hub, line(hub) as one:
        one.write(request(track(), AUTHORISED) + request(b"{"))
        await log.entered.wait()
        one.write(request(b"", path="/nowhere", method="GET") + request(track(), AUTHORISED))
        answer = asyncio.create_task(one.answer())
        await hub.get("/healthz")
        assert not answer.done()
        log.free.set()
        statuses = [(await answer)[0]] + [(await one.answer())[0] for _ in range(3)]

    assert [200, 400, 404, 200] == statuses


async def test_many_sent_ahead_are_all_answered(start: Any) -> None:
    """More than aiohttp parses at once, and refused ones between them; none keeps its place."""
    hub = await start(ingest={"max_requests_in_flight": 1})
    count = 200
    async with line(hub) as one:
        for number in range(count):
            one.write(request(track(messageId=f"m{number}"), AUTHORISED))
            one.write(request(track(), path="/v1/track"))
        answers = [await one.answer() for _ in range(2 * count)]

    assert [200, 400] * count == [status for status, _, _ in answers]
    assert {f"m{number}" for number in range(count)} == {
        event["messageId"] for event in await hub.events()
    }


async def test_a_slow_body_does_not_hold_up_what_is_sent_ahead_later(hub: Hub) -> None:
    """aiohttp's parser counts it as unread for ever, and stops before its queue is full."""
    raw = request(track(), AUTHORISED)
    async with line(hub) as one:
        one.write(raw[:-1])
        await hub.get("/healthz")
        one.write(raw[-1:])
        await one.answer()
        one.write(raw * 80)

        assert [200] * 80 == [(await one.answer())[0] for _ in range(80)]


async def sent_before(log: HeldLog, count: int, *lines: Line) -> None:
    """Have each of these connections bring so many requests, before the log holds anything."""
    log.free.set()
    for one in lines:
        for _ in range(count):
            one.write(request(track(), AUTHORISED))
            await one.answer()
    log.free.clear()
    log.entered.clear()


async def test_to_wait_for_an_answer_is_not_to_be_idle(start: Any) -> None:
    """The log may take longer than a connection may do nothing; which then is closed."""
    log = HeldLog()
    hub = await start(log=log, ingest={"idle_seconds": 0.2})
    sent = asyncio.create_task(hub.talk(request(track(), AUTHORISED)))
    await log.entered.wait()
    asyncio.get_running_loop().call_later(0.7, log.free.set)

    assert b"HTTP/1.1 200 OK" == (await sent).partition(b"\r\n")[0]


async def test_the_next_head_takes_no_answer_away(start: Any) -> None:
    """It may begin before, and its time does not run meanwhile."""
    log = HeldLog()
    hub = await start(log=log, ingest={"head_seconds": 0.1})
    async with line(hub) as one:
        one.write(request(track(), AUTHORISED))
        await log.entered.wait()
        one.write(request(track(), AUTHORISED)[:5])
        asyncio.get_running_loop().call_later(0.4, log.free.set)

        assert 200 == (await one.answer())[0]


async def test_what_is_in_flight_at_the_end_is_told_to_leave() -> None:
    """Its answer comes, and the connection ends with it."""
    log = HeldLog()
    async with hub_of(scenes.settings(), log) as hub, line(hub) as one:
        one.write(request(track(), AUTHORISED))
        await log.entered.wait()
        hub.process.stop_being_ready()
        log.free.set()
        status, headers, _ = await one.answer()

        assert (200, "close") == (status, headers["Connection"])
        with pytest.raises(asyncio.IncompleteReadError):
            await one.answer()


@pytest.mark.parametrize("known", [0, 1])
async def test_an_end_waits_for_what_is_in_flight(known: int) -> None:
    """Also when nobody was asked to leave before, and when its head was known."""
    log = HeldLog()
    async with AsyncExitStack() as stack:
        hub = await stack.enter_async_context(hub_of(scenes.settings(), log))
        async with line(hub) as one:
            await sent_before(log, known, one)
            one.write(request(track(), AUTHORISED))
            await log.entered.wait()
            asyncio.get_running_loop().call_later(0.1, log.free.set)
            await stack.aclose()
            status, _, _ = await one.answer()

    assert (200, known + 1) == (status, len(await hub.events()))


async def test_what_came_as_the_end_did_is_answered(hub: Hub) -> None:
    """It was read, and its client would never know."""
    async with line(hub) as one:
        [connection] = hub.process.server.connections
        connection.data_received(request(track(), AUTHORISED))
        connection.close()

        assert 200 == (await one.answer())[0]


async def test_each_answer_gives_a_connection_as_long_again(start: Any) -> None:
    """Tried until the machine lets us be in time."""
    hub = await start(ingest={"idle_seconds": 0.4})

    async def lives() -> bool:
        try:
            async with line(hub) as one:
                for _ in range(2):
                    await asyncio.sleep(0.3)
                    one.write(request(track(), AUTHORISED))
                    await one.answer()
        except (asyncio.IncompleteReadError, ConnectionError):
            return False
        return True

    tries = 20
    while not await lives():
        tries -= 1

        assert tries


@pytest.mark.parametrize("known", [0, 1])
async def test_without_a_place_it_is_put_off(start: Any, known: int) -> None:
    """As on the usual way, and the connection goes on; also when its head was known."""
    log = HeldLog()
    hub = await start(log=log, ingest={"max_requests_in_flight": 1})
    async with line(hub) as first, line(hub) as second:
        await sent_before(log, known, first, second)
        for _ in range(2):
            first.write(request(track()))
            assert 400 == (await first.answer())[0]  # of nobody, and leaves its place
        first.write(request(track(), AUTHORISED))
        await log.entered.wait()
        second.write(request(track(), AUTHORISED))
        status, headers, _ = await second.answer()
        log.free.set()
        assert 200 == (await first.answer())[0]
        second.write(request(track(), AUTHORISED))

        assert 200 == (await second.answer())[0]
    assert (429, "1") == (status, headers["Retry-After"])
    assert 0.0 == await hub.metric("ingest_in_flight_bytes")


async def test_without_room_for_its_bytes_it_is_put_off(start: Any) -> None:
    """And those of others are told as being in flight."""
    log = HeldLog()
    hub = await start(log=log, ingest={"max_bytes_in_flight": 10_000})
    large = request(track(properties={"a": "x" * 9_000}), AUTHORISED)
    async with line(hub) as first, line(hub) as second:
        first.write(request(track(), AUTHORISED))
        await log.entered.wait()
        second.write(large)
        status, headers, _ = await second.answer()
        assert await hub.metric("ingest_in_flight_bytes") > 0
        log.free.set()
        await first.answer()
        second.write(large)

        assert 200 == (await second.answer())[0]
    assert (429, "1") == (status, headers["Retry-After"])
    assert 0.0 == await hub.metric("ingest_in_flight_bytes")


async def test_a_fault_of_ours_is_an_answer(hub: Hub) -> None:
    """Here a call that says nothing; what it took of the room is given back."""
    told: list[tuple[bytes, bool]] = []
    nothing: Any = None
    ask = Ask("single", nothing, (), "")
    hub.process.server.fast_path.gather(ask, b"{}", lambda *answer: told.append(answer))
    assert [] == told  # an answer never comes before the request was taken
    await hub.get("/healthz")

    [(answer, goes_on)] = told
    assert (b"HTTP/1.1 500 Internal Server Error", True) == (answer.split(b"\r\n")[0], goes_on)
    assert 0.0 == await hub.metric("ingest_in_flight_bytes")


async def test_a_body_that_broke_goes_the_usual_way(hub: Hub) -> None:
    """As far as the parser says that it is all there."""
    message, payload = parsed(request(track(), AUTHORISED))
    payload.set_exception(ValueError())

    assert None is hub.process.server.fast_path.takes(message, payload, None, lambda *_: None)


async def test_a_fault_of_the_log_is_an_answer(start: Any) -> None:
    """An answer all the same, and the connection goes on."""

    class BrokenLog(MemoryLog):
        async def append(self, *_: Any) -> Any:
            raise ZeroDivisionError

    hub = await start(log=BrokenLog())
    async with line(hub) as one:
        one.write(request(track(), AUTHORISED))
        status, _, body = await one.answer()
        one.write(request(track(), AUTHORISED))

        assert status == (await one.answer())[0]
    assert (500, False) == (status, orjson.loads(body)["success"])
