"""The sentences of a rejection: they name the rule, never what stood in the event."""

from typing import Any

import pytest

import schemas
from schemas.checker import Checker, Shelf
from schemas.violation import pointer

SHELF = Shelf.of({})
SECRET = "ada@example.com"


@pytest.mark.parametrize(
    ("schema", "event", "path", "message"),
    [
        ({"type": "string"}, 5, "", "must be a string, and is a number"),
        ({"type": ["object", "null"]}, True, "", "must be an object or null, and is a boolean"),
        ({"type": "integer"}, 5.5, "", "must be a whole number, and is a number"),
        ({"type": "boolean"}, [SECRET], "", "must be true or false, and is a list"),
        ({"type": "array"}, {SECRET: 1}, "", "must be a list, and is an object"),
        ({"type": "number"}, None, "", "must be a number, and is null"),
        ({"enum": ["a", 5]}, SECRET, "", "must be one of 'a', 5"),
        (
            {"enum": list(range(12))},
            SECRET,
            "",
            "must be one of 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 or 2 others",
        ),
        ({"const": "a"}, SECRET, "", "must be 'a'"),
        ({"minLength": 1}, "", "", "must not be empty"),
        ({"minLength": 99}, SECRET, "", "must have at least 99 characters"),
        ({"maxLength": 3}, SECRET, "", "must have at most 3 characters"),
        ({"minItems": 1}, [], "", "must not be empty"),
        ({"maxItems": 1}, [SECRET, 2], "", "must have at most 1 items"),
        ({"uniqueItems": True}, [SECRET, SECRET], "", "must not have an item twice"),
        (
            {"contains": {"type": "null"}},
            [SECRET],
            "",
            "must have an item that the schema asks for",
        ),
        ({"minProperties": 2}, {SECRET: 1}, "", "must have at least 2 fields"),
        ({"maxProperties": 0}, {SECRET: 1}, "", "must have at most 0 fields"),
        ({"minimum": 10}, 7331, None, None),
        ({"maximum": 10}, 7331, "", "must be at most 10"),
        ({"exclusiveMinimum": 9000}, 7331, "", "must be above 9000"),
        ({"exclusiveMaximum": 10}, 7331, "", "must be below 10"),
        ({"multipleOf": 10}, 7331, "", "must be a multiple of 10"),
        ({"pattern": "^x"}, SECRET, "", "must match the pattern ^x"),
        ({"format": "ipv4"}, SECRET, "", "must be in the format 'ipv4'"),
        ({"required": ["a"]}, {"b": SECRET}, "", "must have 'a'"),
        ({"dependentRequired": {"a": ["b"]}}, {"a": SECRET}, "", "must have 'b'"),
        (
            {"additionalProperties": False, "patternProperties": {"^a": True}},
            {"a1": 1, "b/c": SECRET},
            "/b~1c",
            "is a field that the schema does not name",
        ),
        (
            {"unevaluatedProperties": False},
            {"b": SECRET},
            "",
            "has a field that the schema does not name",
        ),
        ({"anyOf": [{"type": "null"}, False]}, SECRET, "", "fits none of the shapes allowed here"),
        (
            {"oneOf": [True, True]},
            SECRET,
            "",
            "must fit exactly one of the shapes allowed here",
        ),
        ({"not": {"type": "string"}}, SECRET, "", "has a shape that is not allowed here"),
        ({"properties": {"a": False}}, {"a": SECRET}, "/a", "is not allowed here"),
        ({"propertyNames": {"maxLength": 1}}, {SECRET: 1}, "", "must have at most 1 characters"),
        ({"dependentSchemas": {"a": False}}, {"a": SECRET}, "", "is not allowed here"),
        ({"items": {"type": "null"}}, [None, SECRET], "/1", "must be null, and is a string"),
        (
            {"prefixItems": [{}], "items": False},
            [1, SECRET],
            "",
            "has more items than the schema names",
        ),
        ({"x-message": "must be ours", "type": "null"}, SECRET, "", "must be ours"),
    ],
)
def test_sentence(
    schema: dict[str, Any], event: Any, path: str | None, message: str | None
) -> None:
    """Each rule has its sentence, which holds types, limits and names, and no value."""
    found = Checker(schema, SHELF).violations(event)

    expected = (
        [] if message is None else [schemas.Violation("schema_violation", path or "", message)]
    )
    assert expected == found
    assert not any(SECRET in violation.message for violation in found)


def test_all_that_is_missing() -> None:
    """Each missing field is told once."""
    found = Checker({"required": ["a", "b", "c"]}, SHELF).violations({"b": 1})

    assert ["must have 'a'", "must have 'c'"] == [violation.message for violation in found]


def test_all_that_is_unnamed() -> None:
    """Each field that the schema does not name is told at its own place, so that it can be taken
    out."""
    found = Checker({"properties": {"a": {}}, "additionalProperties": False}, SHELF).violations(
        {"a": 1, "b": 2, "c": 3}
    )

    assert ["/b", "/c"] == [violation.path for violation in found]


@pytest.mark.parametrize("named", ["event_not_defined", "made_up", 5, None])
def test_codes_are_bounded(named: Any) -> None:
    """A schema names a reason out of the list, or none at all."""
    expected = named if named == "event_not_defined" else "schema_violation"

    (found,) = Checker({"type": "null", "x-code": named}, SHELF).violations(5)

    assert expected == found.code


@pytest.mark.parametrize(
    ("keys", "text"), [([], ""), (["a", 0, "b"], "/a/0/b"), (["a/b", "c~d", ""], "/a~1b/c~0d/")]
)
def test_pointer(keys: list[str | int], text: str) -> None:
    """A pointer is written as RFC 6901 has it."""
    assert text == pointer(keys)
