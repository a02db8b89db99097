"""The way around a log that is away: into the spool, and in order out of it again.

The first append that fails sends all others around, those under way too. What lies in the spool is
appended to the log in its order, by one process of the machine; when little is left new appends
wait for a moment, the spool becomes empty, and they go straight on.

An append that was given up may have been written, so the log may have an event twice. The second
never is the first of its key out of order, and has the same message id.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from hub.log import EVENTS, REJECTED, Entry, Log, LogError, LogUnavailable
from hub.log.sqlite.spool import Holding
from ingest.happenings import Happenings
from ingest.spool import Spool, Way

LOOK: Final = 0.25
"""Seconds between looks at which way appends go, and whether the log is back."""

LONGEST_LOOK: Final = 2.0
"""Seconds to which these grow while the log is away."""

ASKING: Final = 1.0
"""Seconds in which a log says that it is ready, or is taken for away."""

OPENING: Final = 10.0
"""Seconds that the opening of a log may take; beyond them it is tried again."""

WAITING: Final = 0.5
"""Seconds that an append waits for the last of the spool, before it goes into it instead."""

WAITING_LOOK: Final = 0.01
"""Seconds between looks whether that is over."""

MOST: Final = 1_000
"""Records drained at once: an append of about a megabyte."""

MORE: Final = 20
"""Records by which what is drained at once grows again, after a log was too slow for as many."""

CLOSING: Final = 5.0
"""Seconds that a batch on its way to the log has when the process stops."""


@dataclass(frozen=True, slots=True)
class Spooled:
    """A log with a spool beside it. `log`: None when it is away, and `opening` is to open it."""

    log: Log | None
    opening: Callable[[], Awaitable[Log]]
    spool: Spool


class Detour:
    """Appends to a log, or around it."""

    def __init__(self, spooled: Spooled, happenings: Happenings, seconds: float) -> None:
        """`seconds`: for how long the log may take nothing, of what it was asked, before it is
        taken for away. One that is slow and takes something is not: the spool would only add to
        its work.
        """
        self._log = spooled.log
        self._opening = spooled.opening
        self._opened: Log | None = None
        self._spool = spooled.spool
        self._happenings = happenings
        self._seconds = seconds
        self._under_way: set[asyncio.Timeout] = set()
        self._taken = 0.0  # when the log last took something, or had nothing to take
        self._most = MOST
        self._stopping = asyncio.Event()
        if self._log is None:
            happenings.log_away("it was not there at the start")
        self._task = asyncio.create_task(self._run())

    async def append(self, stream: str, entries: Sequence[Entry]) -> None:
        """Return when the log or the spool has it durably. Raises as `Log.append`, or SpoolFull."""
        if self._spool.way is Way.WAIT:
            await self._until_open()
        if self._spool.way is Way.STRAIGHT and await self._went_straight(stream, entries):
            return
        await self._spool.append(stream, entries)
        self._happenings.spooled(len(entries))

    async def ready(self) -> str:
        """How it stands, `spooling` or nothing; raises LogError when there is no way at all."""
        if self._log is not None and self._spool.way is Way.STRAIGHT:
            try:
                async with asyncio.timeout(ASKING):
                    await self._log.ready()
                return ""
            except (LogUnavailable, TimeoutError):
                pass
        await self._spool.ready()
        return "spooling"

    async def close(self) -> None:
        """Hear out the batch that is being drained. The spool stays open, with what is left."""
        self._stopping.set()
        await asyncio.wait((self._task,), timeout=CLOSING)
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        if self._opened is not None:
            await self._opened.close()

    async def _went_straight(self, stream: str, entries: Sequence[Entry]) -> bool:
        """Whether the log took these in time; if not, nobody tries until it is back."""
        if self._log is None:
            return False
        if not self._under_way:
            self._taken = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(None) as limit:
                self._under_way.add(limit)
                try:
                    await self._log.append(stream, entries)
                finally:
                    self._under_way.discard(limit)
        except (LogUnavailable, TimeoutError) as error:
            self._leave(str(error))
            return False
        self._taken = asyncio.get_running_loop().time()
        return True

    def _leave(self, why: str) -> None:
        """Send all appends around, also those under way: nobody waits for what just failed."""
        if self._spool.way is Way.STRAIGHT:
            self._spool.go_round()
        self._happenings.log_away(why or f"no answer within {self._seconds:g} s")
        now = asyncio.get_running_loop().time()
        for limit in self._under_way:
            if not limit.expired():
                limit.reschedule(now)
        self._under_way.clear()

    async def _until_open(self) -> None:
        """Wait while the last of the spool is drained, but not for a drain that hangs or died."""
        loop = asyncio.get_running_loop()
        until = loop.time() + WAITING
        while self._spool.way is Way.WAIT:
            if loop.time() > until:
                self._spool.go_round()
            else:
                await asyncio.sleep(WAITING_LOOK)

    async def _run(self) -> None:
        wait = LOOK
        while not self._stopping.is_set():
            try:
                await self._look()
                wait = LOOK
            except (LogUnavailable, TimeoutError):
                wait = min(2 * wait, LONGEST_LOOK)
            except LogError as error:
                self._happenings.undrained(error)
                wait = LONGEST_LOOK
            except Exception as error:
                self._happenings.failed(error)
                wait = LONGEST_LOOK
            await self._pause(wait)

    async def _look(self) -> None:
        """See how it stands; drain when there is something to drain and it is our turn."""
        if self._under_way and asyncio.get_running_loop().time() - self._taken > self._seconds:
            self._leave("")
        ours = self._spool.take_turn()
        if self._log is not None and self._spool.way is Way.STRAIGHT:
            self._happenings.log_back()
            return
        self._happenings.log_away("the spool is in use")
        await self._weigh(ours=ours)
        if self._log is None:
            async with asyncio.timeout(OPENING):
                self._log = self._opened = await self._opening()
        if ours:
            await self._log.ready()
            await self._drain(self._log)

    async def _weigh(self, *, ours: bool) -> Holding:
        """See what the spool holds. Who drains tells it, once for all processes."""
        held = await self._spool.weigh()
        if ours:
            self._happenings.spool_holds(held)
        return held

    async def _drain(self, log: Log) -> None:
        """Append what lies in the spool to the log, until appends may go straight on."""
        try:
            while not await self._spool.emptied() and not self._stopping.is_set():
                if (await self._weigh(ours=True)).records < MOST:
                    self._spool.wait()
                await self._move(log, EVENTS)
                await self._move(log, REJECTED)
        finally:
            if self._spool.way is Way.WAIT:
                self._spool.go_round()

    async def _move(self, log: Log, stream: str) -> None:
        """Bring the oldest records of a stream to the log."""
        records = await self._spool.first(stream, self._most)
        if not records:
            return
        try:
            await log.append(stream, [Entry(one.key, one.value, one.headers) for one in records])
        except LogError:
            # A log that is too slow for so many takes fewer, or it would be sent them for ever.
            self._most = max(1, self._most // 2)
            raise
        self._most = min(self._most + MORE, MOST)
        self._spool.drained(records[-1])
        self._happenings.drained(len(records))

    async def _pause(self, seconds: float) -> None:
        """Wait for so long, or until it is time to stop."""
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return
