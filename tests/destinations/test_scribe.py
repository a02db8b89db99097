"""What must be durable before it counts."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from destinations import ledger, scribe
from destinations.happenings import Happenings
from destinations.item import Doomed, Item
from destinations.progress import Recovered
from destinations.scribe import Scribe
from destinations.station import Station
from hub.clock import FakeClock
from hub.log import DEAD_LETTERS, DELIVERIES, PARKED, Entry, LogUnavailable, Place, Record
from hub.log.memory import MemoryLog
from hub.log.settings import MemoryLog as Settings
from hub.metrics import Metrics
from tests.destinations.invented import NOW, plan, record


class Flaky(MemoryLog):
    """A log that is away for as many appends as it is told."""

    def __init__(self) -> None:
        super().__init__(Settings(partitions=1))
        self.away = 0
        self.asked = 0

    async def append(self, stream: str, entries: Sequence[Entry]) -> Sequence[Place]:
        self.asked += 1
        if self.away:
            self.away -= 1
            raise LogUnavailable("away")
        return await super().append(stream, entries)


class Desk:
    """A scribe, its station and its log."""

    def __init__(self) -> None:
        self.log = Flaky()
        of = plan()
        tells = Happenings(Metrics(), of.name)
        self.station = Station(of, tells, lambda: 1.0)
        self.station.adopt(0, Recovered(place=0))
        self.clock = FakeClock(NOW)
        self.scribe = Scribe(of, self.log, self.station, tells, self.clock)

    def seated(self) -> Item:
        """An item that is on the road."""
        self.station.take(0, [record(0)])
        (bus,) = self.station.depart(0.0, NOW).buses
        return bus.riders[0]

    async def kept(self, stream: str) -> Sequence[Record]:
        return await self.log.read(stream, 0, 0, 100)


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setattr(scribe, "AGAIN_SECONDS", 0.0)
    return Desk()


async def test_pages_are_tried_until_the_log_has_them(desk: Desk) -> None:
    """Meanwhile nothing is finished, and it is known that the scribe is stuck."""
    desk.station.book.ends(desk.seated(), ledger.DELIVERED)
    desk.log.away = 1_000_000
    task = asyncio.create_task(desk.scribe.record())
    while not desk.scribe.stuck:  # noqa: ASYNC110 - what is waited for is a loop's turn away
        await asyncio.sleep(0)
    before = desk.station.progress[0].events.place
    desk.log.away = 0
    await task

    assert (0, 1) == (before, desk.station.progress[0].events.place)
    assert not desk.scribe.stuck
    assert 1 == len(await desk.kept(DELIVERIES))


async def test_an_empty_book_asks_nothing_of_the_log(desk: Desk) -> None:
    """A quiet hub writes nothing."""
    await desk.scribe.record()
    await desk.scribe.park()
    await desk.scribe.bury([])

    assert 0 == desk.log.asked


async def test_a_dead_letter_is_kept_before_its_line(desk: Desk) -> None:
    """Nothing is called refused that nobody could look up."""
    item = desk.seated()
    await desk.scribe.bury([Doomed(item, "bad", "no")])
    letters, pages = await desk.kept(DEAD_LETTERS), await desk.kept(DELIVERIES)
    await desk.scribe.record()

    assert (1, 0) == (len(letters), len(pages))
    ((line,),) = [ledger.page_of(page).lines for page in await desk.kept(DELIVERIES)]
    assert ("refused", "bad") == (line["outcome"], line["code"])


async def test_what_moved_away_is_not_buried(desk: Desk) -> None:
    """Its new owner sends it again, and may well deliver it."""
    item = desk.seated()
    for progress in desk.station.forget([0]):
        progress.gone = True
    await desk.scribe.bury([Doomed(item, "bad", "no")])

    assert [] == list(await desk.kept(DEAD_LETTERS))


async def test_what_is_parked_keeps_its_headers_and_its_place(desk: Desk) -> None:
    """It is the event as it was, for whom, and from where."""
    await desk.log.append(PARKED, [Entry(record(0).key, b"{}")])
    desk.station.parking.found(desk.station.progress[0], [(record(0).key, 0)])
    desk.station.take(0, [record(7)])
    await desk.scribe.park()
    _, kept = await desk.kept(PARKED)

    assert record(7).value == kept.value
    assert {**dict(record(7).headers), "to": b"crm", "place": b"0:7"} == dict(kept.headers)


async def test_what_is_given_up_is_not_forgotten(desk: Desk) -> None:
    """A partition that must be let go does not wait for a log that is away; its pages do."""
    desk.station.book.ends(desk.seated(), ledger.DELIVERED)
    desk.log.away = 1_000_000
    task = asyncio.create_task(desk.scribe.record())
    while not desk.scribe.stuck:  # noqa: ASYNC110 - what is waited for is a loop's turn away
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    waiting = len(desk.station.book)
    desk.log.away = 0
    await desk.scribe.record()

    assert (1, 0) == (waiting, len(desk.station.book))
    assert 1 == desk.station.progress[0].events.place
    assert 1 == len(await desk.kept(DELIVERIES))


async def test_a_ledger_that_is_late_is_told(desk: Desk) -> None:
    """After half a second without an answer nothing more should leave; with one, all may."""
    desk.station.book.ends(desk.seated(), ledger.DELIVERED)
    desk.log.away = 1_000_000
    task = asyncio.create_task(desk.scribe.record())
    while not desk.scribe.stuck:  # noqa: ASYNC110 - what is waited for is a loop's turn away
        await asyncio.sleep(0)
    early = desk.scribe.late
    desk.clock.advance(0.6)
    late = desk.scribe.late
    desk.log.away = 0
    await task

    assert (False, True, False) == (early, late, desk.scribe.late)
