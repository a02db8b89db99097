"""What each outcome comes to."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from destinations.batcher import Bus
from destinations.item import Item
from destinations.outcome import Failed, Outcome
from destinations.progress import Recovered
from destinations.spec import Batch, Idempotency
from tests.destinations.day import Day, delivered
from tests.destinations.invented import action, plan, record

LOST = Failed("timeout", unknown=True)
KNOWN = Failed("http_503")


def answers(*first: Outcome):  # type: ignore[no-untyped-def]
    """A vendor who answers so, one request after the other, and then takes everything."""
    left = list(first)

    def script(now: float, bus: Bus[Item]) -> tuple[float, Sequence[Outcome]]:
        return (0.1, [left.pop(0)] * len(bus.riders)) if left else delivered(now, bus)

    return script


def lines(day: Day) -> list[tuple[str, object]]:
    """What the ledger tells, line by line: the outcome, and its code or whether it is in doubt."""
    return [
        (line["outcome"], line.get("code") or line.get("in_doubt"))
        for page in day.pages
        for line in page["lines"]
        for _ in line.get("events", [line])
    ]


def test_every_attempt_is_told() -> None:
    """What failed is in the ledger with its code and the wait, and so is how it ended."""
    day = Day(plan(), answers(KNOWN, KNOWN))
    day.take(record(0))
    day.run()
    (failed, again, done) = [line for page in day.pages for line in page["lines"]]

    assert [("failed", "http_503")] * 2 + [("delivered", None)] == lines(day)
    assert [1, 2, 2] == [one["attempts"] for one in (failed, again, done)]
    assert (1.0, 200, "send") == (failed["wait"], done["status"], done["action"])


@pytest.mark.parametrize(
    ("kind", "window", "choice", "ends"),
    [
        (Idempotency.NONE, None, "at_least_once", ("delivered", True)),
        (Idempotency.NONE, None, "at_most_once", ("refused", "in_doubt")),
        (Idempotency.UPSERT, None, "at_most_once", ("delivered", True)),
        (Idempotency.NATIVE, None, "at_most_once", ("delivered", True)),
        (Idempotency.NATIVE, 3_600.0, "at_most_once", ("delivered", True)),
        (Idempotency.NATIVE, 0.05, "at_most_once", ("refused", "in_doubt")),
    ],
)
def test_the_unknown_is_sent_again_where_that_is_harmless(
    kind: Idempotency, window: float | None, choice: str, ends: tuple[str, object]
) -> None:
    """A vendor who tells twins apart, within its window, is asked again; else it is a choice."""
    day = Day(plan(action(idempotency=kind, window=window), in_doubt=choice), answers(LOST))
    day.take(record(0))
    day.run()

    assert ends == lines(day)[-1]


def test_a_known_failure_is_no_doubt() -> None:
    """A vendor who said that it did nothing may be asked again by the most careful instance."""
    day = Day(plan(action(idempotency=Idempotency.NONE), in_doubt="at_most_once"), answers(KNOWN))
    day.take(record(0))
    day.run()

    assert ("delivered", None) == lines(day)[-1]


def test_an_outage_spends_nobodys_patience() -> None:
    """Ten hours without the vendor and a patience of one: all are delivered when it is back."""

    def script(now: float, bus: Bus[Item]) -> tuple[float, Sequence[Outcome]]:
        return (0.1, [KNOWN]) if now < 36_000 else delivered(now, bus)

    day = Day(plan(patience=3_600.0, breaker_failures=2), script)
    day.take(*(record(n, f"u{n}") for n in range(20)))
    day.run()

    assert ["delivered"] * 20 == list(day.ended.values())


def test_who_fails_alone_runs_out_of_patience() -> None:
    """While the vendor takes others, the age of an event decides."""

    def script(now: float, bus: Bus[Item]) -> tuple[float, Sequence[Outcome]]:
        bad = bus.riders[0].event.record.offset == 0
        return (0.1, [KNOWN]) if bad else delivered(now, bus)

    day = Day(plan(patience=600.0, max_in_flight=1), script)
    day.take(record(0, "bad"))
    for n in range(1, 50):
        day.take(record(n, f"u{n}"))
        day.run(until=day.now + 30.0)
    day.run()

    assert "doomed patience_exhausted" == day.ended["m0-0"]
    assert 49 == list(day.ended.values()).count("delivered")


@pytest.mark.parametrize(
    ("choice", "ends"),
    [("at_most_once", ("refused", "in_doubt")), ("at_least_once", ("delivered", True))],
)
def test_a_call_that_a_kill_cut_off_is_a_doubt(choice: str, ends: tuple[str, object]) -> None:
    """The intent is in the ledger and no end of it: the instance's choice is heeded, and told."""
    day = Day(plan(action(idempotency=Idempotency.NONE), in_doubt=choice))
    day.station.adopt(0, Recovered(place=0, doubts={0: 5}))
    day.take(record(0), record(1))
    day.run()

    assert {ends, ("delivered", None)} == set(lines(day))


def test_who_rode_with_others_is_told_apart_where_it_has_a_history() -> None:
    """What was delivered at once shares a line; who had failed before has its own attempts told."""
    batch = Batch(rows=2)
    day = Day(plan(action(batch=batch), linger=0.0), answers(KNOWN))
    day.take(record(0, "u0"))
    day.run(until=0.5)
    day.take(record(1, "u1"), record(2, "u2"), record(3, "u0"))
    day.run()

    told = [line for page in day.pages for line in page["lines"] if "events" in line]
    alone = [line for page in day.pages for line in page["lines"] if "offset" in line]
    assert {1, 2, 3} == {offset for line in told for offset, *_ in line["events"]}
    assert [("failed", 1), ("delivered", 1)] == [(one["outcome"], one["attempts"]) for one in alone]
