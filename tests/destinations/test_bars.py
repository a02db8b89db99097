"""Which actions a vendor does not let us take."""

from __future__ import annotations

import math

from destinations.bars import Bar, Bars
from destinations.outcome import Barred

WHY = Barred("scope", "is missing")


def barred() -> Bars:
    """Bars of which `send` was raised at 0, for 300 s."""
    bars = Bars(300.0)
    assert bars.raise_("send", WHY, 0.0, bars.leave("send"))
    return bars


def test_a_bar_is_its_actions_own() -> None:
    """The action neither seats nor leaves; another one goes on."""
    bars = barred()

    assert (True, False) == (bars.on("send"), bars.on("other"))
    assert (False, False) == (bars.seat("send", 10.0), bars.may_go("send"))
    assert (True, True) == (bars.seat("other", 10.0), bars.may_go("other"))


def test_one_event_probes_when_it_is_time() -> None:
    """After `seconds` one is seated and leaves; nobody else, until it is answered."""
    bars = barred()
    due = list(bars.due(299.0)), list(bars.due(300.0))
    seats = [bars.seat("send", 300.0) for _ in range(2)]
    may = bars.may_go("send")
    turn = bars.leave("send")
    on_its_way = bars.may_go("send"), list(bars.due(900.0))
    lifted = bars.lift("send", turn)

    assert ([], ["send"]) == due
    assert [True, False] == seats
    assert (True, (False, [])) == (may, on_its_way)
    assert (True, 0) == (lifted, len(bars))


def test_a_probe_that_is_barred_waits_as_long_again() -> None:
    """They said no once more: that is news, and the next probe goes `seconds` later."""
    bars = barred()
    bars.seat("send", 300.0)
    news = bars.raise_("send", WHY, 301.0, bars.leave("send"))

    assert news
    assert [] == list(bars.due(600.9))
    assert ["send"] == list(bars.due(601.0))


def test_who_left_before_the_bar_says_nothing() -> None:
    """Its answer neither lifts the bar nor raises it again."""
    bars = Bars(300.0)
    early = bars.leave("send")
    bars.raise_("send", WHY, 0.0, bars.leave("send"))

    assert not bars.lift("send", early)
    assert not bars.raise_("send", WHY, 100.0, early)
    assert ["send"] == list(bars.due(300.0))


def test_a_probe_without_a_verdict_makes_room_for_another() -> None:
    """A failure on the way, or a seat that was lost with its partition, stops nobody for ever."""
    bars = barred()
    bars.seat("send", 300.0)
    bars.undecided("send", bars.leave("send"))
    again = bars.seat("send", 301.0)
    bars.lost()

    assert again
    assert bars.seat("send", 302.0)


def test_it_is_looked_at_when_a_probe_is_due_and_somebody_waits() -> None:
    """Without anybody who could probe there is nothing to wake up for."""
    bars = barred()

    assert 100.0 == bars.next_due(200.0, lambda _: True)
    assert math.inf == bars.next_due(200.0, lambda _: False)


def test_a_bar_says_why() -> None:
    """Who asks is told the vendor's sentence, and when it is asked again."""

    assert [Bar("send", "scope", "is missing", 200.0)] == barred().told(100.0)
