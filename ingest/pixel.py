"""The pixel: an event in an image's address, from e-mails and AMP pages. Pure."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

from ingest.errors import Answer
from ingest.text import Malformed, parse

GIF: Final = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
"""One transparent dot, answered whatever happens: a broken image in an e-mail helps nobody."""

ANSWER: Final = Answer(200, GIF, (("Cache-Control", "no-store"),), "image/gif")

_FIELDS: Final = 1_000
_LEVELS: Final = 32

# In the dotted form all values are text; here `false` must not be taken for a truth.
_TRUTHS: Final = ("integrations.", "context.consent.categoryPreferences.", "context.direct")


def body_of(query: str) -> bytes | None:
    """The JSON in `data=`: base64 of either alphabet, padded or not; None without `data`.

    Raises Malformed when it is no base64.
    """
    given = dict(_pairs(query)).get("data")
    if given is None:
        return None
    # A plus sign that was not escaped in the address has become a space.
    text = given.strip().replace(" ", "+").replace("-", "+").replace("_", "/").rstrip("=")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise Malformed("data is no base64") from None


def event_of(query: str) -> tuple[dict[str, Any], int]:
    """The event of a query, and its bytes: `data=`, else dotted keys such as `properties.a.b`.

    Raises Malformed when `data` is no JSON object.
    """
    body = body_of(query)
    if body is None:
        return _expanded(_pairs(query)), len(query)
    event = parse(body)
    if not isinstance(event, dict):
        raise Malformed("data is no object")
    return event, len(body)


def key_of(query: str, event: Mapping[str, Any]) -> str:
    """The write key: the event's own, or one that stands beside its `data`."""
    key = event.get("writeKey")
    if isinstance(key, str):
        return key
    try:
        return dict(_pairs(query)).get("writeKey", "")
    except Malformed:
        return ""


def _pairs(query: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(query, keep_blank_values=True, errors="replace", max_num_fields=_FIELDS)
    except ValueError:
        raise Malformed(f"more than {_FIELDS:,} fields") from None


def _expanded(pairs: list[tuple[str, str]]) -> dict[str, Any]:
    event: dict[str, Any] = {}
    for name, text in pairs:
        *outer, last = name.split(".", _LEVELS)
        place = event
        for step in outer:
            inner = place.get(step)
            if not isinstance(inner, dict):
                inner = place[step] = {}
            place = inner
        if not isinstance(place.get(last), dict):
            place[last] = _value(name, text)
    return event


def _value(name: str, text: str) -> str | bool:
    if text in ("true", "false") and name.startswith(_TRUTHS):
        return text == "true"
    return text
