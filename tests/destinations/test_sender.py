"""One HTTP attempt, over real sockets."""

from __future__ import annotations

import asyncio
import gzip
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from destinations.sender import ForbiddenAddress, Sender, Unsent, is_public
from destinations.talk import MAX_REPLY, Request

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]
Serve = Callable[[Answer], Awaitable[str]]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    servers = []

    async def start(answer: Answer) -> str:
        app = web.Application()
        app.router.add_route("*", "/{rest:.*}", answer)
        server = TestServer(app)
        servers.append(server)
        await server.start_server()
        return str(server.make_url("/"))

    yield start
    for server in servers:
        await server.close()


@pytest.fixture
async def sender() -> AsyncIterator[Sender]:
    async with Sender() as made:
        yield made


async def test_says_what_it_was_told(sender: Sender, serve: Serve) -> None:
    """Method, path, headers and body arrive as given; the reply's headers are lower case."""
    heard = {}

    async def answer(request: web.Request) -> web.Response:
        heard.update(
            method=request.method,
            path=request.raw_path,
            type=request.headers["Content-Type"],
            agent=request.headers["User-Agent"],
            body=await request.read(),
        )
        return web.Response(status=207, text="yes", headers={"X-Left": "3"})

    url = await serve(answer)
    reply = await sender.send(
        Request("PUT", f"{url}a%20b?c=%2F", {"Content-Type": "text/odd"}, b"{}")
    )

    assert (207, b"yes", "3") == (reply.status, reply.body, reply.headers["x-left"])
    assert {
        "method": "PUT",
        "path": "/a%20b?c=%2F",
        "type": "text/odd",
        "agent": "event-hub/0.1",
        "body": b"{}",
    } == heard


@pytest.mark.parametrize(
    "headers",
    [
        *({"Authorization": value} for value in ("a\r\nX-Ours: no", "a\nb", "a\rb", "a\0b")),
        {"X\r\nY": "a"},
        {"Content-Length": "1"},
    ],
)
async def test_a_head_is_one(sender: Sender, serve: Serve, headers: dict[str, str]) -> None:
    """A token with a line break at its end is not sent, and begins no header of its own; nor is
    what contradicts the length of the body.
    """
    asked = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.headers)
        return web.Response()

    url = await serve(answer)
    with pytest.raises(Unsent, match="http_protocol"):
        await sender.send(Request("POST", url, headers, b"12"))

    assert [] == asked


async def test_what_a_request_says_goes_before_what_we_say(sender: Sender, serve: Serve) -> None:
    """Our own headers are there unless a request has its own, in any case of letters."""
    asked = {}

    async def answer(request: web.Request) -> web.Response:
        asked.update({name: request.headers.getall(name) for name in ("Accept", "User-Agent")})
        return web.Response()

    await sender.send(Request("POST", await serve(answer), {"ACCEPT": "text/odd"}, b"x"))

    assert {"Accept": ["text/odd"], "User-Agent": ["event-hub/0.1"]} == asked


async def test_each_request_says_its_own(sender: Sender, serve: Serve) -> None:
    """Requests whose headers have the same names say what each says, per cents and all; of a
    header that is said twice the last counts.
    """
    asked = []

    async def answer(request: web.Request) -> web.Response:
        asked.append((request.headers.getall("X%d"), request.headers.get("Content-Length")))
        return web.Response()

    url = await serve(answer)
    for method, headers, body in (
        ("POST", {"X%d": "1%s"}, b"12"),
        ("POST", {"X%d": "2"}, b""),
        ("GET", {"X%d": "3"}, b""),
        ("GET", {"X%d": "4", "x%D": "5"}, b""),
        ("POST", {"X%d": "6", "x%D": "7"}, b"123"),
    ):
        await sender.send(Request(method, url, headers, body))

    assert [
        (["1%s"], "2"),
        (["2"], "0"),
        (["3"], None),
        (["5"], None),
        (["7"], "3"),
    ] == asked


async def test_a_connection_is_used_again_as_long_as_that_can_be(
    sender: Sender, serve: Serve
) -> None:
    """After a reply that was read to its end, and not after one that was cut or says close."""
    connections = []

    async def answer(request: web.Request) -> web.Response:
        connections.append(request.transport)
        match request.path:
            case "/empty":
                return web.Response(status=204)
            case "/close":
                return web.Response(headers={"Connection": "close"})
            case _:
                return web.Response(body=b"0" * (2 * MAX_REPLY))

    url = await serve(answer)
    for path in ("empty", "empty", "long", "close", "empty"):
        await sender.send(Request("GET", url + path))

    assert [True, True, False, False] == [
        one is other for one, other in itertools.pairwise(connections)
    ]


