"""Where the policies meet: whole days of outages, limits and refusals, played without waiting."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from destinations.batcher import Bus
from destinations.breaker import State
from destinations.consequences import MAX_BOUNCES
from destinations.item import Item
from destinations.outcome import Barred, Busy, Delivered, Failed, Outcome, Refused
from destinations.spec import Batch, Heard, Rate, Window
from destinations.station import MAX_BYTES, SEATS, STOP
from tests.destinations.day import Day, delivered, refused, sample
from tests.destinations.invented import NOW, action, plan, record, vendor

WEATHER: list[tuple[int, Outcome]] = [
    (50, Delivered()),
    (5, Delivered("a field was dropped")),
    (8, Busy(3.0)),
    (3, Busy(0.0)),
    (20, Failed("http_503")),
    (3, Failed("http_503", 30.0)),
    (8, Refused("bad", "no")),
    (2, Barred("unauthorised", "no")),
]


@settings(max_examples=120, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    people=st.integers(1, 6),
    rows=st.sampled_from([1, 2, 5]),
    atomic=st.booleans(),
    in_flight=st.sampled_from([1, 2, 8]),
    windows=st.sampled_from([(), (Window(2, 1.0),), (Window(10, 5.0), Window(3, 0.5))]),
    concurrency=st.sampled_from([None, 1, 3]),
    linger=st.sampled_from([0.0, 0.5]),
)
def test_any_day_ends_well(
    seed: int,
    people: int,
    rows: int,
    atomic: bool,
    in_flight: int,
    windows: tuple[Window, ...],
    concurrency: int | None,
    linger: float,
) -> None:
    """Whatever is answered: order per key, nothing lost, each event ends once, no lost wake-up."""
    dice = random.Random(seed)
    rate = Rate("all", windows, concurrency)
    acts = [
        action("vip", on=_named("VIP"), batch=Batch(rows=rows), rate=Rate("vip", windows)),
        action("send", batch=Batch(rows=rows, atomic=atomic), rate=rate),
    ]
    dull = 0

    def script(_: float, bus: Bus[Item]) -> tuple[float, list[Outcome]]:
        kinds, weights = [o for _, o in WEATHER], [w for w, _ in WEATHER]
        if dice.random() < 0.1:
            return dice.random() * 5, refused(bus)
        return dice.random() * 5, dice.choices(kinds, weights, k=len(bus.riders))

    day = Day(
        plan(*acts, max_in_flight=in_flight, linger=linger, filter={"except_events": ["Dull"]}),
        script,
        die=dice.random(),
    )
    for offset in range(40):
        name = dice.choice(["Bought", "Bought", "VIP", "Dull"])
        one = record(offset // 2, f"u{dice.randrange(people)}", offset % 2, event=name)
        day.take(one)
        dull += name == "Dull"
        if dice.random() < 0.3:
            day.run(until=day.now + dice.random() * 10)
    day.run()

    assert {f"m{n % 2}-{n // 2}" for n in range(40)} == set(day.ended)
    assert dull == list(day.ended.values()).count("filtered")
    assert [20, 20] == [progress.events.place for progress in day.station.progress]
    assert day.station.room == day.station._plan.instance.max_backlog
    assert 0 == day.station._lanes.bytes


def _named(*names: str) -> Any:
    return replace(action().on, names=names)


def riding(bus: Bus[Item]) -> list[str]:
    """Whom a bus carries."""
    return [item.event.id for item in bus.riders]


@settings(max_examples=60, deadline=None)
@given(culprits=st.sets(st.integers(0, 99), max_size=8), named=st.booleans())
def test_culprits_are_found_and_the_others_delivered(culprits: set[int], named: bool) -> None:
    """Of a hundred in an atomic batch, each culprit is refused and nobody else."""
    guilty = {f"m0-{n}" for n in culprits}

    def script(now: float, bus: Bus[Item]) -> tuple[float, Sequence[Outcome]]:
        if not guilty & set(riding(bus)):
            return delivered(now, bus)
        if named:
            ids = riding(bus)
            return 0.1, [Refused("bad", "no") if i in guilty else Busy(0) for i in ids]
        return 0.1, refused(bus)

    day = Day(plan(action(batch=Batch(rows=100, atomic=True))), script)
    day.take(*(record(n, f"u{n}") for n in range(100)))
    day.run()

    assert guilty == {i for i, how in day.ended.items() if how == "doomed bad"}
    assert 100 - len(guilty) == list(day.ended.values()).count("delivered")
    # Halving asks about 2 log2(100) times for each culprit.
    assert len(day.log) <= 1 + 15 * len(culprits)


def test_rows_that_were_named_are_not_asked_about_again() -> None:
    """When the vendor named every row of an atomic batch, one request has told it all."""

    def script(_: float, bus: Bus[Item]) -> tuple[float, Sequence[Outcome]]:
        return 0.1, [Refused("bad", "no", named=True) for _ in bus.riders]

    day = Day(plan(action(batch=Batch(rows=100, atomic=True))), script)
    day.take(*(record(n, f"u{n}") for n in range(100)))
    day.run()

    assert ["doomed bad"] * 100 == list(day.ended.values())
    assert 1 == len(day.log)


def test_a_single_refusal_is_believed() -> None:
    """Where a batch is not atomic, or holds one, refused is refused at once."""
    for batch in (Batch(rows=3), Batch(rows=1, atomic=True)):
        day = Day(plan(action(batch=batch)), lambda _, bus: (0.1, refused(bus)))
        day.take(*(record(n, f"u{n}") for n in range(3)))
        day.run()

        assert ["doomed bad"] * 3 == list(day.ended.values())
        assert 3 // batch.rows == len(day.log)


def test_busy_holds_the_limiter_and_spends_no_attempt() -> None:
    """Nobody of that rate leaves until then, another rate's do; nothing counts as retried."""
    answers = iter([Busy(30.0)])

    def script(_: float, bus: Bus[Item]) -> tuple[float, list[Outcome]]:
        assert all(item.attempts == 0 for item in bus.riders)
        return 1.0, [next(answers, Delivered())]

    one = action("one", on=_named("One"), rate=Rate("one"))
    two = action("two", on=_named("Two"), rate=Rate("two"))
    day = Day(plan(one, two, patience=10.0), script)
    day.take(record(0, "a", event="One"))
    day.run(until=5.0)
    day.take(record(1, "b", event="One"), record(2, "c", event="Two"))
    day.run()

    assert ["m0-0", "m0-2"] == [ids[0] for at, ids in day.log if at < 31.0]
    assert {"m0-0", "m0-1"} == {ids[0] for at, ids in day.log if at >= 31.0}
    assert 0 == sample(day.metrics, "destination_retried_total")
    assert 3 == list(day.ended.values()).count("delivered")
    assert 30.0 == pytest.approx(sample(day.metrics, "destination_limited_seconds_total"))


