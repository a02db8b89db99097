"""The text that values become, and the names that traits are given."""

from __future__ import annotations

from typing import Any

import pytest

from destinations.hubspot.properties import Catalogue, name_of, sorted_out, value_of
from tests.destinations.cases import NOW


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        (True, "bool", "true"),
        (False, "", "false"),
        (7, "number", "7"),
        (7.0, "number", "7"),
        (49.9, "string", "49.9"),
        ("x ", "string", "x "),
        (["a", "b", None], "enumeration", "a;b"),
        ([{"a": 1}], "string", '[{"a":1}]'),
        ({"a": True}, "string", '{"a":true}'),
        ("2026-12-24", "date", "2026-12-24"),
        ("2026-12-24T23:30:00-08:00", "date", "2026-12-24"),
        (1_798_070_400, "date", "2026-12-24"),
        (1_798_070_400_000, "date", "2026-12-24"),
        (1e30, "date", "1e+30"),
        ("soon", "date", "soon"),
        (1_798_070_400, "datetime", "1798070400000"),
        (1_798_070_400_000, "datetime", "1798070400000"),
        ("2026-12-24T10:00:00Z", "datetime", "2026-12-24T10:00:00Z"),
    ],
)
def test_values_become_text(value: Any, kind: str, text: str) -> None:
    """Each value is said in the text that a property of its type takes."""
    assert text == value_of(value, kind)


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("firstName", "firstname"),
        ("planName", "plan_name"),
        ("Plan Name", "plan_name"),
        ("a.b-c", "a_b_c"),
        ("Größe", "gr__e"),
    ],
)
def test_names_become_theirs(said: str, name: str) -> None:
    """A trait is lower case without odd signs; in snake case where the account has it so."""
    has = Catalogue({"plan_name": "string", "firstname": "string"}, frozenset(), NOW)

    assert name == name_of(said, has)


def test_who_spells_it_as_hubspot_does_is_right() -> None:
    """Of two traits that mean one property, the one of its very name wins, in any order."""
    has = Catalogue({"order_id": "string"}, frozenset(), NOW)

    assert ({"order_id": "b"}, []) == sorted_out({"order_id": "b", "orderId": "a"}, has)
    assert ({"order_id": "b"}, []) == sorted_out({"orderId": "a", "order_id": "b"}, has)
