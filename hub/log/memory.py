"""The log in this process's memory: for tests. It deletes nothing."""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections.abc import Collection, Mapping, Sequence
from itertools import count

from hub.clock import Clock, SystemClock
from hub.log import (
    NO_NOTES,
    STREAMS,
    Committed,
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
from hub.log.sharing import share
from hub.log.size import check_notes, measured


class MemoryLog:
    """Streams in memory; readers opened on one instance share its groups."""

    def __init__(
        self, settings: set_.MemoryLog | None = None, *, clock: Clock | None = None
    ) -> None:
        self._partitions = (settings or set_.MemoryLog()).partitions
        self._clock = clock or SystemClock()
        self._records: dict[str, list[list[Record]]] = {
            stream: [[] for _ in range(self._partitions)] for stream in STREAMS
        }
        self._groups: dict[tuple[str, str], _Group] = {}
        self._closed = False

    async def append(self, stream: str, entries: Sequence[Entry]) -> Sequence[Place]:
        """As `Log.append`, durable as long as the process."""
        if self._closed:
            raise LogUnavailable("the log is closed")
        partitions = self._stream(stream)
        measured(entries)
        places = []
        for entry in entries:
            partition = partition_of(entry.key, self._partitions)
            records = partitions[partition]
            # The clock may step back; times of a partition do not, so that offset_at can bisect.
            at = max(self._clock.now(), records[-1].at if records else 0.0)
            places.append(Place(partition, len(records)))
            records.append(
                Record(
                    stream,
                    partition,
                    len(records),
                    entry.key,
                    entry.value,
                    tuple(entry.headers),
                    at,
                )
            )
        for (name, _), group in self._groups.items():
            if name == stream:
                group.ring()
        return places

    async def open_reader(
        self, stream: str, group: str, *, on_revoke: OnRevoke | None = None
    ) -> MemoryReader:
        """As `Log.open_reader`."""
        partitions = self._stream(stream)
        joined = self._groups.setdefault((stream, group), _Group(partitions))
        return joined.join(on_revoke)

    async def read(self, stream: str, partition: int, offset: int, limit: int) -> Sequence[Record]:
        """As `Log.read`."""
        return self._stream(stream)[partition][max(offset, 0) :][:limit]

    async def offset_at(self, stream: str, partition: int, at: float) -> int:
        """As `Log.offset_at`."""
        return bisect_left(self._stream(stream)[partition], at, key=lambda record: record.at)

    async def status(self) -> Sequence[StreamStatus]:
        """As `Log.status`."""
        return [
            StreamStatus(
                stream,
                tuple(Span(p, 0, len(records)) for p, records in enumerate(partitions)),
                {
                    group: joined.places()
                    for (name, group), joined in self._groups.items()
                    if name == stream
                },
            )
            for stream, partitions in self._records.items()
        ]

    async def ready(self) -> None:
        """As `Log.ready`."""
        if self._closed:
            raise LogUnavailable("the log is closed")

    async def close(self) -> None:
        """Close the readers that are open, and take no more."""
        self._closed = True
        for group in self._groups.values():
            await group.close()

    def _stream(self, stream: str) -> list[list[Record]]:
        try:
            return self._records[stream]
        except KeyError:
            raise LogMisconfigured(f"there is no stream {stream!r}") from None


class _Group:
    """The members of one group, who reads what, and what is committed."""

    def __init__(self, records: list[list[Record]]) -> None:
        self.records = records
        self.committed: dict[int, Committed] = {}
        self.owners: dict[int, str | None] = dict.fromkeys(range(len(records)))
        self._members: dict[str, MemoryReader] = {}
        self._names = (f"member-{number}" for number in count())
        self._moving: set[asyncio.Task[None]] = set()

    def places(self) -> dict[int, int]:
        return {p: last.place for p, last in self.committed.items() if last.place is not None}

    def last(self, partition: int) -> Committed:
        return self.committed.get(partition, Committed(None))

    def join(self, on_revoke: OnRevoke | None) -> MemoryReader:
        member = MemoryReader(self, next(self._names), on_revoke)
        self._members[member.name] = member
        self.settle()
        return member

    async def leave(self, member: MemoryReader) -> None:
        self._members.pop(member.name, None)
        for partition in member.partitions:
            self.owners[partition] = None
        self.settle()

    def settle(self) -> None:
        """Give out what nobody reads; ask for what another member should have."""
        target = share(list(self._members), self.owners, len(self.owners))
        for name, member in self._members.items():
            wanted = {p for p in member.partitions if target[p] != name} - member.leaving
            if wanted:
                task = asyncio.create_task(self._move(member, frozenset(wanted)))
                self._moving.add(task)
                task.add_done_callback(self._moving.discard)
            gained = {p for p, owner in target.items() if owner == name and not self.owners[p]}
            for partition in gained:
                self.owners[partition] = name
                member.gain(partition, self.last(partition).place or 0)
        self.ring()

    def ring(self) -> None:
        for member in self._members.values():
            member.bell.set()

    async def close(self) -> None:
        for member in list(self._members.values()):
            await member.close()
        for task in list(self._moving):
            task.cancel()
        await asyncio.gather(*self._moving, return_exceptions=True)

    async def _move(self, member: MemoryReader, partitions: frozenset[int]) -> None:
        try:
            await member.lose(partitions)
        finally:
            for partition in partitions:
                if self.owners[partition] == member.name:
                    self.owners[partition] = None
            self.settle()


class MemoryReader:
    """A member of a group in memory."""

    def __init__(self, group: _Group, name: str, on_revoke: OnRevoke | None) -> None:
        self.name = name
        self.bell = asyncio.Event()
        self.leaving: set[int] = set()
        self._group = group
        self._on_revoke = on_revoke
        self._next: dict[int, int] = {}
        self._paused: set[int] = set()

    @property
    def partitions(self) -> frozenset[int]:
        """As `Reader.partitions`."""
        return frozenset(self._next)

    @property
    def in_touch(self) -> bool:
        """As `Reader.in_touch`: nothing can come between."""
        return True

    async def take(self, limit: int, wait: float) -> Sequence[Record]:
        """As `Reader.take`."""
        loop = asyncio.get_running_loop()
        until = loop.time() + wait
        while True:
            self.bell.clear()
            taken = self._take(limit)
            if taken:
                return taken
            try:
                async with asyncio.timeout_at(until):
                    await self.bell.wait()
            except TimeoutError:
                return taken

    def pause(self, partitions: Collection[int]) -> None:
        """As `Reader.pause`."""
        self._paused.update(partitions)

    def resume(self, partitions: Collection[int]) -> None:
        """As `Reader.resume`."""
        self._paused.difference_update(partitions)
        self.bell.set()

    async def commit(self, places: Mapping[int, int], notes: Mapping[int, str] = NO_NOTES) -> None:
        """As `Reader.commit`."""
        check_notes(notes)
        for partition, offset in places.items():
            if self._group.owners.get(partition) == self.name:
                self._group.committed[partition] = Committed(offset, notes.get(partition, ""))

    async def committed(self, partitions: Collection[int]) -> Mapping[int, Committed]:
        """As `Reader.committed`."""
        return {partition: self._group.last(partition) for partition in partitions}

    async def close(self) -> None:
        """As `Reader.close`."""
        await self._group.leave(self)
        self._next.clear()

    def gain(self, partition: int, offset: int) -> None:
        """Read this partition from `offset` on."""
        self._next[partition] = offset

    async def lose(self, partitions: frozenset[int]) -> None:
        """Give no more of these partitions, let the holder commit them, and forget them."""
        self.leaving |= partitions
        try:
            if self._on_revoke is not None:
                await self._on_revoke(partitions)
        finally:
            self.leaving -= partitions
            self._paused -= partitions
            for partition in partitions:
                self._next.pop(partition, None)

    def _take(self, limit: int) -> list[Record]:
        taken: list[Record] = []
        for partition in self._next.keys() - self._paused - self.leaving:
            offset = self._next[partition]
            some = self._group.records[partition][offset : offset + limit - len(taken)]
            self._next[partition] = offset + len(some)
            taken += some
        return taken
