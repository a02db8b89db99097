"""Never more than the vendor allows, in any window."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from destinations.limiter import SLICES, Limiter
from destinations.spec import Rate, Window


@given(
    windows=st.lists(
        st.builds(Window, st.integers(1, 12), st.floats(0.1, 100.0)), min_size=1, max_size=2
    ),
    pauses=st.lists(st.floats(0.0, 30.0) | st.just(0.0), max_size=80),
    start=st.floats(0.0, 1e6),
)
def test_no_window_ever_overflows(windows: list[Window], pauses: list[float], start: float) -> None:
    """In any `seconds`, wherever they begin, at most `limit` requests leave."""
    limiter = Limiter(Rate("all", tuple(windows)))
    now, left = start, []
    for pause in pauses:
        now += pause
        if limiter.wait(now) == 0:
            limiter.leave(now)
            left.append(now)

    for window in windows:
        for begin in left:
            within = [t for t in left if begin <= t < begin + window.seconds - 1e-9]
            assert len(within) <= window.limit


@given(limit=st.integers(1, 20), seconds=st.floats(0.1, 100.0), start=st.floats(0.0, 1e6))
def test_the_limit_is_used(limit: int, seconds: float, start: float) -> None:
    """A burst up to the limit leaves at once; the next waits, a window and a slice at most."""
    limiter = Limiter(Rate("all", (Window(limit, seconds),)))
    for _ in range(limit):
        assert limiter.wait(start) == 0
        limiter.leave(start)
    wait = limiter.wait(start)

    assert seconds <= wait <= seconds * (1 + 1 / SLICES) + 1e-6
    assert limiter.wait(start + wait + 1e-3) == 0


def test_two_windows_both_hold() -> None:
    """Ten in a second and twelve in ten: the longer wait counts."""
    limiter = Limiter(Rate("all", (Window(10, 1.0), Window(12, 10.0))))
    for _ in range(10):
        limiter.leave(0.0)

    assert 1.0 == pytest.approx(limiter.wait(0.0), rel=0.05)
    limiter.leave(1.1)
    limiter.leave(1.1)
    assert 9.1 == pytest.approx(limiter.wait(1.1), rel=0.05)


def test_many_requests_are_counted_in_few_slices() -> None:
    """A window of a thousand requests a second is fifty numbers and not a thousand."""
    limiter = Limiter(Rate("all", (Window(100_000, 1.0),)))
    for n in range(5_000):
        limiter.leave(n / 1_000)
        limiter.wait(n / 1_000)

    assert len(limiter._windows[0]._slices) <= SLICES + 2


def test_the_vendors_wish_is_heeded() -> None:
    """A hold keeps requests until then; a shorter one does not shorten it."""
    limiter = Limiter(Rate("all"))
    limiter.hold(30.0)
    limiter.hold(10.0)

    assert [20.0, 0.0] == [limiter.wait(10.0), limiter.wait(30.0)]


def test_concurrency_is_a_bound() -> None:
    """With all seats on the road the wait is for an answer, not for a time."""
    limiter = Limiter(Rate("all", concurrency=2))
    limiter.leave(0.0)
    one = limiter.wait(0.0)
    limiter.leave(0.0)
    two = limiter.wait(100.0)
    limiter.back()

    assert [0.0, math.inf, 0.0] == [one, two, limiter.wait(100.0)]


def test_without_limits_nothing_waits() -> None:
    """A vendor that names no limit gets no wait."""
    limiter = Limiter(Rate("all"))
    for _ in range(1_000):
        limiter.leave(0.0)

    assert 0.0 == limiter.wait(0.0)


@given(pauses=st.lists(st.floats(0.0, 0.01), min_size=10, max_size=10))
def test_a_window_that_is_over_is_forgotten_whole(pauses: list[float]) -> None:
    """However often a burst came, in one slice or in several, the next may be as large."""
    limiter, now = Limiter(Rate("all", (Window(10, 1.0),))), 0.0
    for _ in range(20):
        for pause in pauses:
            now += pause
            assert limiter.wait(now) == 0
            limiter.leave(now)
        now += 1.1

    assert 0.0 == limiter.wait(now)
