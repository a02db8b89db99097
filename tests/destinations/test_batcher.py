"""Who rides together, and when the bus leaves."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from destinations.batcher import Batcher, Bus, weigh
from destinations.spec import Action, Batch, Row
from tests.destinations.invented import action


@dataclass(eq=False)
class Rider:
    """Someone with an action and a row."""

    action: Action[Any]
    row: Row


def rider(
    number: int, of: Action[Any], group: int = 0, unique: int | None = None, weight: int = 1
) -> Rider:
    """A rider whose row says its group, twin and weight."""
    fields = {"group": group, "unique": unique, "weight": weight}
    return Rider(of, Row(f"m{number}", "track", "Bought", 0.0, None, fields, b"{}"))


def board(batcher: Batcher[Rider], one: Rider, now: float) -> None:
    """They take a seat for their own action and row."""
    batcher.board(one, one.action, one.row, now)


def free(_: Action[Any]) -> bool:
    """No limit."""
    return True


def held(_: Action[Any]) -> bool:
    """A limit that lets nobody leave."""
    return False


def no_wait(_: Action[Any]) -> float:
    """No limit, in seconds."""
    return 0.0


def ids(bus: Bus[Rider] | None) -> list[str] | None:
    """Who rides on a bus."""
    return None if bus is None else [rider.row.id for rider in bus.riders]


riders = st.lists(
    st.tuples(
        st.integers(0, 1),
        st.integers(0, 1),
        st.none() | st.integers(0, 2),
        st.integers(1, 12),
        st.booleans(),
    ),
    max_size=40,
)


@given(asked=riders, rows=st.integers(1, 5), size=st.integers(5, 25), leaving=st.booleans())
def test_all_bounds_hold_and_nobody_is_lost(
    asked: list[tuple[int, int, int | None, int, bool]], rows: int, size: int, leaving: bool
) -> None:
    """Rows, bytes, groups and twins are kept apart as told; each rider leaves exactly once."""
    batch = Batch(
        rows=rows,
        bytes=size,
        group=lambda row: row.fields["group"],
        unique=lambda row: row.fields["unique"],
        weigh=lambda row: int(row.fields["weight"]),
    )
    actions = [action("one", batch=batch), action("two", batch=batch)]
    batcher: Batcher[Rider] = Batcher(1.0)
    boarded, left, gone = [], [], 0
    for number, (which, group, unique, weight, go) in enumerate(asked):
        boarded.append(rider(number, actions[which], group, unique, weight))
        board(batcher, boarded[-1], 0.0)
        if leaving and go and (bus := batcher.depart(0.0, free, idle=False)) is not None:
            left.append(bus)
            gone += len(bus.riders)
        assert number + 1 - gone == len(batcher)
    while (bus := batcher.depart(1.0, free, idle=False)) is not None:
        left.append(bus)

    assert 0 == len(batcher)
    assert Counter(map(id, boarded)) == Counter(id(r) for bus in left for r in bus.riders)
    for bus in left:
        rode = [r.row.fields for r in bus.riders]
        twins = [f["unique"] for f in rode if f["unique"] is not None]
        assert len(rode) <= rows
        assert len(rode) == 1 or rows == 1 or sum(f["weight"] for f in rode) <= size
        assert 1 == len({f["group"] for f in rode}) == len({r.action.name for r in bus.riders})
        assert len(twins) == len(set(twins))


def test_a_bus_may_be_filled_to_the_last_byte() -> None:
    """Bytes up to the limit ride together; one more and it leaves without."""
    of = action(batch=Batch(rows=9, bytes=10, weigh=lambda row: int(row.fields["weight"])))
    batcher: Batcher[Rider] = Batcher(1.0)
    for number in range(3):
        board(batcher, rider(number, of, weight=5), 0.0)

    assert ["m0", "m1"] == ids(batcher.depart_full(free))
    assert None is ids(batcher.depart_full(free))


def test_a_bus_waits_for_company() -> None:
    """One that is not full leaves when its first rider has waited `linger`, not before."""
    of = action(batch=Batch(rows=3))
    batcher: Batcher[Rider] = Batcher(2.0)
    board(batcher, rider(0, of), 10.0)
    board(batcher, rider(1, of), 11.0)

    assert None is batcher.depart(11.9, free, idle=False)
    assert 0.5 == batcher.next_departure(11.5, no_wait)
    assert ["m0", "m1"] == ids(batcher.depart(12.0, free, idle=False))
    assert math.inf == batcher.next_departure(12.0, no_wait)


def test_a_full_bus_does_not_wait() -> None:
    """With the last seat taken it leaves at once."""
    of = action(batch=Batch(rows=2))
    batcher: Batcher[Rider] = Batcher(60.0)
    board(batcher, rider(0, of), 0.0)
    board(batcher, rider(1, of), 0.0)

    assert 0.0 == batcher.next_departure(0.0, no_wait)
    assert ["m0", "m1"] == ids(batcher.depart(0.0, free, idle=False))


def test_a_quiet_hub_adds_no_delay() -> None:
    """With nothing on the road a lone rider leaves at once."""
    batcher: Batcher[Rider] = Batcher(60.0)
    board(batcher, rider(0, action(batch=Batch(rows=9))), 0.0)

    assert ["m0"] == ids(batcher.depart(0.0, free, idle=True))


def test_a_limit_holds_full_and_other_buses() -> None:
    """What may not go stays, and the next look is when the limit ends."""
    one, many = action("one"), action("many", batch=Batch(rows=9))
    batcher: Batcher[Rider] = Batcher(2.0)
    board(batcher, rider(0, one), 0.0)
    board(batcher, rider(1, many), 0.0)

    assert None is batcher.depart(9.0, held, idle=True)
    assert 2 == len(batcher)
    assert 3.0 == batcher.next_departure(9.0, lambda of: 3.0 if of is one else 7.0)
    assert 7.0 == batcher.next_departure(9.0, lambda of: math.inf if of is one else 7.0)


def test_one_actions_limit_does_not_hold_anothers_buses() -> None:
    """Behind a held action the other one's buses leave, and are not forgotten in the next look."""
    one, two = action("one"), action("two", batch=Batch(rows=2))
    batcher: Batcher[Rider] = Batcher(2.0)
    board(batcher, rider(0, one), 0.0)
    board(batcher, rider(1, two), 0.0)

    assert 2.0 == batcher.next_departure(0.0, lambda of: 3_600.0 if of is one else 0.0)
    assert ["m1"] == ids(batcher.depart(2.0, lambda of: of is two, idle=False))


