"""The index of one process: asked which events are twins, it never stops delivery.

Two records are *twins* when one source's messageId was accepted twice within the window. An SDK
that tries again sends the same event, so twins nearly always share a key, and with it a partition:
what the reader of that partition takes is exactly what must be known, and is taken in as it comes.
Other partitions are followed in the background (`follower.py`), for ids that come again with
another person, for partitions that move here, and for who asks what became of an event.

When the index is broken, behind, or of another log, events go on unjudged, and that is told.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import groupby
from operator import attrgetter
from typing import Final, TypeVar

from destinations.happenings import IndexHappenings
from destinations.index_file import IndexFile
from destinations.settings import Delivery
from destinations.slot import Slot
from hub.clock import Clock
from hub.log import EVENTS, Log, LogError, Place, Record, Span

PAGE: Final = 500
"""Records read from the log at once."""

WAIT_SECONDS: Final = 1.0
"""How long events wait for the index to know what came before them."""

AGAIN_SECONDS: Final = 60.0
"""Pause before an index that could not be used is made anew."""

NEAR: Final = 10_000
"""Records between a reader and the end of what is known: so many it will soon have read."""

Twins = Mapping[tuple[int, int], Place]
"""By partition and offset, the place of the event that came first."""

Run = Sequence[Record]
"""Adjacent records of one partition."""

T = TypeVar("T")


class Index:
    """What this process knows of the log; `window` in seconds. Belongs to one event loop."""

    def __init__(self, delivery: Delivery, log: Log, clock: Clock, tells: IndexHappenings) -> None:
        self.window = delivery.dedupe_seconds
        self._folder = delivery.index_path
        self._log = log
        self._clock = clock
        self._tells = tells
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="index")
        self._locks: dict[int, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._feeding = asyncio.Lock()
        self._led: dict[int, float] = {}
        self._opening = asyncio.Lock()
        self._file: IndexFile | None = None
        self._spoilt = False
        self._again = float("-inf")
        self._slot: Slot | None = None

    async def judge(self, records: Sequence[Record]) -> Twins:
        """The twins among `records`, which are adjacent and in order within each partition.

        Each is taken in once, whoever brings it; every later reader gets the same verdict.
        """
        file = await self._opened()
        if file is None:
            self._tells.unjudged(len(records))
            return {}
        runs = [list(run) for _, run in groupby(records, attrgetter("partition"))]
        if new := [run for run in runs if not _held(file, run)]:
            await self._take_in(file, new)
        self._note(file, runs)
        twins: dict[tuple[int, int], Place] = {}
        for run in runs:
            twins |= await self._twins(file, run[0].partition, run)
        return twins

    async def ask(self, question: Callable[[IndexFile], T]) -> T | None:
        """The file's answer, off the event loop; None when there is no file that can be used."""
        file = await self._opened()
        return None if file is None else await self._ask(file, question)

    async def feed(self, stream: str, records: Sequence[Record], span: Span) -> None:
        """Take in `records`, which are all that `span` holds; it must touch what is known."""
        await self.ask(lambda file: file.feed(stream, records, span))

    def led(self, since: float) -> Collection[int]:
        """Partitions in which a reader has been at the end of what is known, or near it, since
        `since` (steady): what comes next it will bring.
        """
        return [partition for partition, at in self._led.items() if at >= since]

    @property
    def usable(self) -> bool:
        """Whether there is a file now."""
        return self._file is not None

    def span(self, stream: str, partition: int) -> Span | None:
        """What is known of a partition; None when nothing is."""
        return None if self._file is None else self._file.spans.get((stream, partition))

    async def close(self) -> None:
        """Write what is known, and free the slot: the next process begins where this one ends."""
        if (file := self._file) is not None:
            self._file = None
            await self._ask(file, IndexFile.close)
        await asyncio.to_thread(self._pool.shutdown)
        if self._slot is not None:
            self._slot.free()

    # Judging

    async def _take_in(self, file: IndexFile, runs: Sequence[Run]) -> None:
        """Let the file know `runs`: those that touch what is known all at once, then the others."""
        touching = [run for run in runs if _touches(file, run)]
        behind = [run for run in runs if not _touches(file, run)]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(WAIT_SECONDS), self._feeding:
                # Most often another instance has brought the same meanwhile.
                if new := [run for run in touching if not _held(file, run)]:
                    await self._ask(file, partial(_feed, runs=new))
        for run in behind:
            await self._catch_up(file, run)
        for run in runs:
            if not _held(file, run):
                self._tells.unjudged(len(run))

    def _note(self, file: IndexFile, runs: Iterable[Run]) -> None:
        """Remember where readers are at work."""
        now = self._clock.steady()
        for run in runs:
            known = file.spans.get((EVENTS, run[0].partition))
            if known is None or known.end - run[-1].offset <= NEAR:
                self._led[run[0].partition] = now

    async def _catch_up(self, file: IndexFile, run: Run) -> None:
        """Let the file know what lies between what is known and `run`, and then `run`."""
        try:
            async with asyncio.timeout(WAIT_SECONDS), self._locks[run[0].partition]:
                await self._fill(file, run[0])
                await self._ask(file, partial(_feed, runs=[run]))
        except (TimeoutError, LogError):
            pass  # the follower goes on with it

    async def _fill(self, file: IndexFile, until: Record) -> None:
        """Read on from what is known, or from a window ago, up to the record `until`."""
        partition, key = until.partition, (EVENTS, until.partition)
        if key in file.spans:
            place = file.spans[key].end
        else:
            place = await self._log.offset_at(EVENTS, partition, until.at - self.window)
        while place < until.offset:
            page = await self._log.read(EVENTS, partition, place, PAGE)
            page = [record for record in page if record.offset < until.offset]
            end = page[-1].offset + 1 if page else until.offset
            span = Span(partition, place, end)
            await self._ask(file, partial(IndexFile.feed, stream=EVENTS, records=page, span=span))
            place = end

    async def _twins(self, file: IndexFile, partition: int, run: Sequence[Record]) -> Twins:
        first, end = run[0].offset, run[-1].offset + 1
        if first < file.recent_from.get(partition, 0):
            return await self._ask(file, lambda file: file.twins(partition, first, end)) or {}
        recent = file.recent
        if not recent:
            return {}
        places = ((partition, record.offset) for record in run)
        return {place: recent[place] for place in places if place in recent}

    # The file

    async def _ask(self, file: IndexFile, question: Callable[[IndexFile], T]) -> T | None:
        try:
            return await self._apart(question, file)
        except sqlite3.Error as error:
            if self._file is file:
                self._file = None
                self._broke(error)
                await self._apart(IndexFile.abandon, file)
            return None

    async def _opened(self) -> IndexFile | None:
        """The file, opened and compared with the log when that is due; None while it is not."""
        if self._file is None and self._clock.steady() >= self._again:
            async with self._opening:
                if self._file is None and self._clock.steady() >= self._again:
                    self._file = await self._open()
        return self._file

    async def _open(self) -> IndexFile | None:
        try:
            file = await self._apart(self._begun)
            try:
                if await self._is_strange(file):
                    self._spoilt = True
                    await self._apart(file.abandon)
                    file = await self._apart(self._begun)
            except LogError:
                self._again = self._clock.steady() + WAIT_SECONDS
                await self._apart(file.abandon)
                return None
            return file
        except (OSError, sqlite3.Error) as error:
            self._broke(error)
            return None

    def _begun(self) -> IndexFile:
        if self._slot is None:
            self._slot = Slot(self._folder)
        if self._spoilt:
            self._slot.clear()
            self._spoilt = False
        return IndexFile(self._slot.path, self.window)

    async def _is_strange(self, file: IndexFile) -> bool:
        """Whether the file tells of another log, or of nothing that this one still has."""
        kept = {
            (status.stream, span.partition): span
            for status in await self._log.status()
            for span in status.spans
        }
        for key, span in file.spans.items():
            of_log = kept.get(key)
            if of_log is None or not of_log.first <= span.end <= of_log.end:
                return True
            last = max(span.first, of_log.first, span.end - 1)
            if key[0] == EVENTS and last < span.end:
                (record,) = await self._log.read(EVENTS, span.partition, last, 1) or (None,)
                if record is None or not await self._apart(file.knows, record):
                    return True
        return False

    def _broke(self, error: Exception) -> None:
        self._tells.broke(error)
        self._spoilt = True
        self._again = self._clock.steady() + AGAIN_SECONDS

    async def _apart(self, deed: Callable[..., T], *arguments: object) -> T:
        """Off the event loop, on the one thread that the file knows."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, deed, *arguments)


def _held(file: IndexFile, run: Run) -> bool:
    """Whether all of `run` is known."""
    return _touches(file, run) and run[-1].offset < file.spans[EVENTS, run[0].partition].end


def _touches(file: IndexFile, run: Run) -> bool:
    """Whether nothing lies between what is known and `run`."""
    span = file.spans.get((EVENTS, run[0].partition))
    return span is not None and span.first <= run[0].offset <= span.end


def _feed(file: IndexFile, runs: Sequence[Run]) -> None:
    for run in runs:
        span = Span(run[0].partition, run[0].offset, run[-1].offset + 1)
        file.feed(EVENTS, run, span)
