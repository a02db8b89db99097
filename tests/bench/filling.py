"""A log filled without ingest: records that ingest once made, copied with new ids and users."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Self

from hub.log import EVENTS, Entry, Log, Record
from tests.bench.events import TEMPLATES, Events
from tests.bench.hub import Hub
from tests.bench.processes import asked

APPEND = 1_000
"""Entries of one append: large enough that a transaction's or a request's own cost is none."""

AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class Mould:
    """A record with places for another messageId and user, of whatever shape ingest gave it."""

    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...]

    @classmethod
    def of(cls, record: Record, user: bytes) -> Self:
        identity = dict(record.headers)["id"]

        def opened(text: bytes) -> bytes:
            text = text.replace(b"%", b"%%").replace(identity, b"%(id)b")
            return text.replace(user, b"%(user)b")

        headers = tuple((name, opened(value)) for name, value in record.headers)
        return cls(opened(record.key), opened(record.value), headers)

    def entry(self, identity: bytes, user: bytes) -> Entry:
        told = {b"id": identity, b"user": user}
        headers = tuple((name, value % told) for name, value in self.headers)
        return Entry(self.key % told, self.value % told, headers)


async def moulds(hub: Hub) -> list[Mould]:
    """One of each kind of event, as this hub's ingest keeps it; the hub has one partition."""
    _, user = Events(1).person()
    told = ("--users", 1, "--batch", TEMPLATES, "--count", TEMPLATES, "--connections", 1)
    async with hub.ingest() as ingest:
        await asked("tests.bench.load", ingest.url, hub.key, *told)
    async with hub.log() as log:
        records = await log.read(EVENTS, 0, 0, TEMPLATES)
    return [Mould.of(record, user) for record in records]


async def fill(log: Log, kinds: Sequence[Mould], count: int, users: int) -> None:
    """Have `count` events in the log more than before, of so many users."""
    people = Events(users)
    entries = islice((mould.entry(*people.person()) for mould in cycle(kinds)), count)
    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(_append(log, entries))


async def _append(log: Log, entries: Iterator[Entry]) -> None:
    while part := list(islice(entries, APPEND)):
        await log.append(EVENTS, part)
