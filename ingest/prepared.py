"""The answer that nearly all requests get, as bytes that are rendered once and written at once.

Building and rendering the same response anew takes a third of what aiohttp does for a request.
"""

from __future__ import annotations

import asyncio
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus

from aiohttp import web

from ingest.errors import SUCCESS, Answer
from ingest.heads import Headers


class Prepared(web.StreamResponse):
    """A response of HTTP/1.1 on a connection that stays open.

    It is written in the loop's next turn, unless another request was sent ahead. By then aiohttp
    waits for the next request, which can go the fast path; a client that was answered sooner may be
    back before, and so on and on.
    """

    def __init__(self, status: int, text: bytes) -> None:
        super().__init__(status=status)
        self._text = text

    async def prepare(self, request: web.BaseRequest) -> None:
        """Have it written. Raises ConnectionResetError when the client is gone, as aiohttp does."""
        if request.transport is None or request.transport.is_closing():
            raise ConnectionResetError("the client is gone")
        if request.protocol._messages:  # sent ahead: what answers it must not overtake
            request.transport.write(self._text)
        else:
            asyncio.get_running_loop().call_soon(_write, request.transport, self._text)
        request.writer.output_size += len(self._text)
        self._keep_alive = True
        self._eof_sent = True


def _write(transport: asyncio.Transport, text: bytes) -> None:
    if not transport.is_closing():
        transport.write(text)


def prepared(answer: Answer, headers: Headers, now: float) -> Prepared:
    """The response of an answer with these headers; `now` in seconds since the epoch."""
    return Prepared(answer.status, rendered(answer, headers, now))


def rendered(answer: Answer, headers: Headers, now: float) -> bytes:
    """The whole answer as HTTP/1.1 has it; `now` in seconds since the epoch."""
    # A refusal may list thousands of events: only the usual answer is worth its place.
    return _usual(headers, int(now)) if answer is SUCCESS else _text(answer, headers, int(now))


# Origins are what pages send; a site has a few, and a stranger's push out each other.
@lru_cache(maxsize=256)
def _usual(headers: Headers, second: int) -> bytes:
    return _text(SUCCESS, headers, second)


def _text(answer: Answer, headers: Headers, second: int) -> bytes:
    lines = [
        f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}",
        *(f"{name}: {value}" for name, value in (*headers, *answer.headers)),
        f"Content-Type: {answer.content_type}",
        f"Content-Length: {len(answer.body)}",
        f"Date: {formatdate(second, usegmt=True)}",
    ]
    return b"%b\r\n\r\n%b" % ("\r\n".join(lines).encode(), answer.body)
