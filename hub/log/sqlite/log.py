"""The SQLite log as a whole."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import threading
import uuid
from collections.abc import Awaitable, Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from hub.clock import Clock, SystemClock
from hub.log import (
    EVENTS,
    STREAMS,
    Entry,
    LogMisconfigured,
    LogUnavailable,
    OnRevoke,
    Place,
    Record,
    Span,
    StreamStatus,
)
from hub.log import settings as set_
from hub.log.partition import partition_of
from hub.log.size import measured
from hub.log.sqlite import members, retention
from hub.log.sqlite.codec import body_of
from hub.log.sqlite.doorbell import Doorbell
from hub.log.sqlite.file import connect, one, prepare
from hub.log.sqlite.members import BEAT, LEASE, Member
from hub.log.sqlite.reader import SqliteReader
from hub.log.sqlite.records import read
from hub.log.sqlite.rounds import Found, Rounds, Wish
from hub.log.sqlite.shelf import Shelf
from hub.log.sqlite.tables import records_of
from hub.log.sqlite.writer import Writer

# Two, so that one reader's deep read does not hold up all others; Python runs no more at once.
_READING_THREADS: Final = 2

# Seconds between looks at the file for what no bell told.
_LOOK: Final = 0.25

# Seconds between looks for what may be deleted.
_RETENTION: Final = 30.0

# Seconds between two steps of deleting, so that appends of other processes have their turn.
_RETENTION_PAUSE: Final = 0.01

# Seconds that `close` waits for appends in flight.
_CLOSING: Final = 10.0

T = TypeVar("T")


class SqliteLog:
    """Streams in one file. An instance belongs to the event loop that it was opened on."""

    def __init__(self, settings: set_.SqliteLog, *, clock: Clock, lease: float) -> None:
        self._settings = settings
        self._clock = clock
        self._lease = lease
        self._process = uuid.uuid4().hex[:16]
        self._readers: set[SqliteReader] = set()
        self._tasks: list[asyncio.Task[None]] = []
        self._closing: asyncio.Future[None] | None = None
        self._pool = ThreadPoolExecutor(_READING_THREADS, thread_name_prefix="log-reader")
        self._of_thread = threading.local()
        self._connections: list[sqlite3.Connection] = []
        self._watch: sqlite3.Connection | None = None
        self._doorbell = Doorbell(settings.path, self._process)
        self._loop = asyncio.get_running_loop()
        self._beaten = self._loop.time()
        self._writer = Writer(settings.path, clock, self._tell)
        self._rounds = {stream: Rounds(self.ask) for stream in STREAMS}
        # Every destination reads this one.
        self._rounds[EVENTS] = Rounds(self.ask, Shelf())

    @classmethod
    async def open(
        cls, settings: set_.SqliteLog, *, clock: Clock | None = None, lease: float = LEASE
    ) -> SqliteLog:
        """Open or make the file. `lease`: seconds until a member that gives no sign is dead.

        Raises LogMisconfigured when the file cannot be used, LogUnavailable when it is locked.
        """
        await asyncio.to_thread(prepare, settings.path, settings.partitions)
        log = cls(settings, clock=clock or SystemClock(), lease=lease)
        log._doorbell.hang(log._hear)
        return log

    async def append(self, stream: str, entries: Sequence[Entry]) -> Sequence[Place]:
        """As `Log.append`: returns once a transaction with the entries is on the disk."""
        _check(stream)
        size = measured(entries)
        if not entries:
            return []
        partitions = self._settings.partitions
        rows = [(partition_of(entry.key, partitions), entry, body_of(entry)) for entry in entries]
        written = self._writer.append(stream, rows, size)
        self._start(self._keep)
        return await written

    async def open_reader(
        self, stream: str, group: str, *, on_revoke: OnRevoke | None = None
    ) -> SqliteReader:
        """As `Log.open_reader`."""
        _check(stream)
        reader = SqliteReader(self, Member("", self._process, stream, group), on_revoke)
        # Whoever was killed is found before the partitions are shared out.
        await self._beat()
        self._readers.add(reader)
        try:
            await reader.join()
        except BaseException:
            with contextlib.suppress(LogUnavailable):
                await reader.close()
            raise
        for task in (self._keep, self._look, self._live):
            self._start(task)
        return reader

    async def read(self, stream: str, partition: int, offset: int, limit: int) -> Sequence[Record]:
        """As `Log.read`."""
        _check(stream)

        def question(db: sqlite3.Connection) -> list[Record]:
            id_, first, end = _span(db, stream, partition)
            return read(db, (stream, partition, id_), max(offset, first), end, limit)

        return await self.ask(question)

    async def offset_at(self, stream: str, partition: int, at: float) -> int:
        """As `Log.offset_at`."""
        _check(stream)
        return await self.ask(lambda db: _offset_at(db, stream, partition, at))

    async def status(self) -> Sequence[StreamStatus]:
        """As `Log.status`; reads no records."""
        return await self.ask(_status)

    async def ready(self) -> None:
        """As `Log.ready`: writes a page, which a full disk would not take."""
        await self.do(_touched)

    async def close(self) -> None:
        """As `Log.close`: closes the readers too, and waits up to 10 s for appends in flight."""
        if self._closing is not None:
            await asyncio.shield(self._closing)
            return
        self._closing = self._loop.create_future()
        try:
            await self._close()
        finally:
            self._closing.set_result(None)

    async def _close(self) -> None:
        for reader in list(self._readers):
            with contextlib.suppress(LogUnavailable):
                await reader.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._writer.close(_CLOSING)
        self._doorbell.close()
        await asyncio.to_thread(self._pool.shutdown)
        for db in self._connections:
            db.close()

    # What readers ask of their log.

    def now(self) -> float:
        """Seconds since the epoch."""
        return self._clock.now()

    def name(self) -> str:
        """A name that no member ever had."""
        return uuid.uuid4().hex

    async def ask(self, question: Callable[[sqlite3.Connection], T]) -> T:
        """Answer from the file, off the event loop. Raises LogUnavailable."""
        try:
            return await self._loop.run_in_executor(self._pool, self._answer, question)
        except RuntimeError as error:  # the pool takes no more
            raise LogUnavailable("the log is closed") from error
        except sqlite3.Error as error:
            raise LogUnavailable(f"{self._settings.path} cannot be read: {error}") from error

    async def fetch(self, wish: Wish) -> Found:
        """What there is for a member. Raises LogUnavailable."""
        return await self._rounds[wish.member.stream].fetch(wish)

    def do(
        self, deed: Callable[[sqlite3.Connection], T], topics: Collection[str] = ()
    ) -> Awaitable[T]:
        """Write to the file, with the next transaction. Raises LogUnavailable."""
        return self._writer.do(deed, topics)

    def is_alive(self) -> bool:
        """Whether the last sign of life is so young that nobody takes our readers for dead."""
        return self._loop.time() - self._beaten < max(self._lease, 2 * BEAT)

    def forget(self, reader: SqliteReader) -> None:
        """This reader is closed."""
        self._readers.discard(reader)

    def _answer(self, question: Callable[[sqlite3.Connection], T]) -> T:
        db: sqlite3.Connection | None = getattr(self._of_thread, "db", None)
        if db is None:
            db = self._of_thread.db = connect(self._settings.path)
            self._connections.append(db)
        return question(db)

    # What is told from process to process.

    def _tell(self, topics: Collection[str]) -> None:
        """After a commit, on the writer's thread: wake whom it concerns, here and elsewhere."""
        with contextlib.suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._hear, frozenset(topics))
        self._doorbell.ring(topics)

    def _hear(self, topics: frozenset[str]) -> None:
        for reader in self._readers:
            if reader.stream in topics:
                reader.ring()
            if f"@{reader.stream}" in topics:
                reader.nudge()

    # What goes on in the background, once there is a reason.

    def _start(self, task: Callable[[], Awaitable[None]]) -> None:
        name = task.__name__
        if self._closing is None and all(name != known.get_name() for known in self._tasks):
            self._tasks.append(asyncio.create_task(_forever(task), name=name))

    async def _live(self) -> None:
        """Give a sign of life for the readers, and find out who gives none."""
        await asyncio.sleep(BEAT)
        if self._readers:
            await self._beat()
            for reader in self._readers:
                reader.nudge()

    async def _beat(self) -> None:
        dead = self._doorbell.dead()
        names = [reader.name for reader in self._readers]
        lease, now = self._lease, self._clock.now()
        moved = await self.do(lambda db: members.beat(db, names, dead, now, lease))
        self._beaten = self._loop.time()
        for name in dead:
            self._doorbell.bury(name)
        if moved:
            self._tell([f"@{stream}" for stream in moved])

    async def _look(self) -> None:
        """Now and then see whether someone wrote whose bell we did not hear."""
        version = -1
        while self._readers:
            await asyncio.sleep(_LOOK)
            seen = await self.ask(self._version)
            if seen != version:
                version = seen
                for reader in self._readers:
                    reader.ring()
        await asyncio.sleep(_LOOK)

    def _version(self, db: sqlite3.Connection) -> int:
        del db  # a connection counts for itself, so this must always be the same one
        if self._watch is None:
            self._watch = connect(self._settings.path)
            self._connections.append(self._watch)
        return int(one(self._watch, "PRAGMA data_version"))

    async def _keep(self) -> None:
        """Delete what is too old or too much."""
        oldest = self._clock.now() - self._settings.retention_seconds
        most = self._settings.retention_bytes
        if await self.ask(lambda db: retention.due(db, oldest, most)):
            more = True
            while more:
                more = await self.do(lambda db: retention.step(db, oldest, most))
                await asyncio.sleep(_RETENTION_PAUSE)
        await asyncio.sleep(_RETENTION)


