"""What a request's head says: who calls, and what its answer must say for a page to read it."""

from __future__ import annotations

import re
from typing import Final

from aiohttp import hdrs
from multidict import CIMultiDict, CIMultiDictProxy

from ingest.enrich import Connection
from ingest.paths import Path
from ingest.post import Call

Headers = tuple[tuple[str, str], ...]
"""Of an answer: names and values."""

Asked = CIMultiDict[str] | CIMultiDictProxy[str]
"""Of a request."""

CLOSE: Final = ("Connection", "close")

ALLOWED: Final = ("authorization", "content-type", "x-retry-count", "cache-control")
"""Headers that pages may send. A wildcard would not cover `authorization`."""

_PREFLIGHT: Final = (
    ("Access-Control-Allow-Methods", "GET, POST, OPTIONS"),
    ("Access-Control-Max-Age", "86400"),
)
_EXPOSED: Final = ("Access-Control-Expose-Headers", "Retry-After, X-RateLimit-Reset")
_ANYONE: Final = (
    ("Access-Control-Allow-Origin", "*"),
    ("Vary", "Origin"),
    _EXPOSED,
    ("Server", "event-hub"),
)
_NAME: Final = re.compile(r"^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}$")
_ORIGIN: Final = re.compile(r"^[\x21-\x7e]{1,256}$")
_NAMES: Final = 50


def call_of(path: Path, headers: Asked, remote: str | None) -> Call:
    """Who calls, and by which path."""
    retries = headers.get("X-Retry-Count", "0")
    agent = headers.get(hdrs.USER_AGENT)
    forwarded = headers.getall(hdrs.X_FORWARDED_FOR, ())
    return Call(
        path.type,
        Connection(
            remote,
            ",".join(forwarded) if forwarded else "",
            text_of(agent) if agent else None,
            client_side=path.family == "pixel",
        ),
        headers.get(hdrs.AUTHORIZATION),
        headers.get(hdrs.ORIGIN),
        int(retries) if retries.isdecimal() and len(retries) < 10 else 0,
    )


def text_of(header: str) -> str:
    """What a client wrote in a head, with U+FFFD for what was not UTF-8."""
    if header.isascii():
        return header
    return header.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def cors(headers: Asked) -> Headers:
    """What every answer says, by the origin of the page that asks."""
    origin = headers.get(hdrs.ORIGIN)
    if origin is None or not _ORIGIN.match(origin):
        return _ANYONE
    return (
        ("Access-Control-Allow-Origin", origin),
        ("Access-Control-Allow-Credentials", "true"),
        *_ANYONE[1:],
    )


def preflight(headers: Asked) -> Headers:
    """What a browser is told that asks before it sends."""
    asked = headers.get("Access-Control-Request-Headers", "")
    names = [name.strip().lower() for name in asked.split(",")[:_NAMES]]
    more = (name for name in names if _NAME.match(name))
    allowed = ", ".join(dict.fromkeys((*ALLOWED, *more)))
    return (*_PREFLIGHT, ("Access-Control-Allow-Headers", allowed))
