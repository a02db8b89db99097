"""The workers of one instance together keep to its limits, without a word between them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from destinations.limiter import DAY, Limiter
from destinations.spec import Bucket, Rate, Window
from tests.destinations.knocking import TEN, WALL, leaving


def test_a_part_of_the_partitions_is_a_part_of_the_limits() -> None:
    """Three of eight partitions: three eighths of windows, seats and points."""
    limiter = Limiter(Rate("all", (Window(100, 10.0),), 16, Bucket(80, 8.0)), most=1_000)
    limiter.share(3 / 8, 0.0)
    seats = 0
    while limiter.wait(0.0) == 0:
        limiter.leave(0.0, WALL)
        seats += 1
    for _ in range(seats):
        limiter.back(0.0, 0.1)

    assert 6 == seats
    assert 30 - seats == leaving(limiter, 100, 0.0)  # of 80 points, before 37 requests are reached
    assert (pytest.approx(1 / 3), "cost") == limiter.look(0.0)


def test_a_part_below_one_is_stretched() -> None:
    """A quarter of one request a second is one request in four seconds."""
    limiter = Limiter(Rate("all", (Window(1, 1.0),)))
    limiter.share(1 / 4, 0.0)
    limiter.leave(0.0, WALL)
    limiter.back(0.0, 0.0)

    assert 4.0 == pytest.approx(limiter.wait(0.0), abs=0.1)


def test_what_is_taken_over_may_be_used_up() -> None:
    """The former owner of the other half may just have spent it: it is ours a window later."""
    limiter = Limiter(TEN)
    limiter.share(0.5, 0.0)
    limiter.share(1.0, 0.0)

    assert 50 == leaving(limiter, 200, 0.0)
    assert 50 == leaving(limiter, 200, 10.0)
    assert 50 == leaving(limiter, 200, 10.3)


def test_a_day_is_taken_over_at_once() -> None:
    """To wait for a day at each handover would be worse than the vendor's word."""
    limiter = Limiter(Rate("all", (Window(10, DAY),)))
    limiter.share(0.5, 0.0)
    limiter.share(1.0, 0.0)

    assert 10 == leaving(limiter, 20, 0.0)


def test_what_was_another_workers_may_be_used_up() -> None:
    """Partitions that went and came back bring their part of the limit a window later."""
    limiter = Limiter(TEN)
    for part in (1.0, 0.0, 1.0):
        limiter.share(part, 0.0)

    assert 0 == leaving(limiter, 200, 0.0)
    assert 100 == leaving(limiter, 200, 10.0)


@given(
    moves=st.lists(
        st.tuples(st.floats(0.0, 4.0), st.integers(0, 8), st.integers(0, 60)), max_size=40
    )
)
def test_the_workers_together_never_exceed_the_limit(moves: list[tuple[float, int, int]]) -> None:
    """However the partitions move between two workers, and however greedy both are."""
    one, two = Limiter(TEN), Limiter(TEN)
    one.share(0.5, 0.0)
    two.share(0.5, 0.0)
    now, mine, left = 0.0, 4, []
    for pause, part, wanted in moves:
        now += pause
        first, second = (one, two) if part < mine else (two, one)  # who gives up is told first
        mine = part
        for limiter in (first, second):
            limiter.share((part if limiter is one else 8 - part) / 8, now)
        for limiter, partitions in ((one, part), (two, 8 - part)):
            if partitions:
                left += [now] * leaving(limiter, wanted, now)

    for begin in left:
        assert len([at for at in left if begin <= at < begin + 10.0 - 1e-9]) <= 100


def test_who_never_had_anything_begins_with_a_whole_part() -> None:
    """A worker whose partitions move before it took them up has used up nothing."""
    limiter = Limiter(TEN)
    for part in (0.0, 0.5):
        limiter.share(part, 0.0)

    assert 50 == leaving(limiter, 200, 0.0)


def test_who_joins_a_busy_one_overspends_once() -> None:
    """Within one window the vendor sees the limit and the new worker's part; then the limit."""
    busy, new = Limiter(TEN), Limiter(TEN)
    busy.share(1.0, 0.0)
    at_first = leaving(busy, 200, 0.0)
    busy.share(0.5, 1.0)
    new.share(0.5, 1.0)
    at_first += leaving(busy, 200, 1.0) + leaving(new, 200, 1.0)
    later = leaving(busy, 200, 11.3) + leaving(new, 200, 11.3)

    assert (150, 100) == (at_first, later)