async def _forever(task: Callable[[], Awaitable[None]]) -> None:
    """Do it again and again; a log that is away now is asked again a second later."""
    while True:
        try:
            await task()
        except LogUnavailable:
            await asyncio.sleep(1.0)


def _check(stream: str) -> None:
    if stream not in STREAMS:
        raise LogMisconfigured(f"there is no stream {stream!r}; there are {', '.join(STREAMS)}")


def _span(db: sqlite3.Connection, stream: str, partition: int) -> tuple[int, int, int]:
    """The id, first and end of a partition."""
    row = db.execute(
        "SELECT id, first, end FROM partitions WHERE stream = ? AND number = ?", (stream, partition)
    ).fetchone()
    if row is None:
        raise LogMisconfigured(f"stream {stream!r} has no partition {partition}")
    id_, first, end = row
    return id_, first, end


def _offset_at(db: sqlite3.Connection, stream: str, partition: int, at: float) -> int:
    id_, low, high = _span(db, stream, partition)
    while low < high:
        middle = (low + high) // 2
        # Where compaction left a gap, the next record's time counts.
        row = db.execute(
            f"SELECT offset, at FROM {records_of(id_)} WHERE offset >= ? AND offset < ?"
            " ORDER BY offset LIMIT 1",
            (middle, high),
        ).fetchone()
        if row is None:
            high = middle
        elif row[1] < at:
            low = row[0] + 1
        else:
            high = middle
    return low


def _status(db: sqlite3.Connection) -> list[StreamStatus]:
    groups: dict[str, dict[str, dict[int, int]]] = {}
    for stream, group, number, place in db.execute("SELECT stream, grp, number, place FROM claims"):
        places = groups.setdefault(stream, {}).setdefault(group, {})
        if place is not None:
            places[number] = place
    spans: dict[str, list[Span]] = {}
    for stream, number, first, end in db.execute(
        "SELECT stream, number, first, end FROM partitions ORDER BY id"
    ):
        spans.setdefault(stream, []).append(Span(number, first, end))
    return [
        StreamStatus(stream, tuple(found), groups.get(stream, {}))
        for stream, found in spans.items()
    ]


def _touched(db: sqlite3.Connection) -> None:
    db.execute("UPDATE made SET value = value WHERE name = 'format'")
