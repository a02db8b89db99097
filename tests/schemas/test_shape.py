"""What the type takes, the schema takes."""

from __future__ import annotations

from typing import Any

import msgspec
import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas.checker import Checker, Shelf
from schemas.documents import documents
from schemas.shape import ANY, NOTHING, Shape, closed, shape_of, type_of

SHELF = Shelf.of(documents())
LENT = {
    "$id": "urn:lent",
    "$defs": {
        "named one": {"type": "string", "minLength": 2},
        "self": {"$ref": "#/$defs/self"},
        "two": {"type": "string", "pattern": "^a*b*$"},
    },
}
LENDING = Shelf.of({"urn:lent": LENT})


def takes(shape: Shape, text: bytes) -> bool:
    """Whether the type of a shape takes a text."""
    try:
        msgspec.json.decode(text, type=type_of(shape))
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return False
    return True


NAMES = st.sampled_from(["a", "b", "from", "_c", "$ref", ""])
TYPES = st.sampled_from(
    ["array", "boolean", "integer", "null", "number", "object", "string", ["object", "null"]]
)
SCHEMAS = st.recursive(
    st.one_of(
        st.booleans(),
        st.fixed_dictionaries({"type": TYPES}),
        st.sampled_from(
            [
                *({}, {"const": "ab"}, {"const": 5}, {"minimum": 2}, {"minLength": 2}),
                *({"enum": ["a", None]}, {"not": {"type": "string"}}, {"x-code": "c"}),
                *({"pattern": "^[^b]*$"}, {"pattern": "(a|b)"}, {"pattern": "a[-]?"}),
                *({"format": "email"}, {"$ref": "urn:lent#/$defs/named%20one"}, {"title": "t"}),
                *({"$ref": "#/nowhere"}, {"$ref": "urn:lent#/$defs/self"}, {"maximum": 2}),
                *({"maxLength": 2**64 - 1}, {"minLength": 2**64 - 1}, {"minItems": 2**63}),
                *({"maximum": 2.5}, {"maxLength": 1}, {"enum": ["a", ""]}, {"enum": ["a", 1]}),
                *({"minItems": 1}, {"minItems": 2, "type": "array"}, {"exclusiveMinimum": 0}),
                *({"type": ["string", "null"], "enum": ["ab", None]}, {"maximum": 2**60}),
                *({"type": "string", "const": "ab", "minLength": 3}, {"minimum": 1.5}),
            ]
        ),
    ),
    lambda inner: st.one_of(
        st.fixed_dictionaries(
            {},
            optional={
                "properties": st.dictionaries(NAMES, inner, max_size=3),
                "required": st.lists(NAMES, max_size=2, unique=True),
                "additionalProperties": inner,
                "type": TYPES,
            },
        ),
        st.fixed_dictionaries({"items": inner}, optional={"type": TYPES}),
        st.fixed_dictionaries({"allOf": st.lists(inner, min_size=1, max_size=3)}),
    ),
    max_leaves=6,
)
VALUES = st.recursive(
    st.sampled_from([None, True, 0, 1, 2, 3, 2.5, 1e300, "", "a", "ab", "b\n", "abc", "\u00e9"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=8,
)


@settings(max_examples=3_000, deadline=None)
@example({"pattern": "^[^b]*$"}, "a\n")
@example({"pattern": "^[^b]*$", "type": "string"}, "ab")
@example({"minimum": 2, "type": "integer"}, 10**30)
@example({"maximum": 2**53, "type": "number"}, 2**53 + 1)
@example({"minimum": -(2**53), "type": "number"}, -(2**53) - 1)
@example({"allOf": [{"maximum": 2}, {"maximum": 2.5}]}, 2.25)
@example({"type": ["array", "string"], "minItems": 1, "minLength": 2, "maxLength": 3}, "a")
@example({"properties": {"a": {}}, "additionalProperties": False}, {"a": 1, "b": 2})
@example({"additionalProperties": {"type": "string"}, "required": ["a"]}, {"b": "a"})
@example({"allOf": [{"properties": {"a": True}}, {"additionalProperties": False}]}, {"a": 1})
@given(schema=SCHEMAS, value=VALUES)
def test_what_the_type_takes_the_schema_takes(schema: Any, value: Any) -> None:
    """So does what its closed type takes. The reverse is wished for, and not promised."""
    wrapped = {"allOf": [schema]}
    try:
        text = orjson.dumps(value)
    except TypeError:
        text = str(value).encode()
    shape = shape_of(wrapped, LENDING.documents)

    if takes(shape, text) or takes(closed(shape), text):
        try:
            checker = Checker(wrapped, LENDING)
        except ValueError:  # a reference to what is not there, in a part that nobody asked for
            return
        assert checker.accepts(value)


@pytest.mark.parametrize(
    ("schema", "text", "expected"),
    [
        ({"type": "string"}, b'"a"', True),
        ({"type": ["string", "null"]}, b"null", True),
        ({"type": "number", "minimum": 0}, b"0", True),
        ({"type": "number", "minimum": 0}, b"-1", False),
        ({"type": "integer"}, b"1.5", False),
        ({"type": "array", "items": {"type": "boolean"}}, b"[true]", True),
        ({"type": "array", "items": {"type": "boolean"}}, b"[1]", False),
        ({"properties": {"from": {"const": "x"}}}, b'{"from":"x","y":1}', True),
        ({"properties": {"from": {"const": "x"}}}, b'{"from":"y"}', False),
        ({"required": ["a"]}, b'{"a":null}', True),
        ({"required": ["a"]}, b"{}", False),
        ({"required": ["a"]}, b"5", True),
        ({"additionalProperties": {"type": "string"}}, b'{"a":"b"}', True),
        ({"additionalProperties": {"type": "string"}}, b'{"a":1}', False),
        ({"properties": {"a": {}}, "additionalProperties": False}, b'{"a":1}', True),
        ({"properties": {"a": {}}, "additionalProperties": False}, b'{"b":1}', False),
        ({"$ref": "urn:lent#/$defs/named%20one"}, b'"ab"', True),
        ({"$ref": "urn:lent#/$defs/named%20one"}, b'"a"', False),
        ({"$ref": "urn:lent#/$defs/self"}, b'"a"', False),
        ({"type": "string", "pattern": "^[^@]+$"}, b'"a"', True),
        ({"type": "string", "pattern": "^[^@]+$"}, b'"a@"', False),
        ({"type": "string", "pattern": "^[^@\n]+$"}, b'"a\\n"', False),
        ({"pattern": "^[^@]+$"}, b'"a"', False),
        ({"pattern": "^\\d$"}, b'"1"', False),
        ({"type": "string", "pattern": "^a*a$"}, b'"a"', True),
        ({"type": "string", "pattern": "^a*a*$"}, b'"a"', False),
        ({"type": "string", "pattern": "a+$"}, b'"a"', False),
        ({"$ref": "urn:lent#/$defs/two"}, b'"aab"', True),
        ({"$id": "urn:lent", "type": "string", "pattern": "^a*b*$"}, b'"aab"', False),
        ({"oneOf": [{}]}, b'"a"', False),
        ({"enum": ["a", None]}, b"null", True),
        ({"enum": ["a", "b"], "type": "string"}, b'"b"', True),
        ({"enum": ["a", "b"]}, b'"c"', False),
        ({"enum": ["a", 1]}, b'"a"', False),
        ({"type": "array", "minItems": 2}, b"[1,2]", True),
        ({"type": "array", "minItems": 2}, b"[1]", False),
        ({"type": "string", "maxLength": 1}, '"\u00e9"'.encode(), True),
        ({"type": "string", "maxLength": 1}, b'"ab"', False),
        ({"type": "number", "maximum": 1.5}, b"1.5", True),
        ({"type": "integer", "minimum": 1.5, "maximum": 3.5}, b"2", True),
        ({"type": "integer", "minimum": 1.5, "maximum": 3.5}, b"4", False),
        ({"type": "number", "maximum": 2**53}, b"1", False),
        (
            {"$ref": "#/$defs/a/$defs/b", "$defs": {"a": {"$id": "urn:x", "$defs": {"b": True}}}},
            b"1",
            False,
        ),
    ],
)
def test_what_is_taken(schema: Any, text: bytes, expected: bool) -> None:
    """Also fields that Python has no names for; where words fail, nothing."""
    assert expected == takes(shape_of(schema, LENDING.documents), text)


def test_what_unfolds_without_end_is_left() -> None:
    """A tree is read to some depth and some width, and in any case at once."""
    branches = {name: {"$ref": "#"} for name in "abc"}
    tree = shape_of({"type": "object", "properties": branches}, {})

    assert takes(tree, b'{"a":{"a":{}}}')
    assert not takes(tree, b'{"c":{"c":{"c":{"c":{"c":{"c":{"c":{"c":{}}}}}}}}}')


def test_two_shapes_together() -> None:
    """They take what both take."""
    one = shape_of({"type": ["string", "null"]}, {})

    assert ANY & one == one == one & ANY
    assert not (NOTHING & one).kinds
    assert {"null"} == (one & shape_of({"type": ["null", "object"]}, {})).kinds


def test_closed() -> None:
    """Nothing passes that the shape does not name, at any depth."""
    schema = {"properties": {"a": {"type": "object", "properties": {"b": {"type": "number"}}}}}
    type_ = type_of(closed(shape_of({"type": "object"} | schema, {})))

    assert 1.0 == msgspec.json.decode(b'{"a":{"b":1}}', type=type_).a.b
    for text in (b'{"a":{"c":1}}', b'{"c":1}'):
        with pytest.raises(msgspec.ValidationError):
            msgspec.json.decode(text, type=type_)
