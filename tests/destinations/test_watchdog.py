"""Whether an instance stands still."""

from __future__ import annotations

from destinations.watchdog import REASONS, STILL_SECONDS, Still, Watchdog


def test_what_stands_still_is_told_with_its_reason() -> None:
    """After a minute in which nothing moved although something waits; not before."""
    dog = Watchdog(0.0)

    assert None is dog.look(STILL_SECONDS - 1, 0, waiting=True, reason="in_flight")
    assert Still(60.0, "in_flight") == dog.look(60.0, 0, waiting=True, reason="in_flight")
    assert Still(90.0, "barred") == dog.look(90.0, 0, waiting=True, reason="barred")


def test_any_move_begins_the_time_anew() -> None:
    """Taken, sent or answered: as long as the count grows, all is well."""
    dog = Watchdog(0.0)

    assert [None] * 9 == [dog.look(30.0 * n, n, waiting=True, reason="unknown") for n in range(9)]


def test_who_has_nothing_to_do_may_rest() -> None:
    """An idle instance is no still one, and one that gets work has its minute."""
    dog = Watchdog(0.0)
    dog.look(500.0, 0, waiting=False, reason="unknown")

    assert None is dog.look(520.0, 0, waiting=True, reason="unknown")


def test_reasons_are_bounded() -> None:
    """They are a metric's labels: a fixed set of words."""
    assert {"braked", "vendor_away", "daily_limit", "unknown"} <= set(REASONS)
    assert all(isinstance(reason, str) for reason in REASONS)
