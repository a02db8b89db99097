"""Slower after a refusal or when answers grow slow, and faster again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from destinations.pace import LEAST, Pace


def test_a_refusal_halves_the_rate() -> None:
    """And the next one, after the pause that was asked for, halves it again, down to the least."""
    pace, rates = Pace(), []
    for n in range(5):
        pace.refused(n * 10.0, n * 10.0 + 10)
        rates.append(pace.rate)

    assert [0.5, 0.25, 0.125, LEAST, LEAST] == rates


def test_refusals_of_one_burst_are_one() -> None:
    """What was on the road when it was refused comes back refused too, and counts no more."""
    pace = Pace()
    for n in range(16):
        pace.refused(n / 10, n / 10 + 2)

    assert 0.5 == pace.rate


def test_a_slow_refusal_is_of_the_same_burst() -> None:
    """What takes five seconds to come back refused may have left before the first refusal."""
    pace = Pace()
    pace.answered(0.0, 5.0)
    for now in (1.0, 5.9):
        pace.refused(now, now)

    assert 0.5 == pace.rate


def test_success_raises_the_rate_little_by_little() -> None:
    """By a twentieth a second at most, however many answers there are, and never beyond all."""
    pace = Pace()
    pace.refused(0.0, 1.0)
    rates = []
    for n in range(2_000):
        pace.answered(n / 100, 0.01)
        rates.append(pace.rate)

    assert 0.5 == rates[199]
    assert pytest.approx(0.55) == rates[200]
    assert 1.0 == rates[-1]


def test_answers_twice_as_slow_narrow_the_road() -> None:
    """When a queue grows at the vendor, fewer requests go at once; the rate is left alone."""
    pace, now = Pace(), 0.0
    for seconds in [0.2] * 200 + [0.8] * 40:
        now += seconds
        pace.answered(now, seconds)

    assert pace.width < 0.5
    assert 1.0 == pace.rate


def test_the_road_narrows_once_for_each_round() -> None:
    """Answers that come together are one sign, however many they are."""
    pace = Pace()
    for n in range(200):
        pace.answered(n / 10, 0.2)
    for _ in range(40):
        pace.answered(60.0, 0.8)

    assert pace.width >= 0.9


def test_what_lasts_is_usual() -> None:
    """A vendor that has become slow for good is given all of the road again."""
    pace, now = Pace(), 0.0
    for seconds in [0.2] * 200 + [0.8] * 400:
        now += seconds
        pace.answered(now, seconds)

    assert 1.0 == pace.width


def test_quick_answers_are_never_slow() -> None:
    """From one millisecond to ninety is noise of a busy machine, not a queue."""
    pace, now = Pace(), 0.0
    for seconds in [0.001] * 200 + [0.09] * 40:
        now += seconds
        pace.answered(now, seconds)

    assert 1.0 == pace.width


@given(st.lists(st.tuples(st.booleans(), st.floats(0.0, 30.0), st.floats(0.0, 120.0)), max_size=60))
def test_a_part_is_a_part(happened: list[tuple[bool, float, float]]) -> None:
    """Whatever happens, neither part falls below the least or rises above all."""
    pace, now = Pace(), 0.0
    for refused, pause, seconds in happened:
        now += pause
        if refused:
            pace.refused(now, now + seconds)
        else:
            pace.answered(now, seconds)

        assert LEAST <= pace.rate <= 1.0
        assert LEAST <= pace.width <= 1.0
