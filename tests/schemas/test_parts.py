"""The parts of a call, and what schemas ask of them."""

from __future__ import annotations

from typing import Any

import pytest

from schemas import REFUSING, Schemas
from schemas.loader import TYPES
from schemas.parts import OWN, parts_of
from schemas.shape import shape_of


def fits(decode: Any, text: bytes) -> bool:
    try:
        decode(text)
    except REFUSING:
        return False
    return True


def test_every_shipped_specification_has_parts(shipped: Schemas) -> None:
    """Else their events would go the long way, and nobody would know."""
    calls = [("track", name) for name in shipped.semantic_events]
    calls += [(type_, None) for type_ in TYPES]

    assert [] == [call for call in calls if shipped.parts(*call) is None]


def test_the_parts_of_a_specification(shipped: Schemas) -> None:
    """What its schemas take, an event may say; what they refuse, it may not."""
    parts = shipped.parts("track", "Order Completed")
    other = shipped.parts("track", "No Such Event")

    assert parts is not None
    assert other is not None
    assert fits(parts.own, b'{"order_id":"o","revenue":5,"more":[]}')
    assert not fits(parts.own, b'{"revenue":5}')
    assert not fits(parts.own, b'{"order_id":"o","revenue":"5"}')
    assert not fits(parts.own, b"null")
    assert not fits(parts.own, b"{}")
    assert fits(other.own, b'{"order_id":5}')
    assert not fits(other.own, b'{"revenue":"5"}')
    assert fits(parts.context, b'{"ip":"::1","more":1e999}')
    assert not fits(parts.known_context, b'{"ip":"::1","more":1e999}')
    assert "::1" == parts.known_context(b'{"ip":"::1","library":{"name":"x"}}').ip
    assert other is shipped.parts("track", "Nor Such An Event")


def test_the_shipped_examples_fit(shipped: Schemas) -> None:
    """A call's own part has the name that its type gives it."""
    assert set(TYPES) == set(OWN)
    parts = shipped.parts("identify", None)
    assert parts is not None
    assert fits(parts.own, b'{"email":"ada@example.com"}')
    assert not fits(parts.own, b'{"email":"ada"}')


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": {"userId": {"minLength": 3}}},
        {"properties": {"userId": {"type": "null"}}},
        {"properties": {"userId": {"pattern": "^u"}}},
        {"properties": {"userId": {"maxLength": 3}}},
        {"properties": {"userId": {"const": "u"}}},
        {"properties": {"event": {"const": "Other"}}},
        {"properties": {"type": {"const": "page"}}},
        {"properties": {"integrations": {"type": "object"}}},
        {"required": ["integrations"]},
        {"required": ["traits"]},
        {"required": ["other"]},
        {"type": "string"},
        {"additionalProperties": False},
        {"oneOf": [{}]},
    ],
)
def test_who_asks_for_more_has_no_parts(schema: dict[str, Any]) -> None:
    """Whoever looked at the parts only would take what the schema refuses."""
    assert None is parts_of("track", "Tested", shape_of(schema, {}))


@pytest.mark.parametrize(
    ("schema", "needed"),
    [
        ({"title": "asks for nothing"}, set()),
        ({"required": ["userId", "timestamp"]}, {"userId", "timestamp"}),
        ({"required": ["type", "event", "messageId", "context"]}, set()),
        ({"required": ["properties"]}, {"properties"}),
        ({"properties": {"properties": {"required": ["a"]}}, "required": ["properties"]}, set()),
        ({"properties": {"userId": {"type": "string", "minLength": 1}}}, set()),
        ({"properties": {"event": {"enum": ["Tested", "Other"]}, "type": {"minLength": 5}}}, set()),
        ({"properties": {"traits": {"type": "string"}, "other": False}}, set()),
    ],
)
def test_what_a_call_must_have(schema: dict[str, Any], needed: set[str]) -> None:
    """Fields that it has in any case, or that its parts ask for, are not among it; and what a plain
    call cannot say is not asked after.
    """
    parts = parts_of("track", "Tested", shape_of(schema, {}))

    assert parts is not None
    assert needed == parts.needed
