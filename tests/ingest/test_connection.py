"""Heads and bodies that come late, broken, or not at all."""

import asyncio

import orjson
import pytest

from tests.ingest.scenes import KEY, HeldLog, Hub, basic, track

QUICK = {"head_seconds": 0.1, "body_seconds": 0.3, "body_gap_seconds": 0.1, "idle_seconds": 0.3}


def parts(answer: bytes) -> tuple[int, dict[str, str], object]:
    """Status, headers and JSON of one answer, which is all there is."""
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    assert int(headers["Content-Length"]) == len(body)
    return int(first.split()[1]), headers, orjson.loads(body)


@pytest.mark.parametrize(
    "head",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 this is TLS\r\n\r\n",
        b"GET\r\n\r\n",
        b"POST /v1/t HTTP/9.9\r\n\r\n",
        b"POST /v1/t HTTP/1.1\r\n\r\n",
        b"POST /v1/t HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        b"POST /v1/t HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST /v1/t HTTP/1.1\r\nHost: a\r\nbroken header\r\n\r\n",
        b"POST /v1/t HTTP/1.1\r\nHost: a\r\nX: a\x00b\r\n\r\n",
        b"POST http://[ HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 20_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 200 + b"\r\n",
        b"POST /v1/t HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
async def test_what_is_no_http_is_answered_in_json(hub: Hub, head: bytes) -> None:
    """With CORS, since a page may have sent it through a broken proxy."""
    status, headers, said = parts(await hub.talk(head))

    assert (400, "*") == (status, headers["Access-Control-Allow-Origin"])
    assert headers["Content-Type"].startswith("application/json")
    assert {"success": False, "code": "invalid_request", "message": "malformed HTTP"} == said


async def test_a_connection_that_says_nothing_is_closed_without_a_word(start) -> None:
    """Browsers connect ahead of need, and would take a 408 for the answer to what comes next."""
    hub = await start(ingest=QUICK)

    assert b"" == await hub.talk()


async def test_slow_bodies_do_not_take_every_place(start) -> None:
    """A request counts when it has arrived."""
    hub = await start(ingest={"max_requests_in_flight": 1})
    head = b"POST /v1/t HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{"
    writers = []
    for _ in range(5):
        _, writer = await asyncio.open_connection("127.0.0.1", hub.port)
        writer.write(head)
        await writer.drain()
        writers.append(writer)
    status = (await hub.send(track())).status
    for writer in writers:
        writer.close()

    assert 200 == status


@pytest.mark.parametrize("head", [b"P", b"POST /v1/t HTTP/1.1\r\nHost: a\r\nX-Slow: "])
async def test_a_head_that_does_not_end_is_cut_off(start, head: bytes) -> None:
    """It costs a socket for seconds only."""
    hub = await start(ingest=QUICK)
    status, headers, said = parts(await hub.talk(head))

    assert (408, "close", "*") == (
        status,
        headers["Connection"],
        headers["Access-Control-Allow-Origin"],
    )
    assert "the head took too long" == said["message"]


async def test_a_body_that_stops_is_cut_off(start) -> None:
    """Answered, and the connection closed."""
    hub = await start(ingest=QUICK)
    head = b"POST /v1/t HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n"
    status, _, said = parts(await hub.talk(head, b'{"a":'))

    assert (408, "the body took too long") == (status, said["message"])


async def test_a_body_that_trickles_is_cut_off(start) -> None:
    """A byte now and then does not buy more time than a body has."""
    hub = await start(ingest=QUICK)
    reader, writer = await asyncio.open_connection("127.0.0.1", hub.port)
    writer.write(b"POST /v1/t HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n")
    answer = asyncio.create_task(reader.read())
    while not answer.done():
        writer.write(b" ")
        await asyncio.wait((answer,), timeout=0.05)
    writer.close()

    assert 408 == parts(await answer)[0]


async def test_a_body_that_breaks_is_answered_once(hub: Hub) -> None:
    """A chunk of no length: stock aiohttp would wait for the rest of the body for ever."""
    head = b"POST /v1/t HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", hub.port)
    writer.write(head)
    while not await hub.metric('ingest_requests_total{route="health",status="200"}') > 1:
        pass
    writer.write(b'{"a":\r\nZZZ\r\n')
    status, _, said = parts(await reader.read())
    writer.close()

    assert (400, "malformed HTTP") == (status, said["message"])


async def test_a_client_that_leaves_in_its_body_leaves_nothing(hub: Hub) -> None:
    """No event, no place taken, and no line about a fault of ours."""
    _, writer = await asyncio.open_connection("127.0.0.1", hub.port)
    writer.write(b"POST /v1/t HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{")
    await writer.drain()
    writer.close()
    await writer.wait_closed()

    assert 200 == (await hub.send(track())).status
    assert 1 == len(await hub.events())
    assert 0.0 == await hub.metric("ingest_in_flight_bytes")


async def test_expect_continue_is_answered(hub: Hub) -> None:
    """curl and PHP wait for it before a larger body."""
    body = orjson.dumps(track())
    key = basic(KEY)["Authorization"].encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", hub.port)
    writer.write(
        b"POST /v1/t HTTP/1.1\r\nHost: a\r\nConnection: close\r\nExpect: 100-continue\r\n"
        b"Authorization: %s\r\nContent-Length: %d\r\n\r\n" % (key, len(body))
    )
    go_on = await reader.readuntil(b"\r\n\r\n")
    writer.write(body)
    status, _, _ = parts(await reader.read())
    writer.close()

    assert (b"HTTP/1.1 100 Continue\r\n\r\n", 200) == (go_on, status)


async def test_more_connections_than_set_are_told_so(start) -> None:
    """Each costs memory whether it sends or not."""
    hub = await start(ingest={"max_connections": 1})
    assert 200 == (await hub.send(track())).status  # the client's own, kept alive
    status, headers, said = parts(await hub.talk())

    assert (429, "1") == (status, headers["Retry-After"])
    assert "too many requests" == said["message"]


async def test_a_body_much_too_large_is_answered_and_the_connection_survives_it(hub: Hub) -> None:
    """A client that writes all before it reads must not find a reset connection."""
    reply = await hub.post("/v1/b", b"x" * 3_000_000, headers=basic(KEY))

    assert (400, "Exceed payload limit") == (reply.status, reply.message)
    assert 200 == (await hub.send(track())).status


async def test_a_client_gone_while_the_log_is_slow_loses_nothing(start) -> None:
    """The append goes on; the retry is a duplicate."""
    log = HeldLog()
    hub = await start(log=log)
    body = orjson.dumps(track(messageId="m", writeKey=KEY))
    _, writer = await asyncio.open_connection("127.0.0.1", hub.port)
    writer.write(b"POST /v1/t HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    await log.entered.wait()
    writer.close()
    await writer.wait_closed()
    log.free.set()
    reply = await hub.post("/v1/t", body)

    assert 200 == reply.status
    assert 1 == len(await hub.events())
