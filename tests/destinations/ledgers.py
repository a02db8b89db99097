"""A scene for who looks into the ledger: a log with events, pages, groups, and an index of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from destinations import ledger
from destinations.follower import Follower
from destinations.happenings import IndexHappenings
from destinations.index import Index
from destinations.settings import Delivery
from hub.clock import SystemClock
from hub.event import Event
from hub.log import DELIVERIES, EVENTS, PARKED, Entry, Log, Place, Record
from hub.log.memory import MemoryLog
from hub.log.settings import MemoryLog as MemorySettings
from hub.metrics import Metrics
from tests.destinations.scene import entry


class Ledgers:
    """One partition, unless `partitions` says otherwise."""

    def __init__(self, folder: Path, partitions: int = 1, log: Log | None = None) -> None:
        self.log: Log = log or MemoryLog(MemorySettings(partitions=partitions))
        self.clock = SystemClock()
        self.metrics = Metrics()
        tells = IndexHappenings(self.metrics)
        self.index = Index(Delivery(index_path=folder), self.log, self.clock, tells)
        self.follower = Follower(self.index, self.log, self.clock, tells)

    async def accept(self, *people: str, first: int = 0, **body: Any) -> list[Place]:
        """One event of each of `people`, numbered from `first`."""
        entries = [entry(n, who, **body) for n, who in enumerate(people, first)]
        return list(await self.log.append(EVENTS, entries))

    async def record(self, place: Place, stream: str = EVENTS) -> Record:
        return (await self.log.read(stream, place.partition, place.offset, 1))[0]

    async def page(
        self, outcome: str, *places: Place, to: str = "crm", replay: str = "", **told: Any
    ) -> Place:
        """A page with a line of this outcome about each of `places`."""
        records = [await self.record(place) for place in places]
        lines = [ledger.line_of(Event.of(record), outcome, **told) for record in records]
        return await self.write(lines, records[0], to, replay)

    async def park(self, *places: Place, to: str = "crm") -> list[Place]:
        """An instance sets events aside."""
        found = []
        for place in places:
            record = await self.record(place)
            where = b"%d:%d" % (place.partition, place.offset)
            headers = (*record.headers, ("to", to.encode()), ("place", where))
            aside = [Entry(record.key, record.value, headers)]
            found += await self.log.append(PARKED, aside)
            await self.page("parked", place, to=to, parked=found[-1].offset)
        return found

    async def filtered(self, code: str, *places: Place, to: str = "crm") -> Place:
        """A page that says that an instance does not hear events."""
        ranges = [(place.offset, place.offset + 1) for place in places]
        lines = [ledger.filtered_line(code, ranges)]
        return await self.write(lines, await self.record(places[0]), to)

    async def write(
        self, lines: Sequence[ledger.Line], about: Record, to: str, replay: str = ""
    ) -> Place:
        page = ledger.Page(to, about.partition, self.clock.now(), lines, replay)
        return (await self.log.append(DELIVERIES, [ledger.entry_of(page, about.key)]))[0]

    async def commit(self, place: int, to: str = "crm", partition: int = 0) -> None:
        """An instance's group has come so far."""
        reader = await self.log.open_reader(EVENTS, to)
        await reader.take(1, 0.0)
        await reader.commit({partition: place})
        await reader.close()
