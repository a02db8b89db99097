"""The way of events into `parked` and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from destinations.batcher import Bus
from destinations.item import Item
from destinations.outcome import Barred, Failed, Outcome
from destinations.parking import OUT
from destinations.plan import Plan
from destinations.progress import Progress
from hub.log import PARKED, Place, Record
from tests.destinations.day import Day, delivered
from tests.destinations.invented import NOW, action, plan, record


class Parkplatz(Day):
    """A day with a stream `parked`, which takes and gives at once."""

    def __init__(self, of: Plan, script) -> None:  # type: ignore[no-untyped-def]
        super().__init__(of, script)
        self.parked: list[Record] = []

    def look_after(self, crowded: bool = False) -> None:
        """What the worker does once a second."""
        parking = self.station.parking
        parking.sweep(self.now, crowded)
        for item in parking.leaving():
            entry = parking.entry(item)
            place = Place(0, len(self.parked))
            self.parked.append(
                Record(PARKED, 0, place.offset, entry.key, entry.value, entry.headers, NOW)
            )
            parking.arrived(item, place)
        while (lane := parking.wanted(self.now)) is not None:
            parking.comes(lane, self.parked[lane.offsets[0] :])
        self.record()

    def live(self, seconds: float, people: int = 3) -> None:
        """Others come and are taken, once every ten seconds."""
        until = self.now + seconds
        while self.now < until:
            offset = 1 + max(r.offset for r in self._taken[0])
            self.take(record(offset, f"live{offset % people}"))
            self.run(until=self.now + 10.0)
            self.now = max(self.now, min(until, self.now + 10.0))
            self.look_after()

    def check(self) -> None:
        """Parked events are finished in `events`, so the watermark is another one here."""

    def _check_turn(self, item: Item) -> None:
        assert not self.busy[item.event.record.key], "two events of one person on the road"


def fails_until(end: float, who: bytes = b"bad", outcome: Outcome | None = None):  # type: ignore[no-untyped-def]
    """A vendor who does not take one person's events before `end`."""

    def script(now: float, bus: Bus[Item]) -> tuple[float, Sequence[Outcome]]:
        if now < end and bus.riders[0].event.record.key.endswith(who):
            return 0.1, [outcome or Failed("http_500")]
        return delivered(now, bus)

    return script


def test_a_lane_that_fails_long_is_parked_with_those_behind_it() -> None:
    """After 15 minutes the commit moves on; before, it stands at the one that fails."""
    day = Parkplatz(plan(), fails_until(1e9))
    day.take(record(0, "bad"), record(1, "bad"), record(2, "good"))
    day.live(890.0)
    before = day.station.progress[0].events.place
    day.live(60.0)
    day.take(record(500, "bad"))
    day.look_after()

    assert 0 == before
    assert 501 == day.station.progress[0].events.place
    assert [0, 1, 500] == [int(dict(one.headers)["place"].partition(b":")[2]) for one in day.parked]
    assert (1, 3) == (day.station.parking.lanes, len(day.station.parking))
    assert 10_000 == day.station.room + day.station._lanes.backlog


def test_parked_lanes_resume_by_themselves_and_in_order() -> None:
    """When the vendor takes them again, they come back one after the other, and nothing is left."""
    day = Parkplatz(plan(retry_most_seconds=60.0), fails_until(2_000.0))
    day.take(*(record(n, "bad") for n in range(5)), record(5, "good"))
    day.live(3_000.0)
    sent = [ids[0] for at, ids in day.log if at >= 2_000.0 and ids[0] in {"m0-0", "m0-1", "m0-4"}]

    assert ["m0-0", "m0-1", "m0-4"] == sent
    assert (0, 0) == (day.station.parking.lanes, len(day.station.parking))
    assert 5 == day.station.progress[0].parked.place
    assert {"delivered"} == set(day.ended.values())


def test_nothing_is_parked_while_the_vendor_is_away() -> None:
    """When nobody is taken, there is nobody to make room for: all waits in the log."""

    def script(now: float, bus: Bus[Item]) -> tuple[float, Sequence[Outcome]]:
        return (0.1, [Failed("timeout")]) if now < 5_000 else delivered(now, bus)

    day = Parkplatz(plan(), script)
    day.take(*(record(n, f"u{n}") for n in range(30)))
    while day.now < 4_000:
        day.run(until=day.now + 10.0)
        day.now += 1.0
        day.look_after()

    assert [] == day.parked
    day.run()
    assert 30 == len(day.ended)


def test_an_action_that_is_barred_makes_room_for_the_others() -> None:
    """Its lanes are parked, and come back when it is let in."""
    only_bad = replace(action().on, names=("Bad",))
    barred = fails_until(4_000.0, outcome=Barred("scope", "missing"))
    day = Parkplatz(plan(action("bad", on=only_bad), action("good")), barred)
    day.take(*(record(n, f"u{n}bad", event="Bad") for n in range(4)), record(4, "good"))
    day.live(1_300.0)
    parked = day.station.parking.lanes
    day.live(6_000.0)

    assert 4 == parked
    assert {f"m0-{n}" for n in range(4)} <= set(day.ended)
    assert 0 == day.station.parking.lanes


def test_few_parked_lanes_are_tried_at_once() -> None:
    """Those who fail do not crowd out those who are new."""
    day = Parkplatz(plan(), delivered)
    day.take(record(0, "good"))
    day.run()
    progress = day.station.progress[0]
    day.station.parking.found(progress, [(b"k%d" % n, n) for n in range(OUT + 5)])
    wanted = []
    while (lane := day.station.parking.wanted(day.now)) is not None:
        wanted.append(lane)

    assert OUT == len(wanted)
    assert None is day.station.parking.next_due()


def test_what_moves_away_on_its_way_is_not_counted() -> None:
    """Neither what waits to be parked nor what is parked belongs to us any more."""
    day = Parkplatz(plan(), fails_until(1e9))
    day.take(record(0, "bad"), record(1, "good"))
    day.live(950.0)
    day.take(record(500, "bad"))
    day.station.forget([0])

    assert (0, 0, 0) == (
        len(day.station.parking),
        day.station.parking.moving,
        day.station.parking.bytes,
    )
    assert [] == day.station.parking.leaving()


def test_what_the_log_has_deleted_is_not_waited_for() -> None:
    """A parked event that retention took is nobody's any more, and its lane goes on."""
    day = Parkplatz(plan(), delivered)
    day.take(record(0, "good"))
    progress: Progress = day.station.progress[0]
    day.station.parking.found(progress, [(b"gone", 3)])
    lane = day.station.parking.wanted(0.0)
    assert lane is not None
    day.station.parking.comes(lane, [])

    assert (0, 4) == (day.station.parking.lanes, progress.parked.place)


def test_what_was_read_for_a_partition_that_moves_does_not_come() -> None:
    """Its new owner reads it, too: in our lanes nobody would ever take it out."""
    day = Parkplatz(plan(), delivered)
    day.take(record(0, "good"))
    progress = day.station.progress[0]
    day.parked.append(record(0, "bad"))
    day.station.parking.found(progress, [(record(0, "bad").key, 0)])
    lane = day.station.parking.wanted(0.0)
    assert lane is not None
    day.station.forget([0])
    day.station.parking.comes(lane, day.parked)

    assert 0 == len(day.station._lanes)
