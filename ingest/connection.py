"""One connection: what comes late or is no HTTP is answered in JSON too, and let go.

Stock aiohttp answers a malformed head in plain text and waits for the rest of a slow one without
end; a body that turns out to be no HTTP is waited for as well. Each is cut off here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import cached_property
from typing import Any, Final, TypeGuard

from aiohttp import web
from aiohttp.http_parser import RawRequestMessage

from ingest.errors import Answer, refuse
from ingest.fast_path import Ask, FastPath
from ingest.happenings import Happenings
from ingest.known_head import Framing, KnownHeads

WRITE_SECONDS: Final = 10.0
"""A client that does not read its answer is let go after so long."""

CORS: Final = (("Access-Control-Allow-Origin", "*"), ("Vary", "Origin"))
"""For answers to heads that nobody could read: whose page asked is not known."""


class Connection(web.RequestHandler):
    """aiohttp's protocol with a deadline for heads, and our words for its errors."""

    def __init__(self, server: Server, **settings: Any) -> None:
        super().__init__(server, **settings)
        self._server = server
        self._late: asyncio.TimerHandle | None = None
        self._stuck: asyncio.TimerHandle | None = None
        self._heard = False
        self._answering = False  # on the fast path; of others aiohttp knows
        self._framing: Framing  # from `connection_made` on
        self._again: tuple[Ask, bytes] | None = None  # a request whose head is known

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._framing = Framing(self._server.heads, self._remote)
        if len(self._server.connections) > self._server.max_connections:
            self._server.happenings.unkept("overloaded")
            self._cut(refuse("overloaded", retry_after=1))
        else:
            self._await_head()

    def connection_lost(self, exc: BaseException | None) -> None:
        self._forget_head()
        if self._stuck is not None:
            self._stuck.cancel()
            self._stuck = None
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._listens():
            self._again = self._framing.again(data)
            if self._again is not None:
                self._go_on()
                return
        self._heard = True
        before = self._request_count
        # aiohttp would wake its own task for what comes; which way it goes is decided here.
        waiter, self._waiter = self._waiter, None
        super().data_received(data)
        self._waiter = waiter
        if data and not self._framing.lost:
            self._follow(data, self._request_count - before)
        if self._messages and waiter is not None:
            # Not here: uvloop lets go of the GIL after each of these calls, and the log's threads
            # would come between the events of one turn.
            self._loop.call_soon(self._go_on)
        if self._request_count != before:
            self._forget_head()
            current = self._current_request
            if current is not None and self._messages and not _is_request(self._messages[-1][0]):
                # What should have been more of the body is no HTTP: the body never ends.
                current.content.set_exception(web.RequestPayloadError("malformed body"))
        elif data and self._late is None and self._waiter is not None and not self._answering:
            # A head has begun: a request is waited for, and what came is none yet.
            self._await_head()

    def close(self) -> None:
        """Close when what is being answered is answered; what still comes is not read."""
        self._go_on()  # what came in this very turn has come
        super().close()
        self._lingering_time = 0.0

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stuck = self._loop.call_later(WRITE_SECONDS, self.force_close)

    def resume_writing(self) -> None:
        if self._stuck is not None:
            self._stuck.cancel()
            self._stuck = None
        super().resume_writing()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The answer to what is no HTTP, or to a fault of ours; the connection is closed."""
        del message
        if request.writer.output_size > 0:
            raise ConnectionError("an answer has been begun, another cannot follow")
        if status < 500:
            self._server.happenings.unkept("malformed_head")
        elif exc is not None:
            self._server.happenings.failed(exc)
        answer = refuse("malformed_head" if status < 500 else "internal")
        response = web.Response(
            status=answer.status,
            body=answer.body,
            content_type=answer.content_type,
            headers=dict((*CORS, *answer.headers)),
        )
        response.force_close()
        return response

    def log_exception(self, *args: Any, **kw: Any) -> None:
        """aiohttp's own diary: a client that breaks off is nothing to write down."""
        del args
        error = kw.get("exc_info")
        if isinstance(error, BaseException) and not isinstance(
            error, ConnectionError | web.RequestPayloadError
        ):
            self._server.happenings.failed(error)

    def _listens(self) -> bool:
        """Whether what comes now is the next to go on, and aiohttp has nothing to answer."""
        return self._again is None and not self._messages and self._waiter is not None

    def _follow(self, data: bytes, began: int) -> None:
        """Tell the framing which requests begin in what came."""
        last = self._messages[-1][0] if began else None
        if began > 1 or (last is not None and not _is_request(last)):
            self._framing.lose()
        else:
            self._framing.parsed(data, last)

    def _go_on(self) -> None:
        """The next request goes its way, when the one before has its answer."""
        waiter = self._waiter
        if self._answering or waiter is None or waiter.done():
            return
        if self._again is not None:
            (ask, body), self._again = self._again, None
            self._answering = self._request_in_progress = True
            self._server.requests_count += 1
            self._server.fast_path.gather(ask, body, self._answered)
        elif self._messages and (self._buffer_paused or not self._goes_fast()):
            waiter.set_result(None)

    def _goes_fast(self) -> bool:
        """Whether the first request goes the fast path; what is ours to do then is done."""
        message, payload = self._messages[0]
        if self._parser is None or not _is_request(message):
            return False
        # What a shutdown waits for.
        self._answering = self._request_in_progress = True
        ask = self._server.fast_path.takes(message, payload, self._remote, self._answered)
        if ask is None:
            self._answering = self._request_in_progress = False
            return False
        if len(self._messages) == 1:
            self._framing.learn(ask)
        self._messages.popleft()
        self._parser.message_consumed()
        self._server.requests_count += 1
        return True

    def _answered(self, answer: bytes, goes_on: bool) -> None:
        """The fast path's answer is there."""
        self._answering = self._request_in_progress = False
        if self._handler_waiter is not None:
            self._handler_waiter.set_result(None)
        if self.transport is None or self.transport.is_closing():
            return
        self.transport.write(answer)
        if goes_on:
            self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
            self._go_on()
        else:
            self.force_close()

    def _process_keepalive(self) -> None:
        if self._answering:  # to wait for an answer is not to be idle
            self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
        super()._process_keepalive()

    @cached_property
    def _remote(self) -> str | None:
        """The client's address, as `web.BaseRequest.remote` tells it."""
        name = self.peername
        return str(name[0]) if isinstance(name, tuple) else name

    def _await_head(self) -> None:
        self._late = self._loop.call_later(self._server.head_seconds, self._too_late)

    def _forget_head(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _too_late(self) -> None:
        self._late = None
        if not self._heard:
            # Browsers and proxies connect ahead of need; a 408 would be read as the next answer.
            self.force_close()
            return
        self._server.happenings.unkept("slow_head")
        self._cut(refuse("slow_head"))

    def _cut(self, answer: Answer) -> None:
        """Write an answer where there is no request to answer, and close."""
        if self.transport is not None:
            self.transport.write(_bytes_of(answer))
        self.force_close()


class Server(web.Server):
    """Makes connections; knows how many there may be."""

    def __init__(
        self,
        handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]],
        fast_path: FastPath,
        happenings: Happenings,
        *,
        max_connections: int,
        head_seconds: float,
        idle_seconds: float,
        linger_seconds: float,
    ) -> None:
        self.fast_path = fast_path
        self.heads = KnownHeads()
        self.happenings = happenings
        self.max_connections = max_connections
        self.head_seconds = head_seconds
        self._settings: dict[str, Any] = {
            "keepalive_timeout": idle_seconds,
            "lingering_time": linger_seconds,
            "max_line_size": 16_384,
            "max_field_size": 8_190,
            "max_headers": 64,
            "read_bufsize": 65_536,
            "auto_decompress": False,
            "access_log": None,
        }
        super().__init__(handler)

    def __call__(self) -> Connection:
        return Connection(self, loop=self._loop, **self._settings)


def _is_request(message: object) -> TypeGuard[RawRequestMessage]:
    return hasattr(message, "method")


def _bytes_of(answer: Answer) -> bytes:
    words = {408: "Request Timeout", 429: "Too Many Requests"}[answer.status]
    lines = [
        f"HTTP/1.1 {answer.status} {words}",
        f"Content-Type: {answer.content_type}",
        f"Content-Length: {len(answer.body)}",
        "Connection: close",
        *(f"{name}: {value}" for name, value in (*CORS, *answer.headers)),
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + answer.body
