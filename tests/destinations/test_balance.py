"""The ledger as a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from destinations.balance import Balance, Question, balances, table
from hub.clock import iso
from hub.event import entry_of
from hub.log import EVENTS, Entry, Place
from tests.destinations.invented import NOW
from tests.destinations.ledgers import Ledgers

EVER = Question(0.0, 1e10)


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Ledgers]:
    made = Ledgers(tmp_path)
    yield made
    await made.index.close()


async def _one(scene: Ledgers, asked: Question = EVER) -> Balance:
    (row,) = await balances(scene.log, ["crm"], asked)
    return row


async def test_every_end_is_counted(scene: Ledgers) -> None:
    """Each outcome by itself, codes apart, and the sum is what was accepted."""
    places = await scene.accept(*"abcdefghi")
    await scene.page("delivered", *places[:2])
    await scene.filtered("filtered_by_rules", *places[2:4])
    await scene.page("refused", places[4], code="invalid")
    await scene.page("refused", places[5], code="patience_exhausted")
    await scene.page("expired", places[6], code="expired")
    await scene.commit(7)

    assert await _one(scene) == Balance(
        at=None,
        source="shop",
        destination="crm",
        accepted=9,
        delivered=2,
        filtered=Counter({"filtered_by_rules": 2}),
        refused=Counter({"invalid": 1, "patience_exhausted": 1}),
        expired=1,
        pending=2,
    )


async def test_what_was_passed_over_is_the_difference(scene: Ledgers) -> None:
    """The place has passed it, and nothing tells of it."""
    places = await scene.accept("ada", "bob", "cleo")
    await scene.page("delivered", places[0])
    await scene.page("failed", places[1])
    await scene.commit(2)
    row = await _one(scene)

    assert (1, 1, 1) == (row.delivered, row.difference, row.pending)


async def test_the_last_word_counts(scene: Ledgers) -> None:
    """An event counts once, whatever was told of it before."""
    (place,) = await scene.accept("ada")
    await scene.page("failed", place)
    await scene.page("parked", place, parked=0)
    await scene.page("delivered", place)
    await scene.page("delivered", place)
    await scene.commit(1)
    row = await _one(scene)

    assert (1, 1, 0, 0) == (row.accepted, row.delivered, row.pending, row.difference)


async def test_what_is_parked_is_pending(scene: Ledgers) -> None:
    """Its place has been passed, and it still waits."""
    (place,) = await scene.accept("ada")
    await scene.page("parked", place, parked=0)
    await scene.commit(1)
    row = await _one(scene)

    assert (1, 0) == (row.pending, row.difference)


async def test_replays_stand_beside(scene: Ledgers) -> None:
    """What a replay delivered was refused before, and stays so in the sum."""
    (place,) = await scene.accept("ada")
    await scene.page("refused", place, code="invalid")
    await scene.page("delivered", place, replay="july")
    await scene.commit(1)
    row = await _one(scene)

    assert (1, 0, 1) == (row.refused.total(), row.delivered, row.replayed)


async def test_what_is_no_event_is_not_counted(scene: Ledgers) -> None:
    """A record that no ingest of ours wrote was never accepted."""
    await scene.log.append(EVENTS, [Entry(b"k", b"?")])
    await scene.commit(1)

    assert [] == await balances(scene.log, ["crm"], EVER)


async def test_instances_are_counted_apart(scene: Ledgers) -> None:
    """Those that are set, and those that only the ledger still knows."""
    (place,) = await scene.accept("ada")
    await scene.page("delivered", place, to="old")
    rows = await balances(scene.log, ["crm", "ads"], EVER)

    assert [("ads", 0, 1), ("crm", 0, 1), ("old", 1, 0)] == [
        (row.destination, row.delivered, row.pending) for row in rows
    ]


async def test_only_what_is_asked_for(scene: Ledgers) -> None:
    """One source, one instance, one span of time."""
    await scene.accept("ada")
    other = Question(0.0, 1e10, source="blog")
    named = Question(0.0, 1e10, destination="ads")
    before = Question(0.0, 1.0)

    assert [] == await balances(scene.log, ["crm"], other)
    assert ["ads"] == [row.destination for row in await balances(scene.log, ["crm", "ads"], named)]
    assert [] == await balances(scene.log, ["crm"], before)


@pytest.mark.parametrize(("by", "counts"), [("minute", [2, 1, 1]), ("hour", [3, 1]), ("all", [4])])
async def test_times_are_put_together(scene: Ledgers, by: str, counts: list[int]) -> None:
    """By the minute or the hour of acceptance."""
    for number, at in enumerate((NOW, NOW + 59, NOW + 60, NOW + 3_600)):
        event = {"messageId": f"m-{number}", "type": "track", "userId": "ada"}
        await scene.log.append(EVENTS, [entry_of("shop", event, at)])
    rows = await balances(scene.log, ["crm"], Question(0.0, 1e10, by))

    assert counts == [row.accepted for row in rows]


async def test_partitions_are_one_table(tmp_path: Path) -> None:
    """Events of all partitions are in one row."""
    scene = Ledgers(tmp_path, partitions=4)
    places: list[Place] = await scene.accept(*(f"u{n}" for n in range(40)))
    for partition in range(4):
        await scene.page("delivered", *(p for p in places if p.partition == partition))
    row = await _one(scene)
    await scene.index.close()

    assert (40, 40, 0) == (row.accepted, row.delivered, row.pending)


def test_a_table_for_a_person() -> None:
    """Sums in columns, codes below them."""
    row = Balance(
        NOW,
        "shop",
        "crm",
        accepted=1_004,
        delivered=1_000,
        filtered=Counter({"filtered_by_rules": 3}),
        refused=Counter({"invalid": 1}),
    )
    lines = table([row]).splitlines()

    heads = ("TIME", "SOURCE", "DESTINATION", "ACCEPTED", "DELIVERED", "FILTERED", "REFUSED")
    assert [*heads, "EXPIRED", "PENDING", "DIFFERENCE", "REPLAYED"] == lines[0].split()
    assert lines[1].split()[3:] == ["1,004", "1,000", "3", "1", "0", "0", "0", "0"]
    assert lines[2:] == ["    filtered filtered_by_rules: 3", "    refused invalid: 1"]


def test_a_row_as_json() -> None:
    """Every number by its name, the time as text."""
    told = Balance(NOW, "shop", "crm", accepted=1, pending=1).told()

    assert iso(NOW) == told["at"]
    assert 1 == told["accepted"] == told["pending"]
    assert {} == told["filtered"] == told["refused"]
