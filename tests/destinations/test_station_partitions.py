"""Partitions that come and go, records that are no events, and functions that break."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from msgspec import structs
from structlog.testing import capture_logs

from destinations.hearing import BY_RULES
from destinations.note import Note
from destinations.outcome import Barred, Busy, Delivered, Failed, Outcome, Refused
from destinations.plan import DUPLICATE
from destinations.progress import Recovered
from destinations.spec import Batch, Field, Made
from tests.destinations.day import Day, sample
from tests.destinations.invented import action, plan, record


def test_forgotten_partitions_are_not_sent() -> None:
    """What waits is dropped, in lanes and on buses; other partitions go on."""
    day = Day(plan(action(batch=Batch(rows=9)), linger=5.0))
    day.take(record(0, "x", 1))
    day.run(until=0.05)
    day.take(*(record(n, f"u{n}", n % 2) for n in range(2, 8)))
    day.depart()
    gone = day.station.forget([0, 7])
    day.run()

    assert [0] == [progress.partition for progress in gone]
    assert ["m1-0", "m1-3", "m1-5", "m1-7"] == sorted(day.ended)
    assert [(1, 8)] == [(p.partition, p.events.place) for p in day.station.progress]
    assert 0 == day.station._lanes.bytes


@pytest.mark.parametrize(
    "outcome",
    [Delivered(), Busy(1.0), Busy(0), Failed("x"), Refused("x", "no"), Barred("x", "no")],
    ids=lambda outcome: type(outcome).__name__,
)
@pytest.mark.parametrize("atomic", [False, True])
def test_late_answers_are_harmless(outcome: Outcome, atomic: bool) -> None:
    """An answer about a partition that moved changes nothing of what is read anew."""
    day = Day(plan(action(batch=Batch(rows=2, atomic=atomic)), linger=0.0))
    day.take(record(0, "a"), record(1, "b"), record(2, "a"))
    (bus,) = day.depart().buses
    for progress in day.station.forget([0]):
        progress.gone = True
    day.take(record(0, "a"), record(1, "b"), record(2, "a"))
    held = day.station._lanes.bytes
    doomed = day.station.settle(bus, [outcome] * 2, None, day.now, day.wall)
    day.record()

    assert [] == list(doomed)
    assert [] == day.pages
    assert 10_000 - 3 == day.station.room
    assert held == day.station._lanes.bytes
    assert [0] == [progress.events.place for progress in day.station.progress]


def test_until_a_partition_has_moved_its_answers_count() -> None:
    """What is heard while it is handed over is recorded and committed: nobody sends it again."""
    day = Day(plan())
    day.take(record(0, "a"), record(1, "b"))
    day.depart()
    (leaving,) = day.station.forget([0])
    day.back()
    day.back()

    assert 2 == leaving.events.place


def test_an_old_answer_splits_no_strangers() -> None:
    """When all riders of a sunk bus have moved away, neither half of it goes again."""
    day = Day(plan(action(batch=Batch(rows=2, atomic=True))))
    day.take(record(0, "a"), record(1, "b"))
    (bus,) = day.depart().buses
    day.station.forget([0])
    day.station.settle(bus, [Refused("x", "no")] * 2, None, day.now, day.wall)

    assert [] == list(day.depart().buses)


def test_what_was_read_before_is_not_sent_again() -> None:
    """A record that comes twice is on its way already, and goes once, in order."""
    day = Day(plan(max_in_flight=1))
    day.take(*(record(offset, "u") for offset in (0, 1, 2, 1, 2, 3)))
    day.run()

    assert [["m0-0"], ["m0-1"], ["m0-2"], ["m0-3"]] == [ids for _, ids in day.log]
    assert [4] == [progress.events.place for progress in day.station.progress]


def test_a_record_that_is_no_event_is_passed_and_told() -> None:
    """Without headers, or with a body that is no JSON, it stops nobody and its offset ends."""
    bare = structs.replace(record(0), headers=())
    odd = structs.replace(record(1), headers=(*record(1).headers[:-1], ("at", b"soon")))
    torn = structs.replace(record(2, "a"), value=b'{"type": "tr')
    day = Day(plan())
    with capture_logs() as logs:
        day.station.adopt(0, Recovered())
        day.station.take(0, [bare, odd, torn])
        day.take(record(3, "a"))
        day.run()

    assert {"m0-3": "delivered"} == day.ended
    assert ["KeyError", "ValueError", "JSONDecodeError"] == [said["error"] for said in logs]
    assert [4] == [progress.events.place for progress in day.station.progress]
    assert 0 == day.station._lanes.bytes


def test_neighbours_that_are_left_out_are_counted_each() -> None:
    """They are one range of a line, and as many in the metric; twins among them are told apart."""
    names = ["Dull"] * 4 + ["Bought"] + ["Dull"] * 3
    run = [record(offset, f"u{offset}", event=name) for offset, name in enumerate(names)]
    day = Day(plan(filter={"events": ["Bought"]}))
    day.station.adopt(0, Recovered(Note(finished=[(1, 3)]), place=0))
    day.station.take(0, run, twins={(0, 6)})
    day.record()
    lines = [line for page in day.pages for line in page["lines"]]

    assert [
        (BY_RULES, [[0, 1], [3, 4], [5, 6], [7, 8]]),
        (DUPLICATE, [[6, 7]]),
    ] == [(line["code"], line["offsets"]) for line in lines]
    assert [4.0, 1.0] == [
        sample(day.metrics, "destination_filtered_total", reason=reason)
        for reason in (BY_RULES, DUPLICATE)
    ]
    assert [4] == [progress.events.place for progress in day.station.progress]


def _breaks(*_: Any) -> Any:
    raise ZeroDivisionError("secret of a@b.example")


@pytest.mark.parametrize(
    "broken",
    [
        {"fields": {"x": Field("Breaks.", Made("breaks", _breaks))}},
        {"check": _breaks},
        {"batch": Batch(rows=2, group=_breaks)},
        {"batch": Batch(rows=2, unique=_breaks)},
        {"batch": Batch(rows=2, weigh=_breaks)},
        {"max_age": _breaks},
    ],
    ids=lambda broken: next(iter(broken)),
)
def test_a_vendors_bug_buries_its_event_and_stops_nobody(broken: dict[str, Any]) -> None:
    """An event on which a vendor's function breaks is a dead letter, to be replayed when mended."""
    bad = action("bad", on=replace(action().on, names=("Bad",)), **broken)
    day = Day(plan(bad, action("good")))
    day.take(record(0, "a", event="Bad"), record(1, "a"), record(2, "b"))
    with capture_logs() as logs:
        day.run()

    assert "doomed bug_in_mapping" == day.ended["m0-0"]
    assert {"delivered"} == {day.ended["m0-1"], day.ended["m0-2"]}
    assert ["bug in a talk"] == [said["event"] for said in logs]
    assert "a@b.example" not in str(logs)


