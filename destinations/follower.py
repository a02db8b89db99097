"""Keeps the index up with the log in the background: what no reader here takes, and history.

The newest gaps come first: what was appended since, then what lies before the first that is known,
back to the first record that the log keeps. What a reader is about to bring is left to it, or a
backlog would be read twice. It works half of the time at most.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from destinations.happenings import IndexHappenings
from destinations.index import PAGE, Index
from destinations.index_file import IndexFile
from hub.clock import Clock
from hub.log import DEAD_LETTERS, DELIVERIES, EVENTS, PARKED, REJECTED, Log, LogError, Record, Span

FOLLOWED: Final = (EVENTS, DELIVERIES, DEAD_LETTERS, PARKED, REJECTED)
"""The streams that the index knows, the first to be read first."""

LOOK_SECONDS: Final = 5.0
"""Seconds between looks at the log's ends; readers' own takes are known at once."""


Spans = Mapping[tuple[str, int], Span]
"""By stream and partition."""


class Follower:
    """Reads what the index does not know yet. Runs until it is cancelled."""

    def __init__(self, index: Index, log: Log, clock: Clock, tells: IndexHappenings) -> None:
        self._index = index
        self._log = log
        self._clock = clock
        self._tells = tells
        self._swept = 0

    async def run(self) -> None:
        """Follow the log; one that is away is asked again."""
        while True:
            try:
                if await self.look():
                    continue
            except LogError:
                pass  # the workers tell that the log is away
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> bool:
        """Read on for a while, politely; whether there is more to be read."""
        kept = await self._kept()
        until = self._clock.steady() + LOOK_SECONDS
        async for took in self._steps(lambda: self._ours(kept)):
            if self._clock.steady() >= until:
                break
            await asyncio.sleep(took)
        await self._index.ask(IndexFile.flush)
        self._tells.behind(self._missing(kept))
        if not self._index.usable or self._missing(self._ours(kept)):
            return self._index.usable
        firsts = {key: span.first for key, span in kept.items()}
        self._swept += 1
        await self._index.ask(lambda file: file.sweep(firsts, self._swept))
        return False

    async def catch_up(self, seconds: float) -> int:
        """Read on without courtesy, since somebody waits; returns the records still unknown."""
        kept = await self._kept()
        until = self._clock.steady() + seconds
        async for _ in self._steps(lambda: kept):
            if self._clock.steady() >= until:
                break
        return self._missing(kept)

    async def _kept(self) -> Spans:
        """What the log holds, in the order of reading; also opens an index that is to be opened."""
        await self._index.ask(IndexFile.flush)
        spans = {status.stream: status.spans for status in await self._log.status()}
        return {
            (stream, span.partition): span for stream in FOLLOWED for span in spans.get(stream, ())
        }

    def _ours(self, kept: Spans) -> Spans:
        """`kept` without what lies ahead of readers that were at work a moment ago."""
        ours = dict(kept)
        for partition in self._index.led(self._clock.steady() - LOOK_SECONDS):
            key = EVENTS, partition
            if key in ours and (known := self._index.span(*key)) is not None:
                ours[key] = replace(ours[key], end=min(known.end, ours[key].end))
        return ours

    def _missing(self, kept: Spans) -> int:
        """Records of `kept` that the index does not know."""
        missing = 0
        for (stream, partition), span in kept.items():
            known = self._index.span(stream, partition) or Span(partition, span.first, span.first)
            missing += max(0, span.end - known.end) + max(0, known.first - span.first)
        return missing

    async def _steps(self, wanted: Callable[[], Spans]) -> AsyncIterator[float]:
        """One page after the other of what is wanted by then; each yields the seconds it took."""
        for step in (self._upward, self._downward):
            for key in wanted():
                began = self._clock.steady()
                while self._index.usable and await step(key[0], wanted()[key]):
                    yield self._clock.steady() - began
                    began = self._clock.steady()

    async def _upward(self, stream: str, span: Span) -> bool:
        """Take in a page after what is known; False when there is none."""
        partition = span.partition
        known = self._index.span(stream, partition)
        if known is None:
            at = self._clock.now() - self._index.window
            place = max(span.first, await self._log.offset_at(stream, partition, at))
        else:
            place = known.end
        if place >= span.end:
            return False
        page = await self._log.read(stream, partition, place, PAGE)
        end = page[-1].offset + 1 if page else span.end
        await self._index.feed(stream, page, Span(partition, place, end))
        return True

    async def _downward(self, stream: str, span: Span) -> bool:
        """Take in a page before what is known; False when there is none."""
        partition = span.partition
        known = self._index.span(stream, partition) or Span(partition, span.end, span.end)
        size = min(PAGE, known.first - span.first)
        if size <= 0:
            return False
        page: Sequence[Record] = ()
        # The log reads fewer when they are large; what is fed must reach to what is known.
        while size and (not page or page[-1].offset + 1 < known.first):
            page = await self._log.read(stream, partition, known.first - size, size)
            page = [record for record in page if record.offset < known.first]
            place, size = known.first - size, size // 2
        await self._index.feed(stream, page, Span(partition, place, known.first))
        return True