@pytest.mark.parametrize("after", [0.0, -3.0, float("nan")])
def test_neighbours_go_again_but_not_for_ever(after: float) -> None:
    """Who is sent again at once twenty times in a row has failed, and backs off."""
    day = Day(plan(retry_seconds=64.0), lambda *_: (0.0, [Busy(after)]))
    day.take(record(0))
    day.run(until=70.0)

    assert [MAX_BOUNCES + 1, MAX_BOUNCES + 1] == [
        sum(at == moment for at, _ in day.log) for moment in (0.0, 64.0)
    ]
    assert 2 == sample(day.metrics, "destination_retried_total", code="bounced")


def test_a_bar_pauses_all_and_one_probe_asks() -> None:
    """Nothing leaves for `barred_seconds`, then one request; when it is let in, all go."""
    open_from = 650.0

    def script(now: float, bus: Bus[Item]) -> tuple[float, Sequence[Outcome]]:
        if now < open_from:
            return 0.1, [Barred("unauthorised", "no")] * len(bus.riders)
        return delivered(now, bus)

    day = Day(plan(max_in_flight=1, barred_seconds=300.0, patience=60.0), script)
    day.take(*(record(n, f"u{n}") for n in range(5)))
    day.run(until=640.0)
    day.station.tell(day.wall)

    assert [1, 1, 1] == list(Counter(round(at / 300) for at, _ in day.log).values())
    assert [1.0, 0.0] == [
        sample(day.metrics, name) for name in ("destination_barred", "destination_breaker_state")
    ]
    assert 3 == sample(day.metrics, "destination_bars_total", code="unauthorised")
    assert {} == day.ended
    day.run()
    assert ["delivered"] * 5 == list(day.ended.values())


