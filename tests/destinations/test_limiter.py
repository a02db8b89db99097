"""Never more than the vendor allows, in any window."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from destinations.limiter import DAY, SLICES, WHYS, Limiter
from destinations.spec import Bucket, Heard, Left, Rate, Window
from tests.destinations.knocking import TEN, WALL, leaving


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
            limiter.leave(now, WALL)
            left.append(now)

    for window in windows:
        for begin in left:
            within = [t for t in left if begin <= t < begin + window.seconds - 1e-9]
            assert len(within) <= window.limit


@given(limit=st.integers(1, 20), seconds=st.floats(0.1, 29.0), start=st.floats(0.0, 1e6))
def test_the_limit_is_used(limit: int, seconds: float, start: float) -> None:
    """A burst up to the limit leaves at once; the next waits, a window and a slice at most."""
    limiter = Limiter(Rate("all", (Window(limit, seconds),)))
    for _ in range(limit):
        assert limiter.wait(start) == 0
        limiter.leave(start, WALL)
    wait = limiter.wait(start)

    assert seconds <= wait <= seconds * (1 + 1 / SLICES) + 1e-6
    assert limiter.wait(start + wait + 1e-3) == 0


def test_two_windows_both_hold() -> None:
    """Ten in a second and twelve in ten: the longer wait counts."""
    limiter = Limiter(Rate("all", (Window(10, 1.0), Window(12, 10.0))))
    for _ in range(10):
        limiter.leave(0.0, WALL)

    assert 1.0 == pytest.approx(limiter.wait(0.0), rel=0.05)
    limiter.leave(1.1, WALL)
    limiter.leave(1.1, WALL)
    assert 9.1 == pytest.approx(limiter.wait(1.1), rel=0.05)


def test_many_requests_are_counted_in_few_slices() -> None:
    """A window of a thousand requests a second is fifty numbers and not a thousand."""
    limiter = Limiter(Rate("all", (Window(100_000, 1.0),)), most=10_000)
    for n in range(5_000):
        limiter.leave(n / 1_000, WALL)
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
    limiter.leave(0.0, WALL)
    one = limiter.wait(0.0)
    limiter.leave(0.0, WALL)
    two = limiter.wait(100.0)
    limiter.back(100.0, 1.0)

    assert [0.0, math.inf, 0.0] == [one, two, limiter.wait(100.0)]


def test_without_limits_nothing_waits() -> None:
    """A vendor that names no limit gets no wait."""
    limiter = Limiter(Rate("all"), most=10_000)
    for _ in range(1_000):
        limiter.leave(0.0, WALL)

    assert 0.0 == limiter.wait(0.0)


@given(pauses=st.lists(st.floats(0.0, 0.01), min_size=10, max_size=10))
def test_a_window_that_is_over_is_forgotten_whole(pauses: list[float]) -> None:
    """However often a burst came, in one slice or in several, the next may be as large."""
    limiter, now = Limiter(Rate("all", (Window(10, 1.0),))), 0.0
    for _ in range(20):
        for pause in pauses:
            now += pause
            assert limiter.wait(now) == 0
            limiter.leave(now, WALL)
        now += 1.1

    assert 0.0 == limiter.wait(now)


# Days


def test_a_day_ends_at_the_accounts_midnight() -> None:
    """A limit of a day that resets somewhere is full until midnight there, not for 24 hours."""
    limiter = Limiter(Rate("all", (Window(3, DAY, "Europe/Berlin"),)))
    left = leaving(limiter, 5, 50.0)
    wait, why = limiter.look(50.0)

    assert (3, 13 * 3_600.0, "daily_limit") == (left, wait, why)  # it is 11:00 in Berlin
    assert 0.0 == limiter.wait(50.0 + wait)


def test_a_rolling_day_gives_back_what_it_took_a_day_ago() -> None:
    """Without a time zone a day is any 24 hours."""
    limiter = Limiter(Rate("all", (Window(2, DAY),)))
    limiter.leave(0.0, WALL)
    limiter.leave(40_000.0, WALL)
    wait, why = limiter.look(50_000.0)

    assert "daily_limit" == why
    assert 36_400.0 == pytest.approx(wait, rel=0.06)


def test_a_spent_day_holds_and_leaves_the_pace_alone() -> None:
    """The vendor's word on the day is heeded; tomorrow all of the rate is ours again."""
    limiter = Limiter(TEN)
    limiter.busy(0.0, 3_600.0, "daily_limit")

    assert (3_600.0, "daily_limit") == limiter.look(0.0)
    assert 100 == leaving(limiter, 200, 3_600.0)


# What the vendor says


