"""A day of an instance, played without waiting: a station, a scripted vendor, and a referee."""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

import orjson
from prometheus_client import CollectorRegistry

from destinations.batcher import Bus
from destinations.happenings import Happenings
from destinations.item import Doomed, Item
from destinations.outcome import Delivered, Outcome, Refused
from destinations.plan import Plan
from destinations.progress import Recovered
from destinations.station import Departures, Station
from destinations.talk import Reply
from hub.log import Record
from hub.metrics import Metrics
from tests.destinations.invented import NOW

Script = Callable[[float, Bus[Item]], tuple[float, Sequence[Outcome]]]
"""At a time, to a bus: after how many seconds what is answered."""

HEARD = Reply(200)


def delivered(now: float, bus: Bus[Item]) -> tuple[float, Sequence[Outcome]]:
    """A vendor who takes everything, in a tenth of a second."""
    del now
    return 0.1, [Delivered()] * len(bus.riders)


def sample(metrics: Metrics, name: str, **labels: str) -> float:
    """The sum of a metric's samples that have these labels."""
    registry: CollectorRegistry = metrics.registry
    return sum(
        s.value
        for family in registry.collect()
        for s in family.samples
        if s.name == name and labels.items() <= s.labels.items()
    )


class Day:
    """Plays a plan's station against a script, and checks at every step what must always hold."""

    def __init__(self, plan: Plan, script: Script = delivered, die: float = 1.0) -> None:
        self.metrics = Metrics()
        self.station = Station(plan, Happenings(self.metrics, plan.name), lambda: die)
        self.script = script
        self.now = 0.0
        self.log: list[tuple[float, list[str]]] = []
        self.ended: dict[str, str] = {}
        self.busy: Counter[bytes] = Counter()
        self.pages: list[dict[str, Any]] = []
        self._road: list[tuple[float, int, Bus[Item] | Doomed, Any]] = []
        self._turn = count()
        self._taken: dict[int, list[Record]] = defaultdict(list)
        self._ids: dict[tuple[int, int], str] = {}
        self._plan = plan

    @property
    def wall(self) -> float:
        return NOW + self.now

    def take(self, *records: Record) -> None:
        """Records come from the log."""
        for record in records:
            self._taken[record.partition].append(record)
            self._ids[record.partition, record.offset] = dict(record.headers)["id"].decode()
            if record.partition not in self.station.partitions:
                self.station.adopt(record.partition, Recovered())
            if self._plan.unheard(record) is not None:
                self.ended[self._id(record)] = "filtered"
            self.station.take(record.partition, [record])
        self.record()

    def record(self) -> None:
        """What is in the book is durable from now on."""
        book = self.station.book
        for leaf in book.leaves():
            entry = book.entry(leaf, self.wall)
            if entry is not None:
                self.pages.append(orjson.loads(entry.value))
            book.durable(leaf, len(self.pages))

    def depart(self) -> Departures:
        """A look at the station: what leaves is on the road, and is checked."""
        departures = self.station.depart(self.now, self.wall)
        for bus in departures.buses:
            self.log.append((self.now, [item.event.id for item in bus.riders]))
            keys = [item.event.record.key for item in bus.riders]
            assert len(keys) == len(set(keys)), "two events of one person in one request"
            for item in bus.riders:
                self._check_turn(item)
            self.busy.update(keys)
            seconds, outcomes = self.script(self.now, bus)
            entry = (self.now + seconds, next(self._turn), bus, outcomes)
            heapq.heappush(self._road, entry)
        self._bury(departures.doomed)
        self.record()
        return departures

    def back(self) -> None:
        """The next answer is heard, or the next dead letter is durable."""
        self.now, _, what, outcomes = heapq.heappop(self._road)
        if isinstance(what, Doomed):
            self._end(what.item, f"doomed {what.code}")
            self.station.buried(what, self.wall)
        else:
            riders = list(what.riders)
            self.busy.subtract([item.event.record.key for item in riders])
            for item, outcome in zip(riders, outcomes, strict=True):
                if isinstance(outcome, Delivered):
                    self._end(item, "delivered")
            self._bury(self.station.settle(what, outcomes, HEARD, self.now, self.wall))
        self.record()
        self.check()

    def run(self, until: float = float("inf")) -> None:
        """Play on until nothing can happen any more; to wait for nothing is a lost wake-up."""
        idle = 0
        while True:
            departures = self.depart()
            wait = departures.wait
            assert wait is None or wait >= 0
            idle = 0 if departures.buses or departures.doomed or wait != 0.001 else idle + 1
            assert idle < 4, "it looks again and again at what cannot leave"
            times = [self._road[0][0]] if self._road else []
            if wait is not None:
                times.append(self.now + wait)
            if not times or min(times) > until:
                return
            if self._road and self._road[0][0] <= min(times):
                self.back()
            else:
                self.now = min(times)

    def check(self) -> None:
        """The watermark is the first offset of a partition that has not ended."""
        for progress in self.station.progress:
            records = self._taken[progress.partition]
            unfinished = (r.offset for r in records if self._id(r) not in self.ended)
            first = next(unfinished, records[-1].offset + 1)
            assert first == progress.events.place, "the watermark is not the first unfinished"

    def _id(self, record: Record) -> str:
        return self._ids[record.partition, record.offset]

    def _check_turn(self, item: Item) -> None:
        record = item.event.record
        assert not self.busy[record.key], "two events of one person on the road"
        assert item.event.id not in self.ended, "what has ended is sent again"
        for before in self._taken[record.partition]:
            if before.key == record.key and before.offset < record.offset:
                assert self._id(before) in self.ended, "an event overtook its predecessor"

    def _bury(self, doomed: Sequence[Doomed]) -> None:
        for dead in doomed:
            heapq.heappush(self._road, (self.now + 0.05, next(self._turn), dead, None))

    def _end(self, item: Item, how: str) -> None:
        assert item.event.id not in self.ended, "an event ended twice"
        self.ended[item.event.id] = how


def refused(bus: Bus[Item]) -> list[Outcome]:
    """All refused, and nobody named."""
    return [Refused("bad", "no")] * len(bus.riders)
