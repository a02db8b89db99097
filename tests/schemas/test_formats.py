"""The formats that are asserted, and those that are remarks."""

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from schemas import Schemas
from schemas.checker import DRAFT_07, DRAFT_2020_12, Checker, Shelf
from schemas.formats import CHECKED, REMARKS
from schemas.loader import TYPES

SHELF = Shelf.of({})

FITS = {
    "date": ["2024-02-29"],
    "date-time": [
        "2026-11-21T09:30:00Z",
        "2026-11-21T09:30:00.123456789Z",
        "2026-11-21 09:30:00.1234567+01:00",
    ],
    "email": ["ada@example.com", "ada+news@mail.example.co.uk"],
    "ipv4": ["192.0.2.7"],
    "ipv6": ["2001:db8::1"],
    "uri": ["https://shop.example/a?b=c", "mailto:ada@example.com", "urn:a:b"],
    "uuid": ["0b9a4d3e-8f4c-4f6e-9b1a-2f3d4c5b6a79"],
}
BREAKS = {
    "date": ["2023-02-29", "20240229", "2024-02-29\n", ""],
    "date-time": ["2026-11-21", "2026-11-21T09:30:00", "2026-13-21T09:30:00Z", "yesterday"],
    "email": ["ada", "ada@host", "a b@example.com", "ada@example.com\n", ""],
    "ipv4": ["2001:db8::1", "300.0.0.1", ""],
    "ipv6": ["192.0.2.7", ""],
    "uri": ["/path", "shop.example", "https://", "https://a b", ""],
    "uuid": ["0b9a4d3e8f4c4f6e9b1a2f3d4c5b6a79", "{0b9a4d3e-8f4c-4f6e-9b1a-2f3d4c5b6a79}", ""],
}


@pytest.mark.parametrize("draft", [DRAFT_2020_12, DRAFT_07 + "#"])
@pytest.mark.parametrize("name", sorted(FITS))
def test_checked(name: str, draft: str) -> None:
    """A format of the table is a check in both drafts, and both engines say the same."""
    checker = Checker({"$schema": draft, "format": name}, SHELF)

    for text in FITS[name]:
        assert checker.accepts(text), text
    for text in BREAKS[name]:
        found = [violation.message for violation in checker.violations(text)]
        assert [f"must be in the format '{name}'"] == found, text


@pytest.mark.parametrize("draft", [DRAFT_2020_12, DRAFT_07 + "#"])
@pytest.mark.parametrize("name", [*REMARKS, "house-number"])
def test_remarks(name: str, draft: str) -> None:
    """Any other format is a remark: nothing breaks it."""
    checker = Checker({"$schema": draft, "format": name}, SHELF)

    assert checker.accepts("\x00 not any of them {")


@pytest.mark.parametrize("name", sorted(FITS))
def test_formats_speak_of_text_only(name: str) -> None:
    """A number or a null has no format to break."""
    checker = Checker({"format": name}, SHELF)

    values: list[object] = [5, None, [], {}]
    for value in values:
        assert checker.accepts(value)


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#/$defs/a%20part", "$defs": {"a part": {"not": {"not": {"format": "email"}}}}},
        {"$ref": "urn:lent"},
        {"$ref": "urn:lent#/properties/id"},
        {"$ref": "urn:round"},
        {"$dynamicRef": "urn:lent#given"},
    ],
)
def test_formats_of_what_is_referred_to(schema: dict[str, Any]) -> None:
    """A format is a check wherever it stands, also beyond references that go in a circle."""
    lent = {
        "$id": "urn:lent",
        "properties": {"id": {"$dynamicAnchor": "given", "format": "email"}},
        "anyOf": [{"type": "object"}, {"$ref": "#/properties/id"}],
    }
    round_ = {"$id": "urn:round", "allOf": [{"$ref": "urn:lent"}], "items": {"$ref": "urn:round"}}
    checker = Checker(schema, Shelf.of({"urn:lent": lent, "urn:round": round_}))

    assert checker.accepts("ada@example.com")
    assert not checker.accepts("ada@host")  # which the engine itself takes


def test_events_are_judged_without_functions(shipped: Schemas) -> None:
    """No schema that every event is held against asks for a format: one function of ours, called
    or not, doubles what the deciding engine takes."""
    semantic = [shipped.semantic("track", name) for name in shipped.semantic_events]
    all_ = (shipped.clean, shipped.accept, shipped.typed)
    checkers = [*semantic, *(checker(type_) for checker in all_ for type_ in TYPES)]

    assert not any(checker is None or checker.asks_functions for checker in checkers)
    assert Checker({"format": "email"}, SHELF).asks_functions


@example("a@a.a\n")
@given(st.text("ab@. \n\x1f\x85\u2003\u200b\ufeff\u00e9", max_size=9))
def test_email_by_pattern(shipped: Schemas, text: str) -> None:
    """The pattern of a trait means the format of that name, and says so."""
    said = shipped.typed("identify").violations({"traits": {"email": text}})

    expected = [] if CHECKED["email"](text) else ["must be in the format 'email'"]
    assert expected == [violation.message for violation in said]


@pytest.mark.parametrize("text", ["a@" + "." * 200_000 + "@", "a" * 200_000, "@" * 200_000])
def test_no_email_takes_long(shipped: Schemas, text: str) -> None:
    """A pattern that can be read in many ways would take minutes."""
    assert 1 == len(shipped.typed("identify").violations({"traits": {"email": text}}))
