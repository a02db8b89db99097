"""One request → its events, each with what the envelope says for all."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from json.decoder import WHITESPACE, scanstring  # type: ignore[attr-defined]
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import orjson

EVENT_BYTES: Final = 32_768
BATCH_BYTES: Final = 524_288
BATCH_EVENTS: Final = 2_500

MERGED_BYTES: Final = 4_194_304
"""What all events of a request may grow to by what is merged into each: an envelope's context
counts once in the batch, and 2,500 times in the log."""

_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})
_NONE: Final[frozenset[int]] = frozenset()
_ONLY: Final = frozenset((0,))
_DECODER: Final = json.JSONDecoder()


class Envelope(NamedTuple):
    """What a request says for all of its events, and the events as they came."""

    items: Sequence[Any]
    context: Mapping[str, Any] = _NOTHING
    integrations: Mapping[str, Any] = _NOTHING
    sent_at: Any = None
    too_large: frozenset[int] = frozenset()


def single(body: Mapping[str, Any], size: int) -> Envelope:
    """The envelope of a single call: the body is the event, `size` its bytes as sent."""
    return Envelope([body], too_large=_ONLY if size > EVENT_BYTES else _NONE)


def batch(body: Mapping[str, Any], text: bytes) -> Envelope:
    """The envelope of a batch; without a list of events it has none.

    An envelope's `timestamp` and `messageId` are not its events' (legacy node, rudder-node, Go).
    """
    items = body.get("batch")
    if not isinstance(items, list):
        items = []
    context = body.get("context")
    integrations = body.get("integrations")
    return Envelope(
        items,
        context if isinstance(context, dict) else _NOTHING,
        integrations if isinstance(integrations, dict) else _NOTHING,
        body.get("sentAt"),
        _too_large(items, text, context, integrations),
    )


def _too_large(
    items: Sequence[Any], text: bytes, context: Any, integrations: Any
) -> frozenset[int]:
    """The places of events that are larger than allowed, by their bytes as sent.

    Most batches need no look at the text, nor at each event: when the largest so far, together with
    all the text that is not accounted for yet, is below the limit, none can be above it.
    """
    shared = _size(context) + _size(integrations)
    if shared > EVENT_BYTES or shared * len(items) > MERGED_BYTES:
        return frozenset(range(len(items)))
    unaccounted = len(text)
    if unaccounted <= EVENT_BYTES:
        return _NONE
    least: list[int] = []
    largest = 0
    for item in items:
        size = _size(item)
        least.append(size)
        largest = max(largest, size)
        unaccounted -= size
        if largest + max(0, unaccounted) <= EVENT_BYTES:
            return _NONE
    sizes = _sizes_as_sent(text)
    if sizes is None or len(sizes) != len(items):
        sizes = least
    return frozenset(index for index, size in enumerate(sizes) if size > EVENT_BYTES)


def _size(value: Any) -> int:
    if not value:
        return 0
    try:
        return len(orjson.dumps(value))
    except TypeError:  # too deep for orjson: the text will tell
        return 0


def _sizes_as_sent(text: bytes) -> list[int] | None:
    """Bytes of each event of the batch in the text; None when the text is stranger than that."""
    try:
        return _walk(text.decode("utf-8-sig"))
    except (ValueError, IndexError, StopIteration, RecursionError):
        return None


def _walk(text: str) -> list[int] | None:
    skip = WHITESPACE.match
    sizes: list[int] | None = None
    at = skip(text, skip(text, 0).end() + 1).end()
    while text[at] == '"':
        name, at = scanstring(text, at + 1, True)
        at = skip(text, skip(text, at).end() + 1).end()  # the colon
        if name == "batch" and text[at] == "[":
            sizes, at = _sizes(text, at + 1)
        else:
            _, at = _DECODER.raw_decode(text, at)
        at = skip(text, at).end()
        at = skip(text, at + 1).end()  # the comma, or the end of the object
        if at >= len(text):
            break
    return sizes


def _sizes(text: str, at: int) -> tuple[list[int], int]:
    skip = WHITESPACE.match
    ascii_ = text.isascii()
    sizes: list[int] = []
    at = skip(text, at).end()
    while text[at] != "]":
        _, end = _DECODER.raw_decode(text, at)
        sizes.append(end - at if ascii_ else len(text[at:end].encode()))
        at = skip(text, end).end()
        if text[at] == ",":
            at = skip(text, at + 1).end()
    return sizes, at + 1
