"""Which offsets have come to an end."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from destinations.tally import MOST, Tally


def test_what_has_no_end_is_missing() -> None:
    """Of what the place has passed; what lies beyond may still come."""
    tally = Tally(10)
    tally.end(10, 12)
    tally.end(13, 15)

    assert [12, 15] == list(tally.settle(16))


def test_what_is_settled_is_not_told_again() -> None:
    """Each missing offset is told once, and a line that comes too late changes nothing."""
    tally = Tally(0)
    first = list(tally.settle(3))
    tally.end(0, 3)
    tally.end(3, 4)

    assert [0, 1, 2] == first
    assert [] == list(tally.settle(4))


def test_a_place_that_steps_back_is_waited_for() -> None:
    """Somebody may reset a group's offsets: nothing is counted twice."""
    tally = Tally(10)

    assert [] == list(tally.settle(5))
    assert 10 == tally.base


def test_what_is_too_far_ahead_is_not_accused() -> None:
    """Memory is bounded; what was not kept counts as told."""
    tally = Tally(0)
    tally.end(0, 2)
    tally.end(MOST + 5, MOST + 6)

    assert [2] == list(tally.settle(3))
    assert list(range(3, MOST)) == list(tally.settle(MOST + 6))


def test_a_leap_is_bounded() -> None:
    """A place that was set far ahead costs no more than what is kept."""
    assert MOST == len(Tally(0).settle(1 << 40))


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 10))), st.lists(st.integers(0, 80)))
def test_it_is_a_set_of_offsets(told: list[tuple[int, int]], places: list[int]) -> None:
    """Whatever is told in whatever order, what is missing is what a set would miss."""
    tally, ended = Tally(0), set()
    missing: list[int] = []
    for first, length in told:
        tally.end(first, first + length)
        ended |= set(range(first, first + length))
    for place in places:
        missing += tally.settle(place)

    assert [n for n in range(max(places, default=0)) if n not in ended] == missing
