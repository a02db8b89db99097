"""Dead letters as a reader: the engine delivers them once more, and each is settled for good.

A replay is a worker of one instance with this reader instead of its group's: the same limits, the
same outcomes; what is refused again becomes a new dead letter. Other destinations and the live
lanes never see it.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Collection, Mapping, Sequence

from destinations.deadletters import DeadLetter, settlement_of
from hub.clock import Clock
from hub.event import entry_of
from hub.log import DEAD_LETTERS, EVENTS, NO_NOTES, Committed, Log, Record


class LettersReader:
    """Gives dead letters as events; committing past one settles it. `done`: after the last."""

    def __init__(self, log: Log, letters: Sequence[DeadLetter], clock: Clock) -> None:
        self._log = log
        self._clock = clock
        self._left = deque(letters)
        self._open: dict[int, deque[DeadLetter]] = defaultdict(deque)
        self._paused: set[int] = set()
        self.settled = 0
        self.done = asyncio.Event()
        if not letters:
            self.done.set()

    @property
    def partitions(self) -> frozenset[int]:
        return frozenset({letter.place.partition for letter in self._left}) | self._open.keys()

    async def take(self, limit: int, wait: float) -> Sequence[Record]:
        """The next letters; nothing while paused, which is all or none here."""
        if not self._left or self._paused:
            await asyncio.sleep(wait)
            return []
        taken = [self._left.popleft() for _ in range(min(limit, len(self._left)))]
        for letter in taken:
            self._open[letter.place.partition].append(letter)
        return [self._record(letter) for letter in taken]

    def pause(self, partitions: Collection[int]) -> None:
        self._paused |= set(partitions)

    def resume(self, partitions: Collection[int]) -> None:
        self._paused -= set(partitions)

    async def commit(self, places: Mapping[int, int], notes: Mapping[int, str] = NO_NOTES) -> None:
        """Settle the letters before `places`: delivered, filtered, or dead again as new letters."""
        del notes  # a letter is settled or not; there is nothing to remember beside
        finished = []
        for partition, place in places.items():
            letters = self._open[partition]
            while letters and letters[0].place.offset < place:
                finished.append(letters.popleft())
        if finished:
            await self._log.append(DEAD_LETTERS, [settlement_of(letter) for letter in finished])
            self.settled += len(finished)
        if not self._left and not any(self._open.values()):
            self.done.set()

    async def committed(self, partitions: Collection[int]) -> Mapping[int, Committed]:
        """Nothing: what is settled is not given again."""
        return {partition: Committed(None) for partition in partitions}

    async def close(self) -> None:
        """Nothing is held: what was not settled is still an open dead letter."""

    def _record(self, letter: DeadLetter) -> Record:
        """The letter's event as if accepted now, so that patience begins anew."""
        event = letter.body["event"]
        now = self._clock.now()
        entry = entry_of(letter.body["source"], event, now)
        place = letter.place
        return Record(
            EVENTS,
            place.partition,
            place.offset,
            letter.record.key,
            entry.value,
            entry.headers,
            now,
        )
