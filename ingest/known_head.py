"""A head that a connection has sent before, known again by its bytes.

An SDK sends the same head with each of its requests; only the length of the body differs. What was
parsed once need not be parsed again, as long as nothing else came between.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from aiohttp import hdrs
from aiohttp.http_parser import RawRequestMessage

from ingest.fast_path import Ask

HEAD_BYTES: Final = 4_096
"""Of a head that is remembered; each connection remembers one."""

HEADS: Final = 8
"""Heads in a row of which none came again; then no more are looked at. A proxy that sends the
requests of many people has a new one each time."""

_END: Final = b"\r\n\r\n"
_DIGITS: Final = 8
_LENGTH: Final = re.compile(
    rb"\r\nContent-Length:[ \t]*([1-9][0-9]{0,7})[ \t]*(?=\r\n)", re.IGNORECASE
)


class KnownHead(NamedTuple):
    """The bytes before and after the digits of the length, and what the head asks."""

    before: bytes
    after: bytes
    ask: Ask

    @classmethod
    def of(cls, head: bytes, ask: Ask) -> KnownHead | None:
        """From the bytes of a head that was parsed; None when it has not one length."""
        found = list(_LENGTH.finditer(head))
        if len(found) != 1:
            return None
        start, end = found[0].span(1)
        return cls(head[:start], head[end:], ask)

    def body_of(self, data: bytes) -> bytes | None:
        """The body when `data` is one whole request with this head, else None."""
        before, after, _ = self
        if not data.startswith(before):
            return None
        start = len(before)
        end = data.find(after, start, start + _DIGITS + len(after))
        digits = data[start:end] if end > start else b""
        # As in `_LENGTH`: what else may stand there is for the parser to judge.
        if not digits.isdigit() or digits[0] == 0x30:
            return None
        body = data[end + len(after) :]
        return body if len(body) == int(digits) else None


class Framing:
    """Where in its requests a connection is, by counting what came.

    Only a connection that is known to stand between two requests may have its next one taken past
    the parser: else the middle of a request could pass for a request.
    """

    __slots__ = ("_head", "_known", "_learnt", "_owed")

    def __init__(self) -> None:
        self._known: KnownHead | None = None
        # Of the one request that came last, if it came in one piece.
        self._head: bytes | None = None
        # Bytes of the request under way that have not come; None when nobody knows.
        self._owed: int | None = 0
        self._learnt = 0

    @property
    def lost(self) -> bool:
        """Nobody knows any more where requests begin; the parser does."""
        return self._owed is None

    def again(self, data: bytes) -> tuple[Ask, bytes] | None:
        """What is asked, and the body, when `data` is a whole request with the known head."""
        known = self._known
        if known is None or self._owed != 0:
            return None
        body = known.body_of(data)
        if body is None:
            return None
        self._learnt = 0
        return known.ask, body

    def learn(self, ask: Ask) -> None:
        """The one request that came last went the fast path, and asked this."""
        if self._head is not None:
            self._known, self._head = KnownHead.of(self._head, ask), None
            self._learnt += 1
            if self._learnt > HEADS:
                self.lose()

    def parsed(self, data: bytes, began: RawRequestMessage | None) -> None:
        """The parser had `data`, in which this request begins, if one does."""
        self._head = None
        if self._owed == 0 and began is not None:
            self._owed = self._lacking(data, began)
        elif self._owed and began is None and len(data) <= self._owed:
            self._owed -= len(data)
        else:
            self.lose()

    def lose(self) -> None:
        """Follow no more."""
        self._owed = self._known = self._head = None

    def _lacking(self, data: bytes, message: RawRequestMessage) -> int | None:
        """How many bytes of the request that begins `data` have not come."""
        end = data.find(_END) + len(_END)
        head = data[:end]
        if (
            not len(_END) <= end <= HEAD_BYTES
            or message.chunked
            or message.upgrade
            or b"\n" in head.replace(b"\r\n", b"")  # a parser might see an end in them
        ):
            return None
        lacks = end + int(message.headers.get(hdrs.CONTENT_LENGTH, "0")) - len(data)
        if lacks == 0:
            self._head = head
        return lacks if lacks >= 0 else None
