"""A member of a group, reading from the file."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Final, Protocol, TypeVar

from hub.log import NO_NOTES, Committed, LogUnavailable, OnRevoke, Record
from hub.log.size import check_notes
from hub.log.sqlite import members
from hub.log.sqlite.members import Member
from hub.log.sqlite.rounds import Found, Wish

# How long `on_revoke` may take before the partitions move without it, in seconds: a holder that
# hangs must not starve the new member.
_REVOKE_SECONDS: Final = 30.0

T = TypeVar("T")


class File(Protocol):
    """What a reader needs of its log."""

    def now(self) -> float:
        """Seconds since the epoch."""

    def name(self) -> str:
        """A name that no member ever had."""

    def ask(self, question: Callable[[sqlite3.Connection], T]) -> Awaitable[T]:
        """Answer from the file, off the event loop; raises LogUnavailable."""

    def fetch(self, wish: Wish) -> Awaitable[Found]:
        """What there is for a member; raises LogUnavailable."""

    def do(
        self, deed: Callable[[sqlite3.Connection], T], topics: Collection[str] = ()
    ) -> Awaitable[T]:
        """Write to the file; raises LogUnavailable."""

    def is_alive(self) -> bool:
        """Whether nobody can take this process's readers for dead yet."""

    def forget(self, reader: SqliteReader) -> None:
        """This reader is closed."""


class SqliteReader:
    """A member of a group. What it owns is asked of the file with every take."""

    def __init__(self, file: File, member: Member, on_revoke: OnRevoke | None) -> None:
        self._file = file
        self._member = member
        self._on_revoke = on_revoke
        self._next: dict[int, int] = {}
        self._leaving: set[int] = set()
        self._paused: set[int] = set()
        self._turn = 0
        self._bell = asyncio.Event()
        self._moved = asyncio.Event()
        self._fault: Exception | None = None
        self._closed = False
        self._following: asyncio.Task[None] | None = None

    @property
    def name(self) -> str:
        """The member's name now; it changes when the group had given the member up for dead."""
        return self._member.name

    @property
    def stream(self) -> str:
        """The stream that is read."""
        return self._member.stream

    @property
    def partitions(self) -> frozenset[int]:
        """As `Reader.partitions`."""
        return frozenset(self._next)

    @property
    def in_touch(self) -> bool:
        """As `Reader.in_touch`."""
        return self._file.is_alive()

    async def join(self) -> None:
        """Become a member, and follow what is given and taken."""
        await self._join()
        await self._follow_once()
        self._following = asyncio.create_task(self._follow())

    def ring(self) -> None:
        """There may be new records."""
        self._bell.set()

    def nudge(self) -> None:
        """Partitions may have moved."""
        self._moved.set()

    async def take(self, limit: int, wait: float) -> Sequence[Record]:
        """As `Reader.take`. Raises LogUnavailable, and what `on_revoke` raised."""
        loop = asyncio.get_running_loop()
        until = loop.time() + wait
        while True:
            if self._closed:
                raise LogUnavailable("the reader is closed")
            if self._fault is not None:
                fault, self._fault = self._fault, None
                raise fault
            self._bell.clear()
            taken = await self._take(limit)
            if taken or loop.time() >= until:
                return taken
            try:
                async with asyncio.timeout_at(until):
                    await self._bell.wait()
            except TimeoutError:
                return taken

    def pause(self, partitions: Collection[int]) -> None:
        """As `Reader.pause`."""
        self._paused.update(partitions)

    def resume(self, partitions: Collection[int]) -> None:
        """As `Reader.resume`."""
        self._paused.difference_update(partitions)
        self._bell.set()

    async def commit(self, places: Mapping[int, int], notes: Mapping[int, str] = NO_NOTES) -> None:
        """As `Reader.commit`."""
        check_notes(notes)
        if places:
            member, places, notes = self._member, dict(places), dict(notes)
            await self._file.do(lambda db: members.commit(db, member, places, notes))

    async def committed(self, partitions: Collection[int]) -> Mapping[int, Committed]:
        """As `Reader.committed`."""
        member, partitions = self._member, frozenset(partitions)
        return await self._file.ask(lambda db: members.committed(db, member, partitions))

    async def close(self) -> None:
        """As `Reader.close`. When the file cannot be written, the membership ends by its lease."""
        if self._closed:
            return
        self._closed = True
        self._bell.set()
        following = self._following
        if following is not None and following is not asyncio.current_task():
            following.cancel()
            await asyncio.wait([following])
        self._next.clear()
        self._file.forget(self)
        member = self._member
        await self._file.do(lambda db: members.leave(db, member), [topic_of(self.stream)])

    async def _take(self, limit: int) -> list[Record]:
        open_ones = self._next.keys() - self._paused - self._leaving
        if not open_ones:
            return []
        # Another begins each time, so that a deep partition does not starve its neighbours.
        self._turn += 1
        order = sorted(open_ones)
        order = order[self._turn % len(order) :] + order[: self._turn % len(order)]
        asked = {partition: self._next[partition] for partition in order}
        found = await self._file.fetch(Wish(self._member, asked, limit))
        if not found.owned >= asked.keys():
            self._moved.set()
        taken: list[Record] = []
        for partition, records in found.records.items():
            # While the file was asked, the partition may have begun to leave, or been paused.
            if self._next.get(partition) != asked[partition]:
                continue
            if partition in self._leaving or partition in self._paused:
                continue
            self._next[partition] = records[-1].offset + 1
            taken += records
        return taken

    async def _join(self) -> None:
        self._member = member = replace(self._member, name=self._file.name())
        now = self._file.now()
        await self._file.do(lambda db: members.join(db, member, now), [topic_of(self.stream)])

    async def _follow(self) -> None:
        while True:
            await self._moved.wait()
            self._moved.clear()
            try:
                await self._follow_once()
            except LogUnavailable:
                continue  # the next beat nudges again
            except Exception as error:
                self._fault = error
            self._bell.set()

    async def _follow_once(self) -> None:
        """Take up what was given to us, let go of what is wanted, forget what is lost."""
        member = self._member
        view = await self._file.ask(lambda db: members.view(db, member))
        owned = view or {}
        lost = self._next.keys() - owned.keys()
        wanted = {partition for partition, claim in owned.items() if claim.wanted}
        try:
            await self._let_go(frozenset(self._next.keys() & (lost | wanted)))
        finally:
            if view is None:
                await self._join()
                self._moved.set()
            elif wanted:
                topic = topic_of(self.stream)
                await self._file.do(lambda db: members.release(db, member, wanted), [topic])
        for partition in owned.keys() - wanted - self._next.keys():
            self._next[partition] = owned[partition].place

    async def _let_go(self, partitions: frozenset[int]) -> None:
        if not partitions:
            return
        self._leaving |= partitions
        try:
            if self._on_revoke is not None:
                async with asyncio.timeout(_REVOKE_SECONDS):
                    await self._on_revoke(partitions)
        finally:
            self._leaving -= partitions
            self._paused -= partitions
            for partition in partitions:
                del self._next[partition]


def topic_of(stream: str) -> str:
    """What the doorbell tells when partitions of a stream may have moved."""
    return f"@{stream}"
