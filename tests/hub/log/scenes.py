"""What the log's tests do again and again: make entries, read until something holds."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from hub.log import Entry, Log, Reader, Record
from hub.log.partition import partition_of

# A Kafka group may need a session timeout (10 s) and a rebalance until it has settled, and the
# machine may be busy; this bounds a test that would hang, and no test waits it out.
PATIENCE = 60.0


def numbered(key: str, numbers: range) -> list[Entry]:
    """Entries of one key whose values count."""
    return [Entry(key.encode(), b"%d" % number) for number in numbers]


def key_of_partition(partition: int, partitions: int) -> bytes:
    """A key that belongs to `partition`."""
    keys = (b"k%d" % number for number in range(100_000))
    return next(key for key in keys if partition_of(key, partitions) == partition)


def by_key(records: Sequence[Record]) -> dict[bytes, list[int]]:
    """The counting values of `numbered` entries for each key, as they came."""
    found: dict[bytes, list[int]] = {}
    for record in records:
        found.setdefault(record.key, []).append(int(record.value))
    return found


def after(records: Sequence[Record]) -> dict[int, int]:
    """The places to commit once all `records` are finished."""
    return {record.partition: record.offset + 1 for record in records}


async def until(holds: Callable[[], bool | Awaitable[bool]]) -> None:
    """Return when `holds`; a condition is asked for, never a time."""
    async with asyncio.timeout(PATIENCE):
        while True:
            answer = holds()
            if not isinstance(answer, bool):
                answer = await answer
            if answer:
                return
            await asyncio.sleep(0.005)


async def take_until(
    readers: Sequence[Reader], holds: Callable[[list[list[Record]]], bool]
) -> list[list[Record]]:
    """Take with each of `readers` at once until `holds` of what each was given."""
    taken: list[list[Record]] = [[] for _ in readers]
    done = asyncio.Event()

    async def take(reader: Reader, into: list[Record]) -> None:
        while not done.is_set():
            into.extend(await reader.take(100, 0.05))
            if holds(taken):
                done.set()

    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as tasks:
        for reader, into in zip(readers, taken, strict=True):
            tasks.create_task(take(reader, into))
    return taken


async def take_all(reader: Reader, count: int) -> list[Record]:
    """Take until `count` records came."""
    (taken,) = await take_until([reader], lambda taken: len(taken[0]) >= count)
    return taken


async def settled(*readers: Reader, partitions: int) -> list[list[Record]]:
    """Take until the readers hold all partitions, each some; returns what they were given."""
    return await take_until(
        readers,
        lambda _: (
            all(reader.partitions for reader in readers)
            and sum(len(reader.partitions) for reader in readers) == partitions
        ),
    )


async def read_all(log: Log, stream: str) -> list[Record]:
    """Every record of a stream, partition after partition, without a group."""
    (status,) = [status for status in await log.status() if status.stream == stream]
    records: list[Record] = []
    for span in status.spans:
        offset = span.first
        while offset < span.end:
            some = await log.read(stream, span.partition, offset, 1_000)
            records += some
            offset = some[-1].offset + 1
    return records


async def places_of(log: Log, stream: str, group: str) -> dict[int, int]:
    """What a group has committed."""
    (status,) = [status for status in await log.status() if status.stream == stream]
    return dict(status.groups.get(group, {}))