def test_who_waits_longest_leaves_first() -> None:
    """Of full buses of two actions the older one leaves first, and within one in order."""
    one, two = action("one"), action("two")
    batcher: Batcher[Rider] = Batcher(2.0)
    for number, of in enumerate([two, one, two, one]):
        board(batcher, rider(number, of), float(number))

    assert [["m0"], ["m1"], ["m2"], ["m3"]] == [ids(batcher.depart_full(free)) for _ in range(4)]


def test_halves_of_a_sunk_bus_go_before_others() -> None:
    """Both halves, in order, before full buses of their action; nobody twice, nobody lost."""
    of = action(batch=Batch(rows=5, atomic=True))
    batcher: Batcher[Rider] = Batcher(2.0)
    for number in range(10):
        board(batcher, rider(number, of), 0.0)
    sunk = batcher.depart_full(free)
    assert sunk is not None
    batcher.split(sunk)

    assert 10 == len(batcher)
    assert [["m0", "m1"], ["m2", "m3", "m4"], ["m5", "m6", "m7", "m8", "m9"], None] == [
        ids(batcher.depart_full(free)) for _ in range(4)
    ]
    assert 0 == len(batcher)


def test_half_of_one_is_one() -> None:
    """A bus whose other riders have gone meanwhile goes again as it is, an empty one does not."""
    of = action(batch=Batch(rows=5, atomic=True))
    batcher: Batcher[Rider] = Batcher(2.0)
    bus: Bus[Rider] = Bus(of, 0.0)
    batcher.split(bus)
    bus.riders = [rider(0, of)]
    batcher.split(bus)

    assert [["m0"], None] == [ids(batcher.depart_full(free)) for _ in range(2)]


@given(gone=st.sets(st.integers(0, 11)))
def test_who_is_dropped_gets_off(gone: set[int]) -> None:
    """Riders whose partition moved leave full and other buses; the others ride on."""
    full, part = action("full", batch=Batch(rows=2)), action("part", batch=Batch(rows=99))
    batcher: Batcher[Rider] = Batcher(0.0)
    for number in range(12):
        board(batcher, rider(number, full if number < 6 else part), 0.0)
    batcher.drop(lambda one: int(one.row.id[1:]) in gone)
    size, left = len(batcher), []
    while (bus := batcher.depart(0.0, free, idle=True)) is not None:
        assert bus.riders
        left += [int(one.row.id[1:]) for one in bus.riders]

    assert sorted(set(range(12)) - gone) == left
    assert len(left) == size
    assert 0 == len(batcher)


def test_rows_are_weighed_by_what_is_sent() -> None:
    """A vendor's own scale counts; else the mapped fields; a row without fields is its event."""
    row = Row("m", "track", "", 0.0, None, {"email": "a@b.example"}, b'{"whole":"event"}')
    bare = replace(row, fields={})

    assert 7 == weigh(Batch(weigh=lambda _: 7), row)
    assert len(orjson.dumps(row.fields)) == weigh(Batch(), row)
    assert len(bare.json) == weigh(Batch(), bare)