def test_who_left_before_the_bar_does_not_lift_it() -> None:
    """Late good news of sixteen in flight lets no other leave, and pages nobody again."""

    def script(now: float, bus: Bus[Item]) -> tuple[float, Sequence[Outcome]]:
        number = bus.riders[0].event.record.offset
        if now == 0 and number % 2 == 0:
            return 0.1 + number, [Barred("unauthorised", "no")]
        return 0.1 + number, [Delivered()]

    day = Day(plan(max_in_flight=4), script)
    day.take(*(record(n, f"u{n}") for n in range(8)))
    day.run(until=299.0)

    assert 4 == len(day.log)
    assert 1 == sample(day.metrics, "destination_bars_total")
    day.run()
    assert 8 == len(day.ended)


def test_an_open_breaker_sends_one_probe() -> None:
    """Ten failures in a row, then one request at a time, further and further apart."""

    def script(now: float, bus: Bus[Item]) -> tuple[float, Sequence[Outcome]]:
        return (0.1, [Failed("http_503")]) if now < 100.0 else delivered(now, bus)

    day = Day(plan(max_in_flight=16, breaker_failures=10, retry_most_seconds=1.0), script)
    day.take(*(record(n, f"u{n}") for n in range(30)))
    day.run(until=99.0)
    probes = [at for at, _ in day.log if at > 1.0]

    # Sixteen at once, and one more for each of the nine answers before the tenth.
    assert 25 == sum(at < 1.0 for at, _ in day.log)
    assert [5.1, 15.2, 35.3, 75.4] == [round(at, 1) for at in probes]
    day.run()
    assert ["delivered"] * 30 == list(day.ended.values())


def test_what_was_refused_without_a_word_closes_nothing() -> None:
    """A refusal of our own making says nothing about a vendor that is down."""
    day = Day(plan(breaker_failures=1), lambda *_: (0.1, [Failed("timeout")]))
    day.take(record(0, "a"), record(1, "b"))
    day.depart()
    day.back()
    day.now += 5.0
    bus = day.depart().buses[0]
    day.station.settle(bus, [Refused("expired", "too old")], None, day.now, day.wall)
    day.station.tell(day.wall)

    assert float(State.HALF_OPEN) == sample(day.metrics, "destination_breaker_state")


def test_patience_is_an_age() -> None:
    """However many attempts: it is tried until `patience` has passed since ingest accepted it."""
    day = Day(
        plan(patience=100.0, retry_seconds=1.0, retry_most_seconds=8.0, breaker_failures=999),
        lambda *_: (0.0, [Failed("http_503")]),
    )
    day.take(record(0, at=NOW - 20.0))
    day.run()

    assert {"m0-0": "doomed patience_exhausted"} == day.ended
    assert 80.0 < day.log[-1][0] <= 88.0
    assert [0.0, 1.0, 3.0, 7.0, 15.0, 23.0] == [at for at, _ in day.log[:6]]


