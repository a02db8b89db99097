"""Which events a person means."""

from __future__ import annotations

import argparse

import pytest

from destinations.selection import Selection, add_arguments, selection_of
from hub.settings import Misconfigured
from tests.destinations.invented import NOW


def _said(*words: str) -> Selection:
    parser = argparse.ArgumentParser()
    add_arguments(parser, "appended")
    return selection_of(parser.parse_args(words), NOW)


def test_nothing_said_means_everything() -> None:
    """Without a word every event is meant, of all times."""
    found = _said()

    assert Selection() == found
    assert found.means(id="m", type="track", name="", source="shop")


@pytest.mark.parametrize(
    ("words", "means"),
    [
        (("--event", "Bought"), True),
        (("--event", "Seen", "--event", "Bought"), True),
        (("--event", "bought"), False),
        (("--type", "identify"), False),
        (("--source", "shop", "--type", "track", "--id", "m"), True),
        (("--source", "shop", "--id", "n"), False),
    ],
)
def test_all_kinds_of_words_must_hold(words: tuple[str, ...], means: bool) -> None:
    """One of those that are named of each kind, and each kind."""
    assert means is _said(*words).means(id="m", type="track", name="Bought", source="shop")


def test_times_are_ago_or_absolute() -> None:
    """`2h` is that long ago, and a date is that day's beginning in UTC."""
    found = _said("--from", "2026-11-21", "--to", "2h")

    assert (NOW - 36_000.0, NOW - 7_200.0) == (found.since, found.until)


def test_what_is_no_time_is_told() -> None:
    """A wrong time is a fault with the word's name."""
    with pytest.raises(Misconfigured, match="--from: 'soon' is no time"):
        _said("--from", "soon")
