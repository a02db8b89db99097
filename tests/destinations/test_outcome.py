"""The five words."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields
from typing import Any, get_args

import pytest

from destinations.outcome import (
    Barred,
    Busy,
    Delivered,
    Failed,
    Outcome,
    Refused,
    all_delivered,
    different,
)

ONE_OF_EACH = (Delivered(), Busy(3.0), Failed("timeout"), Refused("a", "b"), Barred("a", "b"))


def test_there_are_five_and_no_sixth() -> None:
    """The engine has one consequence for each of these, and vendors have no other word."""
    assert tuple(type(outcome) for outcome in ONE_OF_EACH) == get_args(Outcome)


@pytest.mark.parametrize("outcome", ONE_OF_EACH, ids=lambda outcome: type(outcome).__name__)
def test_an_outcome_is_a_value(outcome: Any) -> None:
    """Equal when it says the same, and never changed: one may stand for many rows."""
    first = fields(outcome)[0].name
    twin = type(outcome)(*(getattr(outcome, field.name) for field in fields(outcome)))

    assert outcome == twin
    assert hash(outcome) == hash(twin)
    with pytest.raises(FrozenInstanceError):
        setattr(outcome, first, "else")


def test_a_bar_is_no_matter_of_the_token_unless_said() -> None:
    """Only a vendor that knows a new token helps has the engine ask for one."""
    assert not Barred("missing_scope", "the app may not").stale_token


def test_what_rows_share_is_asked_once() -> None:
    """Each object once, in the order in which they first stand; equal ones are not compared."""
    one, other = Delivered(), Refused("invalid", "no")

    assert [one, other] == different([one, one, other, one])


@pytest.mark.parametrize("other", [*ONE_OF_EACH[1:], Delivered("without its items")])
def test_all_are_delivered_or_not(other: Outcome) -> None:
    """One that is not, or that notes something, is enough."""
    assert all_delivered([Delivered(), Delivered()])
    assert not all_delivered([Delivered(), other])
    assert not all_delivered([other, Delivered()])
