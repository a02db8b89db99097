"""So many events a second."""

from __future__ import annotations

import pytest

from destinations.allowance import Allowance


@pytest.mark.parametrize("rate", [0.5, 3.0, 50.0, 20_000.0])
def test_over_a_minute_it_is_the_rate(rate: float) -> None:
    """Asked ten times a second for a minute, it lets as many go as the rate says, and few more."""
    allowance, went = Allowance(rate, 0.0), 0
    for tick in range(601):
        some = allowance.most(1_000_000, tick / 10)
        allowance.take(some)
        went += some

    assert 60 * rate - 1 <= went <= 60 * rate + rate * 0.2 + 1


def test_a_pause_is_not_made_up_for() -> None:
    """After an hour of silence no hour's worth of events goes at once."""
    allowance = Allowance(50.0, 0.0)

    assert 11 == allowance.most(1_000, 3_600.0)


def test_the_limit_of_who_asks_holds() -> None:
    """No more than is asked for."""
    assert 3 == Allowance(50.0, 0.0).most(3, 60.0)


def test_it_says_when_to_ask_again() -> None:
    """After the wait the next may go, and before it none."""
    allowance = Allowance(2.0, 0.0)
    allowance.take(allowance.most(10, 0.0))
    before = allowance.most(10, 0.4)
    wait = allowance.wait()

    assert (0, pytest.approx(0.1)) == (before, wait)
    assert 1 == allowance.most(10, 0.4 + wait + 1e-9)
