"""All that a vendor may say."""

from __future__ import annotations

import dataclasses
from typing import Any, get_args

import pytest
from pydantic import ValidationError

from destinations import outcome, spec
from destinations.spec import Batch, Field, Idempotency, Outcome, Taken, VendorSettings
from tests.destinations.invented import Told, action, vendor


def test_all_that_is_named_is_there() -> None:
    """What a vendor may import is listed, sorted, and exists."""
    assert sorted(spec.__all__) == spec.__all__
    assert [] == [name for name in spec.__all__ if not hasattr(spec, name)]


def test_there_are_five_outcomes() -> None:
    """And no sixth; each is a value."""
    five = {"Delivered", "Busy", "Failed", "Refused", "Barred"}

    assert five == {kind.__name__ for kind in get_args(Outcome)}
    assert five == {n for n, v in vars(outcome).items() if dataclasses.is_dataclass(v)}
    assert five <= set(spec.__all__)


@pytest.mark.parametrize(
    "value", [Batch(), action(), vendor(), spec.Delivered(), spec.Rate("all"), spec.On(("track",))]
)
def test_a_declaration_does_not_change(value: Any) -> None:
    """What a vendor declares is frozen: no instance can alter another's."""
    name = dataclasses.fields(value)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(value, name, None)


def test_a_batch_is_of_one_unless_told() -> None:
    """One row a request, nobody grouped, nobody halved."""
    assert (1, False, None, None) == (
        Batch().rows,
        Batch().atomic,
        Batch().group,
        Batch().unique,
    )


def test_fields_may_depend_on_settings() -> None:
    """`fields_for` wins over `fields` where there is one."""
    other = {"x": Field("X.", spec.Const("x"))}

    assert {"email"} == set(action().fields_of(Told()))
    assert {"x"} == set(action(fields_for=lambda _: other).fields_of(Told()))


def test_settings_take_no_unknown_name() -> None:
    """A typo is a fault, and settings do not change."""
    with pytest.raises(ValidationError):
        Told.model_validate({"typo": 1})
    with pytest.raises(ValidationError):
        Told().region = "us"  # type: ignore[misc]
    assert VendorSettings.model_config["extra"] == "forbid"


def test_a_vendor_needs_no_token_unless_told() -> None:
    """Most are spoken to with a lasting key."""
    assert (None, None, None) == (
        vendor().grant(Told()),
        vendor().token,
        vendor().sunset,
    )


def test_what_was_taken_is_not_printed() -> None:
    """A sandbox's item may hold a person."""
    assert "a@b" not in repr(Taken("m1", "u", "event", {"email": "a@b"}))


def test_saying_it_twice_has_a_sentence() -> None:
    """Each class of repetition says what the vendor does."""
    assert all(" " in kind.value for kind in Idempotency)
