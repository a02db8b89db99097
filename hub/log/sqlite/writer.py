"""The one thread of a process that writes to the file, many appends to a transaction."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final, TypeVar

import orjson

from hub.clock import Clock
from hub.log import Entry, LogUnavailable, Place
from hub.log.sqlite.codec import encode
from hub.log.sqlite.file import busy, connect, one
from hub.log.sqlite.tables import records_of

# What may wait to be written: a second or two of a disk's work, some 50,000 events. Who comes when
# it is full is told at once, while a client that hears nothing would send again.
WAITING_BYTES: Final = 64 * 1024 * 1024

# What one transaction takes: 10 ms to 50 ms of work, so that other processes have their turn.
_TRANSACTION_BYTES: Final = 4 * 1024 * 1024

# How long another process may keep the write lock before what waits is given up, in seconds.
_LOCK_SECONDS: Final = 5.0

# Between two tries for the lock. SQLite's own waiting grows to 100 ms, ten times a transaction.
_LOCK_PAUSE: Final = 0.001

# Rows of one INSERT, the larger first. A few fixed sizes keep the statements prepared; one
# statement is one step (see file.one).
_ROWS: Final = (256, 32, 4, 1)

T = TypeVar("T")
Deed = Callable[[sqlite3.Connection], Any]


@dataclass(eq=False, slots=True)
class _Append:
    stream: str
    rows: Sequence[tuple[int, Entry, bytes]]  # partition, entry, body
    size: int
    future: asyncio.Future[Any]


@dataclass(eq=False, slots=True)
class _Deed:
    deed: Deed
    topics: Collection[str]
    future: asyncio.Future[Any]
    size: int = 0


_Job = _Append | _Deed


@dataclass(slots=True)
class _End:
    """Where a partition ends, as far as this transaction knows."""

    id: int
    end: int
    at: float
    bytes: int


@dataclass(slots=True)
class _Ends:
    """Partitions' ends, kept from one transaction to the next while nobody else writes."""

    version: int = -1
    ends: dict[tuple[str, int], _End] = field(default_factory=dict)


