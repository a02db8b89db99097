"""Values shown by what they are."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from destinations.masks import masked


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("ab" * 32, "sha256…"),
        ("ada@example.org", "an e-mail address"),
        ("+49 30 901820", "a phone number"),
        ("2026-11-21T10:00:00.000Z", "a time"),
        ("https://shop.example/a?b=c", "an address"),
        ("4711", "digits"),
        ("Ada Lovelace", "text of 12"),
        ("", "text of 0"),
        (12.5, "a number"),
        (True, True),
        (None, None),
        (b"x", "a value"),
        (["Ada", "Bob"], ["text of 3", "2 in all"]),
        (["Ada"], ["text of 3"]),
        ([], []),
        (
            {"em": "ab" * 32, "who": {"name": "Ada"}},
            {"em": "sha256…", "who": {"name": "text of 3"}},
        ),
    ],
)
def test_a_value_is_its_kind(value: Any, kind: Any) -> None:
    """Names stay, values do not."""
    assert kind == masked(value)


def test_what_is_known_anyway_is_shown() -> None:
    """The event's own name says nothing about anybody."""
    assert {"metric": "Order Completed"} == masked(
        {"metric": "Order Completed"}, frozenset({"Order Completed"})
    )


def test_depth_and_width_are_bounded() -> None:
    """A request of any size is shown in a page."""
    deep: Any = {"a": {"b": {"c": {"d": {"e": 1}}}}}

    assert {"a": {"b": {"c": {"d": "1 entries"}}}} == masked(deep)
    assert 50 == len(masked({str(n): n for n in range(1_000)}))


@given(st.text(alphabet=st.characters(categories=["Lu"]), min_size=1, max_size=400))
def test_no_text_is_said(text: str) -> None:
    """Whatever a text holds, its kind does not."""
    assert re.fullmatch(r"text of \d+", masked(text))