def test_what_the_vendor_counts_besides_is_believed() -> None:
    """Another program of the account used up most of the window: so much less is ours."""
    limiter = Limiter(TEN)
    leaving(limiter, 10, 0.0)
    limiter.heard(Heard(left=(Left(10.0, 20),)), 0.0)

    assert 20 == leaving(limiter, 100, 0.0)
    assert 100 == leaving(limiter, 200, 10.3)


def test_the_vendor_says_when_a_window_begins_anew() -> None:
    """With nothing left the wait is until the reset, though our own count is low."""
    limiter = Limiter(Rate("all", (Window(150, 60.0),)))
    leaving(limiter, 1, 0.0)
    limiter.heard(Heard(left=(Left(60.0, 0, 12.0),)), 0.0)

    assert (12.0, "window") == limiter.look(0.0)
    assert 0.0 == limiter.wait(12.0)


@given(st.floats(0, 1e9), st.floats(0, 1e9) | st.none(), st.floats(0, 1e9))
def test_nothing_that_is_heard_makes_it_faster(
    remaining: float, reset: float | None, level: float
) -> None:
    """A vendor that says more than was declared is not believed."""
    limiter = Limiter(Rate("all", (Window(5, 10.0),), bucket=Bucket(5, 0.1)))
    limiter.heard(Heard(left=(Left(10.0, remaining, reset),), level=level), 0.0)
    left = leaving(limiter, 4, 0.0)
    limiter.heard(Heard(left=(Left(10.0, remaining, reset),), level=level), 0.0)

    assert left + leaving(limiter, 10, 0.0) <= 5


def test_a_spent_window_that_nobody_declared_holds() -> None:
    """Of a limit that we do not count, the vendor's word that it is spent is enough."""
    limiter = Limiter(Rate("all"))
    limiter.heard(Heard(left=(Left(10.0, 1), Left(DAY, 0, 3_600.0))), 0.0)

    assert (3_600.0, "daily_limit") == limiter.look(0.0)


def test_a_window_with_something_left_holds_nobody() -> None:
    """Of a limit that we do not count, what is left is left."""
    limiter = Limiter(Rate("all"))
    limiter.heard(Heard(left=(Left(10.0, 1),)), 0.0)

    assert 0.0 == limiter.wait(0.0)


def test_our_own_count_is_the_finer_one() -> None:
    """A vendor that says that a window which we filled is full does not prolong it."""
    limiter = Limiter(TEN)
    leaving(limiter, 100, 0.0)
    limiter.heard(Heard(left=(Left(10.0, 0),)), 5.0)

    assert 5.2 == pytest.approx(limiter.wait(5.0))


def test_a_spent_day_may_end_sooner_than_ours() -> None:
    """The vendor's reset counts where its count is what stops us."""
    limiter = Limiter(Rate("all", (Window(9, DAY, "UTC"),)))
    leaving(limiter, 1, 0.0)
    limiter.heard(Heard(left=(Left(DAY, 0, 3_600.0),)), 0.0)

    assert (3_600.0, "daily_limit") == limiter.look(0.0)


# Points


def test_points_are_taken_and_come_back() -> None:
    """A request takes its cost, and waits for the points that it lacks."""
    limiter = Limiter(Rate("all", bucket=Bucket(100, 10.0)))
    limiter.leave(0.0, WALL, 70.0)

    assert 0.0 == limiter.wait(0.0, 30.0)
    assert (4.0, "cost") == limiter.look(0.0, 70.0)
    assert 0.0 == limiter.wait(4.0, 70.0)


def test_the_vendor_reports_its_level() -> None:
    """It knows of others who took points."""
    limiter = Limiter(Rate("all", bucket=Bucket(100, 10.0)))
    limiter.wait(0.0)
    limiter.heard(Heard(level=5.0), 0.0)

    assert 1.5 == limiter.wait(0.0, 20.0)


def test_a_reported_level_is_shared_and_raises_nothing() -> None:
    """Half of the partitions is half of what is left, and no more than we think."""
    half, all_of_it = (Limiter(Rate("all", bucket=Bucket(10, 1.0))) for _ in range(2))
    half.share(0.5, 0.0)
    for limiter, level in ((half, 4.0), (all_of_it, 1e9)):
        limiter.leave(0.0, WALL, 4.0)
        limiter.heard(Heard(level=level), 0.0)

    assert [4.0, 3.0] == [half.wait(0.0, 4.0), all_of_it.wait(0.0, 9.0)]


def test_a_request_that_costs_more_than_all_goes_on_credit() -> None:
    """It leaves when the bucket is full, and those after it wait for the debt."""
    limiter = Limiter(Rate("all", bucket=Bucket(100, 10.0)))
    first = limiter.wait(0.0, 150.0)
    limiter.leave(0.0, WALL, 150.0)

    assert (0.0, 6.0) == (first, limiter.wait(0.0, 10.0))