class Writer:
    """Takes appends and deeds from the event loop; answers all of a transaction with one call.

    While a transaction is in flight the next one fills: at low load an append waits for nobody, at
    high load an fsync is shared by many.
    """

    def __init__(
        self, path: Path, clock: Clock, on_commit: Callable[[Collection[str]], None]
    ) -> None:
        self._path = path
        self._clock = clock
        self._on_commit = on_commit
        self._loop = asyncio.get_running_loop()
        self._stopped = self._loop.create_future()
        self._jobs: deque[_Job] = deque()
        self._waiting = 0
        self._closing = False
        self._wake = threading.Condition()
        self._db: sqlite3.Connection | None = None
        self._ends = _Ends()
        self._thread = threading.Thread(target=self._run, name="log-writer", daemon=True)
        self._thread.start()

    def append(
        self, stream: str, rows: Sequence[tuple[int, Entry, bytes]], size: int
    ) -> asyncio.Future[list[Place]]:
        """Append `rows` of partition, entry and body, `size` bytes in all; when done, their places.

        Raises LogUnavailable when more waits than may.
        """
        future: asyncio.Future[list[Place]] = self._loop.create_future()
        self._put(_Append(stream, rows, size, future))
        return future

    def do(
        self, deed: Callable[[sqlite3.Connection], T], topics: Collection[str] = ()
    ) -> asyncio.Future[T]:
        """Do `deed` in the next transaction, and then ring `topics`."""
        future: asyncio.Future[T] = self._loop.create_future()
        self._put(_Deed(deed, topics, future))
        return future

    async def close(self, patience: float) -> None:
        """Finish what waits, for up to `patience` seconds; what is left raises LogUnavailable."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        await asyncio.wait([self._stopped], timeout=patience)
        with self._wake:
            left, self._jobs = list(self._jobs), deque()
        self._answer(
            (job, LogUnavailable("the log was closed before this was written")) for job in left
        )

    def _put(self, job: _Job) -> None:
        with self._wake:
            if self._closing:
                raise LogUnavailable("the log is closed")
            if job.size and self._waiting + job.size > WAITING_BYTES:
                raise LogUnavailable(f"{self._waiting:,} bytes wait for the disk already")
            self._waiting += job.size
            self._jobs.append(job)
            self._wake.notify()

    def _run(self) -> None:
        while jobs := self._next():
            self._settle(jobs)
        self._disconnect()
        self._call(self._stop)

    def _stop(self) -> None:
        if not self._stopped.done():
            self._stopped.set_result(None)

    def _next(self) -> list[_Job]:
        """The jobs of the next transaction; none when it is time to stop."""
        with self._wake:
            while not self._jobs and not self._closing:
                self._wake.wait()
            jobs: list[_Job] = []
            size = 0
            while self._jobs and (not jobs or size + self._jobs[0].size <= _TRANSACTION_BYTES):
                jobs.append(self._jobs.popleft())
                size += jobs[-1].size
            return jobs

    def _settle(self, jobs: list[_Job]) -> None:
        answers: list[tuple[_Job, Any]]
        try:
            answers = self._transact(jobs)
        except sqlite3.Error as error:
            self._disconnect()
            fault = LogUnavailable(f"{self._path} cannot be written: {error}")
            answers = [(job, fault) for job in jobs]
        except Exception as error:
            self._disconnect()
            answers = [(job, error) for job in jobs]
        else:
            topics = {job.stream for job in jobs if isinstance(job, _Append)}
            for job in jobs:
                if isinstance(job, _Deed):
                    topics.update(job.topics)
            if topics:
                self._on_commit(topics)
        with self._wake:
            self._waiting -= sum(job.size for job in jobs)
        self._call(self._answer, answers)

    def _call(self, callback: Callable[..., None], *args: Any) -> None:
        try:
            self._loop.call_soon_threadsafe(callback, *args)
        except RuntimeError:
            # The loop is closed: nobody waits for an answer any more.
            return

    @staticmethod
    def _answer(answers: Iterable[tuple[_Job, Any]]) -> None:
        for job, answer in answers:
            if job.future.done():
                continue  # who asked was cancelled; the others are answered
            if isinstance(answer, BaseException):
                job.future.set_exception(answer)
            else:
                job.future.set_result(answer)

    def _transact(self, jobs: list[_Job]) -> list[tuple[_Job, Any]]:
        db = self._begin()
        answers = self._append(db, [job for job in jobs if isinstance(job, _Append)])
        answers += [(job, job.deed(db)) for job in jobs if isinstance(job, _Deed)]
        db.execute("COMMIT")
        return answers

    def _begin(self) -> sqlite3.Connection:
        """A connection that has the write lock."""
        until = time.monotonic() + _LOCK_SECONDS
        while True:
            try:
                if self._db is None:
                    self._db = connect(self._path, timeout=0)
                self._db.execute("BEGIN IMMEDIATE")
                return self._db
            except sqlite3.OperationalError as error:
                if not busy(error) or time.monotonic() > until:
                    raise
            time.sleep(_LOCK_PAUSE)

    def _disconnect(self) -> None:
        """Let go of the connection, and with it of a transaction that failed."""
        self._ends.version = -1
        if self._db is not None:
            db, self._db = self._db, None
            db.close()

    def _append(self, db: sqlite3.Connection, jobs: list[_Append]) -> list[tuple[_Job, Any]]:
        if not jobs:
            return []
        self._refresh(db)
        now = self._clock.now()
        answers: list[tuple[_Job, Any]] = []
        rows: defaultdict[int, list[Any]] = defaultdict(list)
        touched: dict[int, _End] = {}
        for job in jobs:
            places = []
            for partition, entry, body in job.rows:
                end = self._ends.ends[job.stream, partition]
                touched[end.id] = end
                # The clock may step back; a partition's times do not, so they can be bisected.
                end.at = max(end.at, now)
                data = encode(entry, body, end.end, end.at)
                end.bytes += len(data)
                rows[end.id] += (end.end, end.at, end.bytes, data)
                places.append(Place(partition, end.end))
                end.end += 1
            answers.append((job, places))
        for id_, values in rows.items():
            _insert(db, id_, values)
        db.execute(
            "UPDATE OR ROLLBACK partitions SET end = new.end, at = new.at, bytes = new.bytes FROM ("
            " SELECT json_extract(value, '$[0]') AS id, json_extract(value, '$[1]') AS end,"
            " json_extract(value, '$[2]') AS at, json_extract(value, '$[3]') AS bytes"
            " FROM json_each(?)) AS new WHERE partitions.id = new.id",
            (orjson.dumps([(e.id, e.end, e.at, e.bytes) for e in touched.values()]).decode(),),
        )
        return answers

    def _refresh(self, db: sqlite3.Connection) -> None:
        """Read where partitions end, unless only this connection has written since."""
        version = one(db, "PRAGMA data_version")
        if version != self._ends.version:
            found = one(
                db,
                "SELECT json_group_array(json_array(stream, number, id, end, at, bytes))"
                " FROM partitions",
            )
            self._ends.ends = {
                (stream, number): _End(id_, end, at, size)
                for stream, number, id_, end, at, size in orjson.loads(found)
            }
            self._ends.version = version


def _insert(db: sqlite3.Connection, id_: int, values: list[Any]) -> None:
    start = 0
    left = len(values) // 4
    for count in _ROWS:
        while left >= count:
            db.execute(_insertion(id_, count), values[start : start + 4 * count])
            start += 4 * count
            left -= count


@cache
def _insertion(id_: int, rows: int) -> str:
    """The statement that appends so many rows to a partition."""
    # A conflict ends the transaction, so SQLite need not keep pages to undo one statement alone.
    return f"INSERT OR ROLLBACK INTO {records_of(id_)} VALUES {','.join(['(?,?,?,?)'] * rows)}"
