"""When to try again, and when that is enough."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from destinations.retry import Policy

POLICY = Policy(first=1.0, most=60.0, patience=100.0)


def test_it_doubles_up_to_the_most() -> None:
    """1, 2, 4 ... seconds and never above the most, however many attempts."""
    delays = [POLICY.delay(attempt, 1.0) for attempt in (1, 2, 3, 6, 7, 8, 10_000)]

    assert [1.0, 2.0, 4.0, 32.0, 60.0, 60.0, 60.0] == delays


@given(st.integers(1, 10_000), st.floats(0.0, 1.0))
def test_the_die_spreads(attempt: int, die: float) -> None:
    """The die moves the delay between a tenth of the longest and the longest."""
    longest = POLICY.delay(attempt, 1.0)

    assert longest * (0.1 + 0.9 * die) == pytest.approx(POLICY.delay(attempt, die))
    assert longest * 0.1 == pytest.approx(POLICY.delay(attempt, 0.0))


@pytest.mark.parametrize(
    ("wish", "expected"), [(None, 4.0), (0.0, 4.0), (3.0, 4.0), (-5.0, 4.0), (500.0, 500.0)]
)
def test_a_wish_is_heeded_and_shortens_nothing(wish: float | None, expected: float) -> None:
    """The vendor's wish counts when it is longer than the backoff, also above the most."""
    assert expected == POLICY.delay(3, 1.0, wish)


def test_patience_is_an_age() -> None:
    """Attempts are not counted: what counts is how long ago the event was accepted."""
    assert [False, False, True] == [POLICY.exhausted(age) for age in (0.0, 100.0, 100.1)]
