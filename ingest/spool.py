"""The spool: where events wait on this machine's disk while the log is away.

The ingest processes of a machine share one folder: a SQLite file in which all appends have one
order, a byte that says which way appends go, and a lock whose holder drains the file.

The law: an append is in the file before the byte says so, and the byte is taken back only within
a transaction that finds the file empty. Who begins after another was answered therefore finds the
byte set, or the other's entries drained; nothing overtakes, whichever process it comes to.
"""

from __future__ import annotations

import fcntl
import math
import mmap
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from enum import IntEnum
from pathlib import Path
from typing import IO, Final

from hub.clock import Clock
from hub.log import Entry, Log, LogMisconfigured, LogUnavailable, Record
from hub.log import settings as set_
from hub.log.size import measured
from hub.log.sqlite import SqliteLog
from hub.log.sqlite.spool import Holding, drop, holding
from hub.settings import Fault, Misconfigured
from ingest.settings import SpoolSettings

_KEPT: Final = math.inf
"""Seconds after which the file may delete records by itself: none is deleted undrained."""

_ROOM: Final = 65_536
"""Bytes that a spool which is ready has free: any event fits."""


class SpoolFull(LogUnavailable):
    """The spool holds as much, or as old events, as it may."""


class Way(IntEnum):
    """Which way appends go, for all processes of the machine."""

    STRAIGHT = 0
    """To the log."""
    ROUND = 1
    """Into the spool."""
    WAIT = 2
    """Nowhere for a moment: the last of the spool is being drained."""


class Spool:
    """The spool of a machine, as one process has it open."""

    def __init__(
        self,
        file: SqliteLog,
        byte: mmap.mmap,
        lock: IO[bytes],
        settings: SpoolSettings,
        clock: Clock,
    ) -> None:
        self._file = file
        self._byte = byte
        self._lock = lock
        self._settings = settings
        self._clock = clock
        self._held = Holding()
        self._drained: dict[str, int] = {}

    @classmethod
    @asynccontextmanager
    async def opened(
        cls, settings: SpoolSettings, folder: Path, clock: Clock
    ) -> AsyncIterator[Spool]:
        """The spool in `folder`, made if there is none; what is in it at the end of the block
        stays for the next. Raises Misconfigured or LogUnavailable.
        """
        asked = set_.SqliteLog(path=folder / "spool.db", partitions=1, retention_seconds=_KEPT)
        async with AsyncExitStack() as stack:
            try:
                file = await SqliteLog.open(asked, clock=clock)
                stack.push_async_callback(file.close)
                byte = stack.enter_context(_shared_byte(folder / "way"))
                lock = stack.enter_context((folder / "turn").open("ab"))
            except (LogMisconfigured, OSError) as error:
                raise Misconfigured([Fault("ingest.spool.path", str(error))]) from None
            spool = cls(file, byte, lock, settings, clock)
            if (await spool.weigh()).records:
                spool.go_round()
            yield spool

    @property
    def file(self) -> Log:
        """What is spooled, to be looked into."""
        return self._file

    @property
    def way(self) -> Way:
        """Which way an append is to go now."""
        return Way(self._byte[0])

    def go_round(self) -> None:
        """From now on appends go into the spool."""
        self._byte[0] = Way.ROUND

    def wait(self) -> None:
        """For a moment appends wait, so that the spool becomes empty."""
        self._byte[0] = Way.WAIT

    async def append(self, stream: str, entries: Sequence[Entry]) -> None:
        """Keep durably, as `Log.append`. Raises SpoolFull, LogUnavailable or EntryTooLarge."""
        size = measured(entries)
        self._check(size)
        held = self._held
        self._held = replace(held, records=held.records + len(entries), bytes=held.bytes + size)
        await self._file.append(stream, entries)
        if self.way is Way.STRAIGHT:
            self.go_round()

    async def first(self, stream: str, limit: int) -> Sequence[Record]:
        """The oldest records of a stream that are not drained, up to `limit`."""
        return await self._file.read(stream, 0, self._drained.get(stream, 0), limit)

    def drained(self, last: Record) -> None:
        """The log has the records of a stream up to `last`."""
        self._drained[last.stream] = last.offset + 1

    async def emptied(self) -> bool:
        """Delete what is drained. Whether nothing is left: then appends go straight from here on.

        Raises LogUnavailable, also when a full disk does not let it delete; nothing is drained
        twice for that.
        """
        drained = dict(self._drained)

        def deed(db: sqlite3.Connection) -> bool:
            for stream, upto in drained.items():
                drop(db, stream, upto)
            if holding(db).records:
                return False
            # Nobody can write to the file before this transaction ends.
            self._byte[0] = Way.STRAIGHT
            return True

        return await self._file.do(deed)

    async def weigh(self) -> Holding:
        """What the spool holds now, of all processes."""
        self._held = await self._file.ask(holding)
        return self._held

    async def ready(self) -> None:
        """Return when the spool takes events; raises SpoolFull or LogUnavailable."""
        self._check(_ROOM)
        await self._file.ready()

    def take_turn(self) -> bool:
        """Whether it is this process that drains; so it is until it ends, however that happens."""
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _check(self, size: int) -> None:
        most, longest = self._settings.max_bytes, self._settings.max_seconds
        if self._held.bytes + size > most:
            raise SpoolFull(f"the spool holds {self._held.bytes:,} of {most:,} bytes")
        if self._clock.now() - self._held.oldest > longest:
            raise SpoolFull(f"the spool holds an event that is older than {longest:g} s")


def _shared_byte(path: Path) -> mmap.mmap:
    """The first byte of a file, as all processes see it. It costs no call to look at it."""
    with path.open("ab") as made:
        if not made.tell():
            # Appended, so that it overwrites nothing when two processes make the file at once.
            made.write(bytes([Way.STRAIGHT]))
    with path.open("r+b") as file:
        return mmap.mmap(file.fileno(), 1)
