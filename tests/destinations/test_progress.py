"""How far one instance is in one partition."""

from __future__ import annotations

import random

from destinations.note import Note, read
from destinations.progress import Progress, Recovered


def test_what_is_committed_is_what_is_recovered() -> None:
    """A progress made of what another committed needs work exactly where that one did."""
    first = Progress(3)
    for offset in range(10):
        first.events.begin(offset, offset + 1, 0.0)
    for offset in (0, 1, 4, 5, 8):
        first.events.finish(offset, offset + 1)
    place, text = first.written(5.0) or (0, "")
    second = Progress.of(3, Recovered(read(text, place), place))

    assert 2 == place
    assert [2, 3, 6, 7, 9] == [n for n in range(2, 10) if second.events.begin(n, n + 1, 0.0)]
    assert second.written(5.0) == first.written(5.0)


def test_before_a_place_nothing_is_committed() -> None:
    """A replay has no past and no place."""

    assert None is Progress(0).written(5.0)


def test_an_intent_holds_the_ledgers_place() -> None:
    """Until it is known what came of a call, its page must be found again."""
    progress = Progress.of(0, Recovered(Note(ledger=3), 0))
    progress.intends(7, 10)
    progress.paged(10)
    progress.paged(12)
    held = read((progress.written(0.0) or (0, ""))[1], 0).ledger
    progress.heard([7])

    assert 10 == held
    assert 13 == read((progress.written(0.0) or (0, ""))[1], 0).ledger


def test_what_does_not_fit_is_found_in_the_ledger() -> None:
    """A note that is too long names the page from which on the ledger must be read instead."""
    die = random.Random(7)
    progress = Progress.of(0, Recovered(Note(ledger=3), 0))
    for offset in range(60_000):
        progress.events.begin(offset, offset + 1, 0.0)
    for offset in range(1, 60_000):
        if die.random() < 0.5:
            progress.events.finish(offset, offset + 1)
    progress.paged(99)
    place, text = progress.written(5.0) or (0, "")

    assert Note(5.0, 3, [], 0, []) == read(text, place)
