"""What can be set about an instance."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from destinations import instance
from destinations.instance import Instance, Table

TABLES = [t for t in vars(instance).values() if isinstance(t, type) and issubclass(t, Table)]


@pytest.mark.parametrize("table", TABLES)
def test_every_setting_has_a_sentence(table: type[BaseModel]) -> None:
    """Each field says in a sentence what it is."""
    for name, field in table.model_fields.items():
        assert (field.description or "").endswith("."), name


def test_the_vendor_is_enough() -> None:
    """Everything else has a default that works: all sources, all events, a day of patience."""
    told = Instance(vendor="webhook")

    assert (True, ("*",), None, (), 86_400.0, 0.05) == (
        told.enabled,
        told.sources,
        told.filter.types,
        told.consent,
        told.patience,
        told.linger,
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_in_flight", 0),
        ("max_in_flight", 1_001),
        ("max_backlog", 0),
        ("linger", -0.1),
        ("linger", 61),
        ("patience", 0),
        ("breaker_failures", 0),
        ("breaker_seconds", 0),
        ("barred_seconds", 0),
        ("retry_seconds", 0),
        ("retry_most_seconds", -1),
        ("typo", 1),
        ("filter", {"type": ["track"]}),
        ("filter", {"where": [{"equals": 1}]}),
        ("actions", {"send": {"field": {}}}),
    ],
)
def test_what_cannot_work_is_a_fault(name: str, value: Any) -> None:
    """Bounds are checked, and an unknown name is a fault in every table."""
    with pytest.raises(ValidationError):
        Instance.model_validate({"vendor": "webhook", name: value})


def test_it_does_not_change() -> None:
    """An instance is a value."""
    with pytest.raises(ValidationError, match="frozen"):
        Instance(vendor="webhook").patience = 1.0  # type: ignore[misc]


def test_conditions_keep_the_kind_of_their_values() -> None:
    """`equals = 1`, `equals = true` and `equals = "1"` are three conditions."""
    for value in (1, True, "1", 1.5):
        told = Instance.model_validate(
            {"vendor": "x", "filter": {"where": [{"path": "a", "equals": value}]}}
        )
        found = told.filter.where[0].equals

        assert (value, type(value)) == (found, type(found))