async def test_follows_no_redirect_and_keeps_no_cookie(sender: Sender, serve: Serve) -> None:
    """A redirect is a reply like any other, and what a vendor sets is not sent back."""
    cookies = []

    async def answer(request: web.Request) -> web.Response:
        cookies.append(request.headers.get("Cookie"))
        return web.Response(status=307, headers={"Location": "/else", "Set-Cookie": "a=b"})

    url = await serve(answer)
    replies = [await sender.send(Request("POST", url, {}, b"x")) for _ in range(2)]

    assert [307, 307] == [reply.status for reply in replies]
    assert [None, None] == cookies


async def test_reads_no_more_than_it_should(sender: Sender, serve: Serve) -> None:
    """An endless body is cut, also one that is small on the wire and endless when inflated."""

    async def answer(request: web.Request) -> web.Response:
        if request.path == "/zip":
            bomb = gzip.compress(b"0" * (50 * MAX_REPLY))
            return web.Response(body=bomb, headers={"Content-Encoding": "gzip"})
        return web.Response(body=b"0" * (3 * MAX_REPLY))

    url = await serve(answer)
    plain = await sender.send(Request("GET", url))
    zipped = await sender.send(Request("GET", f"{url}zip"))

    assert MAX_REPLY == len(plain.body)
    assert MAX_REPLY == len(zipped.body)


async def test_a_silent_vendor_is_given_up(sender: Sender, serve: Serve) -> None:
    """The timeout covers the whole attempt, also a body that never ends."""

    async def answer(request: web.Request) -> web.StreamResponse:
        if request.path == "/drip":
            response = web.StreamResponse()
            await response.prepare(request)
            await response.write(b"x")
        await asyncio.sleep(3_600)
        return web.Response()

    url = await serve(answer)
    for path in ("", "drip"):
        with pytest.raises(Unsent, match="timeout"):
            await sender.send(Request("GET", url + path, timeout=0.1))


async def test_who_takes_a_connection_and_says_nothing_is_given_up(sender: Sender) -> None:
    """The timeout covers the way to a vendor, too: here a TLS handshake that is not answered."""
    ended = asyncio.Event()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        ended.set()

    async with await asyncio.start_server(listen, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(Unsent, match="timeout"):
            await sender.send(Request("GET", f"https://127.0.0.1:{port}/", timeout=0.1))
        await ended.wait()


async def test_no_reply_has_a_bounded_reason(sender: Sender, serve: Serve) -> None:
    """Refused connections, lost ones, unknown names, and nonsense are each one word."""

    async def answer(request: web.Request) -> web.Response:
        assert request.transport is not None
        request.transport.close()
        return web.Response()

    url = await serve(answer)
    reasons = []
    for target in (url, "http://127.0.0.1:1/", "http://no-such-host.invalid/", "gopher://x/"):
        with pytest.raises(Unsent) as caught:
            await sender.send(Request("POST", target, {}, b"x"))
        reasons.append(caught.value.reason)

    assert ["connection_lost", "connection_refused", "dns", "http_protocol"] == reasons


async def test_garbage_for_an_answer_is_unsent(sender: Sender) -> None:
    """What is not HTTP is no reply."""

    async def garbage(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.write(b"\x00\x01 hello\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(garbage, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(Unsent, match="http_protocol"):
            await sender.send(Request("GET", f"http://127.0.0.1:{port}/"))


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "127.1",
        "0x7f000001",
        "2130706433",
        "017700000001",
        "0.0.0.0",  # noqa: S104 - an address to be refused
        "10.0.0.1",
        "172.16.3.4",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "[::1]",
        "[::]",
        "[fe80::1]",
        "[fc00::1]",
        "[ff02::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:169.254.169.254]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
    ],
)
async def test_private_addresses_are_refused(sender: Sender, serve: Serve, host: str) -> None:
    """With `public_only`, no spelling of an address that is not public is connected to."""
    asked = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response()

    port = (await serve(answer)).rsplit(":", 1)[1]
    with pytest.raises(ForbiddenAddress):
        await sender.send(Request("POST", f"http://{host}:{port}", {}, b"x", public_only=True))

    assert [] == asked


def test_public_addresses_are_public() -> None:
    """The guard lets the internet through."""
    assert is_public("93.184.216.34")
    assert is_public("2606:2800:220:1:248:1893:25c8:1946")
    assert is_public("::ffff:8.8.8.8")
    assert not is_public("nonsense")
