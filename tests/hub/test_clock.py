"""Clocks tell the time, and times are written one way."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from hub.clock import FakeClock, SystemClock, iso, until_tick


def test_the_systems_clock_is_the_machines() -> None:
    """`now` is epoch time and `steady` the monotonic counter."""
    before = time.time(), time.monotonic()
    told = SystemClock().now(), SystemClock().steady()
    after = time.time(), time.monotonic()

    assert [list(each) for each in zip(before, told, after, strict=True)] == [
        sorted(each) for each in zip(before, told, after, strict=True)
    ]


def test_a_fake_clock_moves_when_told() -> None:
    """Both readings of a fake clock stand still, and move together."""
    clock = FakeClock(100.0)
    clock.advance(2.5)

    assert (102.5, 102.5) == (clock.now(), clock.steady())


def test_times_are_written_as_segment_does() -> None:
    """UTC, with milliseconds cut, and a Z."""
    moment = datetime(2026, 11, 21, 10, 0, 0, 999_999, UTC).timestamp()

    assert iso(moment) == "2026-11-21T10:00:00.999Z"


@given(st.integers(0, 4_102_444_800_000))
def test_written_times_read_back(milliseconds: int) -> None:
    """A time in milliseconds reads back within one."""
    back = datetime.fromisoformat(iso(milliseconds / 1_000)).timestamp() * 1_000

    assert abs(back - milliseconds) <= 1.001


@given(st.floats(0, 1e7), st.sampled_from([0.005, 0.01, 0.5]))
def test_who_waits_by_ticks_wakes_together(now: float, seconds: float) -> None:
    """The wait is above zero, one tick at most, and ends on a multiple of the tick."""
    wait = until_tick(seconds, now)
    ticks = (now + wait) / seconds

    assert 0 < wait <= seconds
    assert abs(ticks - round(ticks)) < 1e-3
