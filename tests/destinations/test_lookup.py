"""What the ledger tells, found by way of the index."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from destinations.lookup import PAGES, Lookup
from hub.log import PARKED, Place
from tests.destinations.ledgers import Ledgers


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Ledgers]:
    made = Ledgers(tmp_path)
    yield made
    await made.index.close()


async def _lookup(scene: Ledgers) -> Lookup:
    await scene.follower.catch_up(60.0)
    return Lookup(scene.log, scene.index)


async def test_all_lines_of_an_event_are_found(scene: Ledgers) -> None:
    """Of each instance in the order of the ledger, and of no other event."""
    first, second = await scene.accept("ada", "bob")
    await scene.page("failed", first, code="http_500")
    await scene.page("delivered", second)
    await scene.page("delivered", first, second)
    await scene.filtered("filtered_by_rules", first, to="ads")
    lines = await (await _lookup(scene)).lines(first)
    outcomes = {name: [told.line["outcome"] for told in of] for name, of in lines.items()}

    assert {"crm": ["failed", "delivered"], "ads": ["filtered"]} == outcomes


async def test_unfinished_are_those_without_an_end(scene: Ledgers) -> None:
    """Delivered, filtered and parked are ends here; failed is none, nor what a replay did."""
    places = await scene.accept(*"abcdefg")
    await scene.page("failed", places[0])
    await scene.page("delivered", places[1])
    await scene.filtered("filtered_by_rules", *places[2:4])
    await scene.page("parked", places[4], parked=0)
    await scene.page("delivered", places[5], replay="r1")
    await scene.page("delivered", places[6], to="ads")
    found = await (await _lookup(scene)).unfinished("crm", 0, range(7))

    assert ([0, 5, 6], True) == found


async def test_too_many_pages_are_told(scene: Ledgers) -> None:
    """One question reads so many pages, and says when there were more."""
    (place,) = await scene.accept("ada")
    for _ in range(PAGES + 1):
        await scene.page("failed", place)
    left, exact = await (await _lookup(scene)).unfinished("crm", 0, [place.offset])

    assert [0] == left
    assert not exact


async def test_parked_are_those_that_wait(scene: Ledgers) -> None:
    """Of a key at an instance, in order: neither those before an end nor those after a place."""
    places = await scene.accept(*["ada"] * 6)
    parked = await scene.park(*places)
    await scene.page("delivered", *places[:2], parked=0)
    key = (await scene.record(places[0])).key
    lookup = await _lookup(scene)

    assert parked[2:] == await lookup.parked("crm", key, None)
    assert parked[2:5] == await lookup.parked("crm", key, parked[5])
    assert [] == await lookup.parked("ads", key, None)


async def test_an_append_that_was_repeated_moves_no_boundary(scene: Ledgers) -> None:
    """The first that waits is the same event, though all of them stand twice in `parked`."""
    places = await scene.accept(*["ada"] * 3)
    await scene.park(*places)
    await scene.park(*places)
    await scene.page("delivered", places[0], parked=0)
    key = (await scene.record(places[0])).key
    waiting = await (await _lookup(scene)).parked("crm", key, None)
    first = await scene.record(waiting[0], PARKED)

    assert ("place", b"0:1") in first.headers


async def test_an_event_that_nothing_tells_of(scene: Ledgers) -> None:
    """Nothing is found for what has no page."""
    lookup = await _lookup(scene)

    assert {} == await lookup.lines(Place(0, 0))
    assert ([], True) == await lookup.unfinished("crm", 0, [])
