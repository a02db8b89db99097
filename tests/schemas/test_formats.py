"""The formats that are asserted, and those that are remarks."""

import pytest

from schemas.checker import DRAFT_07, DRAFT_2020_12, Checker, Shelf
from schemas.formats import REMARKS

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
