"""Sets of offsets as ranges, and their short form."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from destinations.ranges import joined, packed, ranges_of, unpacked


def test_neighbours_are_one_range():
    """Offsets in any order, some twice, come to the fewest ranges, in growing order."""

    assert [(1, 4), (7, 8), (9, 11)] == ranges_of([9, 2, 1, 10, 3, 7, 3])


def test_ranges_that_touch_or_overlap_are_one():
    """Ranges in any order come to the fewest, in growing order."""

    assert [(1, 6), (8, 9)] == joined([(3, 5), (8, 9), (1, 3), (2, 6)])


@given(st.sets(st.integers(0, 2**40), max_size=50), st.integers(0, 2**40))
def test_what_is_packed_is_unpacked(offsets: set[int], base: int):
    """The short form loses nothing, wherever it begins."""
    ranges = ranges_of(base + offset for offset in offsets)

    assert ranges == unpacked(packed(ranges, base), base)


def test_ten_thousand_in_flight_fit_beside_a_commit():
    """Of 10,000 offsets a random half is finished: the worst that a full backlog can look like."""
    die = random.Random(7)
    text = packed(ranges_of(n for n in range(10_000) if die.random() < 0.5), 0)

    assert len(text) < 2_500
    assert text.isascii()


@pytest.mark.parametrize("text", ["no base", "c$", "c${NkU|;|M0#"])
def test_what_was_not_packed_is_an_error(text: str):
    """Another tool's text is told apart, and never read as offsets."""
    with pytest.raises(ValueError, match=r".+"):
        unpacked(text, 0)