def test_a_wish_is_waited_for() -> None:
    """A failure's own wish is longer than the backoff."""
    answers = iter([Failed("http_503", 40.0)])
    day = Day(plan(), lambda *_: (0.0, [next(answers, Delivered())]))
    day.take(record(0))
    day.run()

    assert [0.0, 40.0] == [at for at, _ in day.log]


def test_a_hint_holds_the_limiter() -> None:
    """What a reply's headers hint at holds the next request, and a broken hint holds nobody."""
    for hint, expected in ((lambda *_: Heard(hold=7.0), 7.1), (_broken, 0.1)):
        made = vendor(action(rate=Rate("all", hint=hint)))
        day = Day(plan(of=made, max_in_flight=1))
        day.take(record(0, "a"), record(1, "b"))
        day.run()

        assert [0.0, expected] == [round(at, 1) for at, _ in day.log]


def _broken(*_: object) -> Any:
    raise KeyError("x-rate-limit")


def test_the_backlog_is_bounded() -> None:
    """At `max_backlog` there is no room; what ends makes room again."""
    day = Day(plan(max_backlog=3))
    rooms = [day.station.room]
    for n in range(4):
        day.take(record(n, "u"))
        rooms.append(day.station.room)
    day.run()

    assert [3, 2, 1, 0, 0, 3] == [*rooms, day.station.room]


def test_the_backlog_is_bounded_in_bytes() -> None:
    """Few but huge records leave no room either; dropped ones give it back."""
    day = Day(plan())
    day.take(record(0, properties={"blob": "x" * MAX_BYTES}))
    full = day.station.room
    day.station.forget([0])

    assert (0, 10_000) == (full, day.station.room)


def test_a_blocked_stop_is_bounded() -> None:
    """A held action seats no more than STOP heads, and nothing spins while it is held."""
    day = Day(plan(action(rate=Rate("all", (Window(1, 1_000.0),)))))
    day.take(*(record(n, f"u{n}") for n in range(STOP + SEATS + 10)))
    waits = [day.depart().wait for _ in range(8)]

    assert STOP == len(day.station._batcher)
    assert 1_000.0 == pytest.approx(waits[-1], rel=0.03)


def test_what_is_due_does_not_spin_before_a_full_stop() -> None:
    """Heads that are due while no seat is free wait for the limit and not for a millisecond."""
    day = Day(plan(action(rate=Rate("all", (Window(1, 1_000.0),))), breaker_failures=99))
    day.script = lambda *_: (0.1, [Failed("http_503")])
    day.take(*(record(n, f"u{n}") for n in range(STOP + SEATS)))
    while day.depart().wait == 0:
        pass
    day.back()
    day.now += 5.0

    assert 995.0 == pytest.approx(day.depart().wait, rel=0.03)


def test_another_actions_limit_does_not_delay_a_bus() -> None:
    """While one action is held for an hour, another's bus leaves when its linger is over."""
    held = action("held", on=_named("Held"), rate=Rate("held", (Window(1, 3_600.0),)))
    free = action("free", batch=Batch(rows=9), rate=Rate("free"))
    day = Day(plan(held, free, linger=0.5), lambda *_: (99.0, [Delivered()]))
    day.take(record(0, "a", event="Held"), record(1, "b", event="Held"), record(2, "c"))
    day.run(until=10.0)

    assert [(0.0, ["m0-0"]), (0.5, ["m0-2"])] == [(round(at, 1), ids) for at, ids in day.log]


def test_who_grew_too_old_at_the_stop_does_not_leave() -> None:
    """A limit can hold a bus for longer than the vendor takes events: it is asked again."""
    of = action(max_age=60.0, rate=Rate("all", (Window(1, 100.0),)))
    day = Day(plan(of))
    day.take(record(0, "a"), record(1, "b"))
    day.run()

    assert {"m0-0": "delivered", "m0-1": "doomed expired"} == day.ended
    assert [["m0-0"]] == [ids for _, ids in day.log]
    assert 1 == sample(day.metrics, "destination_refused_total", code="expired")
