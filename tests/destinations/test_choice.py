"""What a replay does with each event."""

from __future__ import annotations

from typing import Any

import pytest

from destinations import choice, ledger
from destinations.choice import Chooser
from destinations.ledger import Page
from destinations.selection import Selection
from destinations.verdicts import Verdicts
from hub.log import Record, Span
from tests.destinations.invented import NOW, record


def chooser(
    *lines: dict[str, Any], place: int = 10, everything: bool = False, **words: Any
) -> Chooser:
    """Of a replay `spring` of ten events; `lines` are the ledger's, (replay=True) its own."""
    known = Verdicts("crm", [Span(0, 0, 20)], "spring")
    for number, line in enumerate(lines):
        replay = "spring" if line.pop("replay", False) else ""
        known.hear(Page("crm", 0, NOW, [line], replay), number)
    selection = Selection(**{name: frozenset(said) for name, said in words.items()})
    return Chooser(selection, known, {0: place}, everything)


def line(offset: int, outcome: str, **told: Any) -> dict[str, Any]:
    return {"offset": offset, "outcome": outcome, **told}


def chose(one: Chooser, *records: Record) -> list[int]:
    """The offsets of those that it sends."""
    return [r.offset for r in records if one.choose(r) is not None]


def test_what_nobody_told_of_goes() -> None:
    """Before the committed place and in no page: it was passed over, and is sent."""
    assert [0, 1] == chose(chooser(), record(0), record(1))


def test_what_is_still_to_come_is_left_to_the_live_lane() -> None:
    """From the committed place on, unless the ledger tells an end; and what is parked."""
    one = chooser(line(5, ledger.REFUSED, code="no"), line(1, ledger.PARKED), place=4)
    records = [record(offset) for offset in range(7)]

    assert [0, 2, 3, 5] == chose(one, *records)
    assert {"sent": 4, "pending": 3} == one.counts


def test_what_was_delivered_goes_only_when_all_is_asked_for() -> None:
    """A vendor is not told twice by mistake."""
    told = line(1, ledger.DELIVERED)
    careful, bold = chooser(dict(told)), chooser(dict(told), everything=True)

    assert [0] == chose(careful, record(0), record(1))
    assert [0, 1] == chose(bold, record(0), record(1))
    assert {"sent": 1, "delivered": 1} == careful.counts


def test_a_code_asks_for_those_that_ended_by_it() -> None:
    """Only events whose last word was this code; neither delivered nor untold ones."""
    one = chooser(
        line(0, ledger.REFUSED, code="http_400"),
        line(1, ledger.REFUSED, code="http_422"),
        line(2, ledger.DELIVERED),
        codes=["http_400"],
    )

    assert [0] == chose(one, *(record(offset) for offset in range(4)))
    assert {"sent": 1, "other_code": 3} == one.counts


def test_what_it_did_before_it_does_not_do_again() -> None:
    """Its own final lines are its place, also when all is asked for, or a code."""
    own = line(0, ledger.REFUSED, code="no", replay=True)

    assert [1] == chose(chooser(dict(own), everything=True), record(0), record(1))
    assert [] == chose(chooser(dict(own), codes=["no"]), record(0))


def test_a_message_goes_once() -> None:
    """Of two events with one source and messageId the first goes; another source's is another's."""
    one = chooser(everything=True)
    twins = [record(n, messageId="m", source=source) for n, source in enumerate("aab")]

    assert [0, 2] == chose(one, *twins)
    assert {"sent": 2, "twin": 1} == one.counts


def test_the_twin_of_what_was_delivered_does_not_go() -> None:
    """Whether the first is in the range, or the ledger calls the second a duplicate."""
    one = chooser(line(0, ledger.DELIVERED), line(5, ledger.FILTERED, code="duplicate"))

    assert [] == chose(one, record(0, messageId="m"), record(1, messageId="m"), record(5))
    assert {"delivered": 1, "twin": 2} == one.counts


def test_ids_are_forgotten_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is bounded: of more ids than are remembered, the oldest count as new."""
    monkeypatch.setattr(choice, "MOST_IDS", 2)
    one = chooser()
    ids = ["a", "b", "c", "b", "a"]

    assert [0, 1, 2, 4] == chose(one, *(record(n, messageId=who) for n, who in enumerate(ids)))


def test_only_what_is_asked_for_goes() -> None:
    """Names, types, sources and ids are those of the headers; the body is not parsed."""
    one = chooser(names=["Bought"], types=["track"])
    bought, seen = record(0), record(1, event="Seen")
    broken = Record("events", 0, 2, b"k", b"no JSON", (("id", b"m"),), NOW)

    assert [0] == chose(one, bought, seen, broken)
    assert {"sent": 1, "unmeant": 1, "broken": 1} == one.counts


def test_every_choice_has_a_sentence() -> None:
    """What is counted can be told."""
    assert set(choice.SENTENCES) == set(choice.Choice.__args__)  # type: ignore[attr-defined]
