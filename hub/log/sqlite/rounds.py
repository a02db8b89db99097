"""Looks at the file for all members of a process: what they ask for meanwhile is the next round.

So ten destinations that wait for the same records cost one look, and decode each record once.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple, Protocol, TypeVar

import orjson

from hub.log import Record
from hub.log.sqlite.file import one
from hub.log.sqlite.members import Member
from hub.log.sqlite.records import Where, read
from hub.log.sqlite.shelf import Shelf

T = TypeVar("T")


class Asks(Protocol):
    """Answers from the file, off the event loop; raises LogUnavailable."""

    def __call__(self, question: Callable[[sqlite3.Connection], T], /) -> Awaitable[T]: ...


@dataclass(frozen=True, slots=True)
class Wish:
    """What a member asks for: up to `limit` records, of each partition from its place on."""

    member: Member
    places: Mapping[int, int]
    limit: int


@dataclass(frozen=True, slots=True)
class Found:
    """What a member owns now, and records of what it asked for and owns."""

    owned: frozenset[int]
    records: Mapping[int, Sequence[Record]]


class _Span(NamedTuple):
    """A partition's number in the file, its first offset, and its end."""

    id: int
    first: int
    end: int


class Rounds:
    """Of one stream, one round at a time. Belongs to one event loop.

    `shelf`: where to have at hand what others read, if several groups read the stream.
    """

    def __init__(self, ask: Asks, shelf: Shelf | None = None) -> None:
        self._ask = ask
        self._shelf = shelf
        self._waiting: list[tuple[Wish, asyncio.Future[Found]]] = []
        self._going: asyncio.Task[None] | None = None

    async def fetch(self, wish: Wish) -> Found:
        """What the file has for a member. Raises LogUnavailable."""
        answer: asyncio.Future[Found] = asyncio.get_running_loop().create_future()
        self._waiting.append((wish, answer))
        if self._going is None:
            self._going = asyncio.create_task(self._go())
        return await answer

    async def _go(self) -> None:
        while self._waiting:
            waiting, self._waiting = self._waiting, []
            wishes = [wish for wish, _ in waiting]
            try:
                found = await self._ask(partial(look, wishes=wishes, shelf=self._shelf))
            except Exception as error:
                for _, answer in waiting:
                    if not answer.done():
                        answer.set_exception(error)
                continue
            for (_, answer), what in zip(waiting, found, strict=True):
                if not answer.done():
                    answer.set_result(what)
        self._going = None


def look(db: sqlite3.Connection, wishes: Sequence[Wish], shelf: Shelf | None) -> list[Found]:
    """What the file, or the shelf, has for each wish."""
    members = [(wish.member.stream, wish.member.group, wish.member.name) for wish in wishes]
    told = one(
        db,
        "SELECT json_group_array(json_array(m.key, p.number, p.id, p.first, p.end))"
        " FROM json_each(?) AS m CROSS JOIN claims AS c ON c.stream = json_extract(m.value, '$[0]')"
        " AND c.grp = json_extract(m.value, '$[1]') AND c.owner = json_extract(m.value, '$[2]')"
        " CROSS JOIN partitions AS p ON p.stream = c.stream AND p.number = c.number",
        (orjson.dumps(members).decode(),),
    )
    owned: defaultdict[int, dict[int, _Span]] = defaultdict(dict)
    for number, partition, *span in orjson.loads(told):
        owned[number][partition] = _Span(*span)
    return [_found(db, wish, owned[number], shelf) for number, wish in enumerate(wishes)]


def _found(
    db: sqlite3.Connection, wish: Wish, owned: Mapping[int, _Span], shelf: Shelf | None
) -> Found:
    ready = []
    for partition, place in wish.places.items():
        if (span := owned.get(partition)) and (offset := max(place, span.first)) < span.end:
            ready.append((partition, offset, span))
    records: dict[int, Sequence[Record]] = {}
    left = wish.limit
    for rank, (partition, offset, span) in enumerate(ready):
        share = -(-left // (len(ready) - rank))
        where = wish.member.stream, partition, span.id
        if some := _records(db, where, offset, span.end, share, shelf):
            records[partition] = some
            left -= len(some)
    return Found(frozenset(owned), records)


def _records(
    db: sqlite3.Connection, where: Where, offset: int, end: int, limit: int, shelf: Shelf | None
) -> Sequence[Record]:
    """As `read`; what is on the shelf is not read again."""
    if shelf is None:
        return read(db, where, offset, end, limit)
    _, partition, _ = where
    records = shelf.find(partition, offset, limit)
    if fresh := read(db, where, offset + len(records), end, limit - len(records)):
        shelf.keep(partition, fresh)
        records += fresh
    return records
