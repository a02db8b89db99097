"""A head that was seen before from the same address, known again by its bytes.

An SDK sends the same head with each of its requests; only the length of the body differs. What was
parsed once need not be parsed again, as long as nothing else came between. A connection looks for
its own last head, and then for those of all: a proxy sends many SDKs' requests over each of its
connections, and some SDKs open one for each request.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from aiohttp import hdrs
from aiohttp.http_parser import RawRequestMessage

from ingest.fast_path import Ask

HEAD_BYTES: Final = 4_096
"""Of a head that is remembered; each connection remembers one, and all together some more."""

HEADS: Final = 1_000
"""That all connections remember together; then they begin anew."""

NEW_HEADS: Final = 8
"""Of a connection in a row, none of which came again; then it looks at no more. A proxy that sends
the requests of many people has a new one each time."""

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


class KnownHeads:
    """What all connections of a process have learnt, by the address at their other end."""

    def __init__(self) -> None:
        self._known: dict[tuple[str | None, bytes, bytes], KnownHead] = {}

    def add(self, remote: str | None, head: KnownHead) -> None:
        """Remember it."""
        if len(self._known) >= HEADS:
            self._known.clear()
        self._known[remote, head.before, head.after] = head

    def find(self, remote: str | None, data: bytes) -> KnownHead | None:
        """The known head that `data` begins with, if it begins with one."""
        length = _LENGTH.search(data, 0, HEAD_BYTES)
        if length is None:
            return None
        start, stop = length.span(1)
        end = data.find(_END, stop, HEAD_BYTES) + len(_END)
        return self._known.get((remote, data[:start], data[stop:end]))


class Framing:
    """Where in its requests a connection is, by counting what came.

    Only a connection that is known to stand between two requests may have its next one taken past
    the parser: else the middle of a request could pass for a request.
    """

    __slots__ = ("_head", "_heads", "_known", "_learnt", "_owed", "_remote")

    def __init__(self, heads: KnownHeads, remote: str | None) -> None:
        self._heads = heads
        self._remote = remote
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
        """What is asked, and the body, when `data` is a whole request with a known head."""
        if self._owed != 0:
            return None
        known = self._known
        body = None if known is None else known.body_of(data)
        if body is None:
            known = self._heads.find(self._remote, data)
            body = None if known is None else known.body_of(data)
        if known is None or body is None:
            return None
        self._known, self._learnt = known, 0
        return known.ask, body

    def learn(self, ask: Ask) -> None:
        """The one request that came last went the fast path, and asked this."""
        if self._head is not None:
            self._known, self._head = KnownHead.of(self._head, ask), None
            if self._known is not None:
                self._heads.add(self._remote, self._known)
            self._learnt += 1
            if self._learnt > NEW_HEADS:
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