def test_a_talk_of_several_requests_counts_as_several() -> None:
    """In windows the cost is requests."""
    limiter = Limiter(TEN)
    for _ in range(33):
        limiter.leave(0.0, WALL, 3.0)

    assert limiter.wait(0.0, 3.0) > 0
    assert 0.0 == limiter.wait(0.0, 1.0)


# The pace


def test_a_refusal_halves_windows_and_seats() -> None:
    """After the pause that was asked for, half as much leaves; success brings the rest back."""
    limiter = Limiter(Rate("all", (Window(100, 10.0),), concurrency=8), most=16)
    limiter.busy(0.0, 5.0, "rate_limit")
    held = limiter.look(0.0)
    open_at_once = 0
    while limiter.wait(5.0) == 0:
        limiter.leave(5.0, WALL)
        open_at_once += 1
    for _ in range(open_at_once):
        limiter.back(5.0, 0.1)

    assert ((5.0, "held"), 4) == (held, open_at_once)
    assert 46 == leaving(limiter, 100, 5.0)
    for second in range(20):
        limiter.answered(6.0 + second, 0.1)
    assert 100 == leaving(limiter, 200, 60.0)


def test_a_refusal_leaves_a_days_budget_alone() -> None:
    """A day is no pace; points come back half as fast."""
    limiter = Limiter(Rate("all", (Window(10, DAY),), bucket=Bucket(10, 1.0)), most=1_000)
    limiter.busy(0.0, 1.0, "rate_limit")

    assert 10 == leaving(limiter, 20, 1.0)
    assert 20.0 == limiter._bucket.wait(1.0, 10.0, 1.0, 0.5)  # type: ignore[union-attr]


def test_slow_answers_narrow_the_road() -> None:
    """Twice as slow as usual: fewer at once."""
    limiter = Limiter(Rate("all"), most=10)
    for n in range(240):
        limiter.answered(float(n), 0.2 if n < 200 else 0.8)
    seats = 0
    while limiter.wait(240.0) == 0:
        limiter.leave(240.0, WALL)
        seats += 1

    assert 1 <= seats <= 5


def test_fractions_leave_nothing_behind() -> None:
    """Costs that add up to almost nothing more than they should do not hold a whole request."""
    limiter = Limiter(Rate("all", (Window(1, 10.0),)))
    for now, cost in ((0.0, 0.1), (1.0, 0.2), (2.0, 0.3)):
        limiter.leave(now, WALL, cost)

    assert 0.0 == limiter.wait(30.0)


def test_one_seat_is_halved_by_resting() -> None:
    """Half a request at once is one request and a rest as long."""
    limiter = Limiter(Rate("all", concurrency=1))
    limiter.busy(0.0, 1.0, "rate_limit")
    limiter.leave(1.0, WALL)
    limiter.back(3.0, 2.0)

    assert (2.0, "concurrency") == limiter.look(3.0)


def test_the_instances_own_bound_counts() -> None:
    """A vendor that names no concurrency is given what the instance allows."""
    limiter = Limiter(Rate("all"), most=2)
    limiter.leave(0.0, WALL)
    limiter.leave(0.0, WALL)

    assert (math.inf, "concurrency") == limiter.look(0.0)


def test_all_that_may_be_waited_for_has_a_name() -> None:
    """The names are labels of a metric: there are five of them."""
    assert {"held", "daily_limit", "concurrency", "window", "cost"} == set(WHYS)


def test_the_last_part_of_a_budget_is_spread() -> None:
    """A burst may take most of a minute's budget; the rest lasts until the burst is forgotten."""
    limiter = Limiter(Rate("all", (Window(100, 60.0),)))
    now, left = 0.0, []
    while now < 120.0:
        wait = limiter.wait(now)
        if wait == 0:
            limiter.leave(now, WALL)
            left.append(now)
        now += max(wait, 0.001)
    silences = [b - a for a, b in pairwise(left)]

    assert 80 == sum(at < 1.0 for at in left)
    assert max(silences) < 4.0
    assert len(left) >= 180


def test_a_refusal_leaves_a_minutes_budget_alone() -> None:
    """Half of the pace is half of the burst; half of a minute would be a minute's silence."""
    limiter = Limiter(Rate("all", (Window(10, 1.0), Window(1_000, 60.0))), most=1_000)
    limiter.busy(0.0, 1.0, "rate_limit")

    assert 5 == leaving(limiter, 20, 1.0)
    assert 5 == leaving(limiter, 20, 2.1)