def test_what_is_filtered_ends_at_once() -> None:
    """What headers decide never waits; what the body decides ends when its turn comes."""
    where = {"path": "properties.plan", "equals": "pro"}
    day = Day(plan(filter={"where": [where]}, sources=["a"]))
    day.take(record(0, "u"), record(1, "u", source="a"))
    before = [progress.events.place for progress in day.station.progress]
    day.run()

    assert ([1], [2]) == (before, [progress.events.place for progress in day.station.progress])
    assert [1.0, 1.0, 0.0] == [
        sample(day.metrics, "destination_filtered_total", reason="filtered_by_source"),
        sample(day.metrics, "destination_filtered_total", reason="filtered_by_rules"),
        sample(day.metrics, "destination_accepted_total"),
    ]
    assert [] == day.log


def test_what_is_accepted_is_counted_once() -> None:
    """However often it is tried, an event is accepted once, delivered once, and timed."""
    answers: Iterator[Outcome] = iter([Failed("x"), Failed("x"), Busy(1.0)])
    day = Day(plan(), lambda *_: (0.0, [next(answers, Delivered("dropped a field"))]))
    day.take(record(0))
    with capture_logs() as logs:
        day.run()

    assert [1.0, 2.0, 1.0, 4.0] == [
        sample(day.metrics, name)
        for name in (
            "destination_accepted_total",
            "destination_retried_total",
            "destination_delivered_total",
            "destination_batch_rows_count",
        )
    ]
    assert ["delivered with a note"] == [said["event"] for said in logs]


def test_gauges_tell_how_it_stands() -> None:
    """Lanes, backlog and the age of the oldest unfinished event, also of one on the road."""
    day = Day(plan())
    day.take(record(0, "a"), record(1, "a"), record(2, "b"))
    day.depart()
    day.now = 30.0
    day.station.tell(day.wall)
    names = ("destination_lanes", "destination_backlog", "destination_oldest_seconds")

    assert [2.0, 3.0, 30.0] == [sample(day.metrics, name) for name in names]
    day.run()
    day.station.tell(day.wall)
    assert [0.0, 0.0, 0.0] == [sample(day.metrics, name) for name in names]
