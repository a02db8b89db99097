"""Requests as they are on the wire, and a connection that stays open."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
from aiohttp import StreamReader
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http_parser import HttpRequestParser, RawRequestMessage

from tests.ingest.scenes import KEY, Hub, basic

AUTHORISED = f"Authorization: {basic(KEY)['Authorization']}"


def request(body: Any, *headers: str, path: str = "/v1/track", method: str = "POST") -> bytes:
    """A request as it is on the wire."""
    text = body if isinstance(body, bytes) else orjson.dumps(body)
    lines = [f"{method} {path} HTTP/1.1", "Host: hub", f"Content-Length: {len(text)}", *headers]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + text


class Line:
    """One connection that stays open."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.write = writer.write

    async def answer(self) -> tuple[int, dict[str, str], bytes]:
        """The next one: its status, its headers without the date, and its body."""
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode()
        first, *lines = head.removesuffix("\r\n\r\n").split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines)
        del headers["Date"]
        body = await self._reader.readexactly(int(headers["Content-Length"]))
        return int(first.split()[1]), headers, body


@asynccontextmanager
async def line(hub: Hub) -> AsyncIterator[Line]:
    """A connection that has brought a request already, as the later ones do that go fast."""
    reader, writer = await asyncio.open_connection("127.0.0.1", hub.port)
    one = Line(reader, writer)
    one.write(request(b"", path="/healthz", method="GET"))
    await one.answer()
    try:
        yield one
    finally:
        writer.close()


def parsed(raw: bytes) -> tuple[RawRequestMessage, StreamReader]:
    """A request of these bytes, as the server has it."""
    loop = asyncio.get_running_loop()
    protocol: Any = BaseProtocol(loop)
    [request], _, _ = HttpRequestParser(protocol, loop, 65_536).feed_data(raw)
    return request
