"""An errand as a reader: records that are given out once and at a pace, until none is left.

A worker that reads it instead of its group's partitions does the errand as it does its daily work,
with the same outcomes. Other destinations and the live lanes never see it.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Final, Generic, TypeVar

from destinations.allowance import Allowance
from destinations.progress import Recovered
from hub.clock import Clock
from hub.log import NO_NOTES, Committed, Record

NO_DOUBTS: Final[Mapping[int, Mapping[int, int]]] = MappingProxyType({})

SHARE: Final = 0.5
"""The part of the vendor's limits that an errand has: the daily work goes on beside it.

Nobody tells the live workers, who keep to the whole: together they may knock half as often again as
the vendor allows, of which the errand's rate is a bound, too. A 429 halves the pace of whoever gets
it, and what the vendor says of its own count is believed by both.
"""

Sign = TypeVar("Sign")
"""By which who asked knows a record again."""


class Errand(Generic[Sign]):
    """Gives what `source` yields, a few at once, `rate` a second; offsets grow in each partition.

    `name` stands on its pages of the ledger. `finish` is awaited with the signs of records that
    need nothing more, durably: in order, of those of a partition a run without gaps. `doubts`: by
    partition, what was begun before and not heard out, as in `Recovered`. `done`: after the last.
    """

    def __init__(
        self,
        name: str,
        source: AsyncGenerator[Sequence[tuple[Record, Sign]], None],
        finish: Callable[[Sequence[Sign]], Awaitable[None]],
        clock: Clock,
        rate: float,
        doubts: Mapping[int, Mapping[int, int]] = NO_DOUBTS,
    ) -> None:
        self.name = name
        self._doubts = doubts
        self._source = source
        self._finish = finish
        self._clock = clock
        self._allowance = Allowance(rate, clock.steady())
        self._waiting: deque[tuple[Record, Sign]] = deque()
        self._open: dict[int, deque[tuple[int, Sign]]] = defaultdict(deque)
        self._read_all = False
        self._paused = False
        self.given = 0
        self.finished = 0
        self.done = asyncio.Event()

    @property
    def partitions(self) -> frozenset[int]:
        """Those of which something was given."""
        return frozenset(self._open)

    @property
    def in_touch(self) -> bool:
        """As `Reader.in_touch`: there is no group that could give it to another."""
        return True

    @property
    def open(self) -> int:
        """Records that were read and still need something."""
        return len(self._waiting) + self.given - self.finished

    def left(self, partition: int) -> Recovered:
        """What is known of a partition before anything of it is sent."""
        return Recovered(doubts=self._doubts.get(partition, {}))

    async def take(self, limit: int, wait: float) -> Sequence[Record]:
        """The next records, as the rate allows; nothing while paused, which is all or none here."""
        now = self._clock.steady()
        most = self._allowance.most(limit, now)
        if self._paused or (self._read_all and not self._waiting):
            await asyncio.sleep(wait)
            return []
        if not most:
            await asyncio.sleep(min(wait, self._allowance.wait()))
            return []
        if not self._waiting:
            await self._read_on()
        return self._give(most)

    def pause(self, partitions: Collection[int]) -> None:
        """As `Reader.pause`, of all partitions."""
        del partitions
        self._paused = True

    def resume(self, partitions: Collection[int]) -> None:
        """As `Reader.resume`, of all partitions."""
        del partitions
        self._paused = False

    async def commit(self, places: Mapping[int, int], notes: Mapping[int, str] = NO_NOTES) -> None:
        """What is before `places` is finished."""
        del notes  # a sign tells all that there is to remember
        signs: list[Sign] = []
        for partition, place in places.items():
            signs += (sign for offset, sign in self._open[partition] if offset < place)
        if signs:
            await self._finish(signs)
        for partition, place in places.items():
            given = self._open[partition]
            while given and given[0][0] < place:
                given.popleft()
        self.finished += len(signs)
        self._look()

    async def committed(self, partitions: Collection[int]) -> Mapping[int, Committed]:
        """Nothing: what is finished is not given again."""
        return {partition: Committed(None) for partition in partitions}

    async def close(self) -> None:
        """What is not finished stays where it is."""
        await self._source.aclose()

    async def _read_on(self) -> None:
        some = await anext(self._source, None)
        if some is None:
            self._read_all = True
            self._look()
        else:
            self._waiting.extend(some)

    def _give(self, most: int) -> Sequence[Record]:
        taken = []
        for _ in range(min(most, len(self._waiting))):
            record, sign = self._waiting.popleft()
            self._open[record.partition].append((record.offset, sign))
            taken.append(record)
        self._allowance.take(len(taken))
        self.given += len(taken)
        return taken

    def _look(self) -> None:
        if self._read_all and not self.open:
            self.done.set()
