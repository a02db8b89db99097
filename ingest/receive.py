"""The bytes of a body: in time, within limits, inflated. The only room that waits for a client."""

from __future__ import annotations

import asyncio
import zlib
from dataclasses import dataclass
from typing import Final

from aiohttp import web
from msgspec import Struct

from ingest.admission import Stay
from ingest.envelope import BATCH_BYTES

_MORE: Final = 4 * BATCH_BYTES
"""Bytes read of a body that is too large: python's SDK writes its key at the end, and what is
refused is charged to its source."""

_GZIP: Final = b"\x1f\x8b"
_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


class Late(Exception):
    """The body did not arrive in time."""


class Crowded(Exception):
    """There is no room for the body."""


class Gone(Exception):
    """The client hung up, or what follows is not HTTP."""


class Body(Struct, frozen=True, gc=False):
    """What arrived. `fault`: the code by which it is refused, else nothing."""

    text: bytes
    size: int
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds that a body may take, and may pause."""

    body: float
    gap: float


async def receive(request: web.BaseRequest, stay: Stay, patience: Patience) -> Body:
    """Read the body of a request. Raises Late, Crowded or Gone."""
    told = request.content_length
    if told is not None and not stay.room.has(min(told, _MORE)):
        raise Crowded
    if request.headers.get("Expect", "").lower() == "100-continue":
        await request.writer.write(_CONTINUE)
        # What is counted so far was no answer; aiohttp refuses to send two.
        request.writer.output_size = 0
    raw = await _read(request, stay, patience)
    return opened(raw, request.headers.get("Content-Encoding", ""), stay)


def opened(raw: bytes, encoding: str, stay: Stay) -> Body:
    """The body that arrived as `raw`, inflated. Raises Crowded."""
    text, fault = raw, ""
    if encoding or raw.startswith(_GZIP):
        text, fault = inflate(raw, encoding.strip().lower())
    if text is not raw and not stay.grow(len(text)):
        raise Crowded
    if not fault and len(text) > BATCH_BYTES:
        fault = "body_too_large"
    return Body(text, len(raw), fault)


async def _read(request: web.BaseRequest, stay: Stay, patience: Patience) -> bytes:
    stream = request.content
    if stream.is_eof():  # small bodies arrive with their head
        raw = b"" if stream.at_eof() else stream.read_nowait()
        if not stay.grow(len(raw)):
            raise Crowded
        return raw
    chunks: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(patience.body):
            while size <= _MORE:
                async with asyncio.timeout(patience.gap):
                    chunk = await stream.readany()
                if not chunk:
                    break
                size += len(chunk)
                if not stay.grow(len(chunk)):
                    raise Crowded
                chunks.append(chunk)
    except TimeoutError:
        raise Late from None
    except (ConnectionError, web.RequestPayloadError):
        raise Gone from None
    return b"".join(chunks)


def inflate(raw: bytes, encoding: str) -> tuple[bytes, str]:
    """The text, and the code of what is wrong with it. Pure.

    gzip is known by its first bytes, whatever the headers say: proxies inflate and leave the
    header, rudder-node sends gzip as a form. What comes out is bounded, so a bomb is a large body.
    """
    if raw.startswith(_GZIP):
        return _inflated(raw, zlib.MAX_WBITS | 16)
    if encoding == "deflate" and raw.lstrip()[:1] != b"{":
        zlib_header = len(raw) > 1 and raw[0] & 0x0F == 8 and (raw[0] << 8 | raw[1]) % 31 == 0
        return _inflated(raw, zlib.MAX_WBITS if zlib_header else -zlib.MAX_WBITS)
    if encoding not in ("", "identity", "gzip", "x-gzip", "deflate"):
        return raw, "bad_encoding"
    return raw, ""


def _inflated(raw: bytes, window: int) -> tuple[bytes, str]:
    out: list[bytes] = []
    size = 0
    rest = raw
    try:
        while rest:
            stream = zlib.decompressobj(window)
            text = stream.decompress(rest, _MORE + 1 - size)
            out.append(text)
            size += len(text)
            if size > _MORE:
                return b"".join(out), "body_too_large"
            if not stream.eof:
                return b"".join(out), "bad_encoding"
            rest = stream.unused_data.lstrip(b"\x00")
    except zlib.error:
        return b"".join(out) or raw, "bad_encoding"
    return b"".join(out), ""
