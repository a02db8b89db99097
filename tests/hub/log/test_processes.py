"""The promises of a log that several processes share, and that outlives them."""

from __future__ import annotations

import asyncio
import json

from hub.log import EVENTS, Log
from hub.log.settings import KafkaLog, LogSettings
from tests.hub.log.child import child
from tests.hub.log.conftest import PARTITIONS
from tests.hub.log.scenes import (
    PATIENCE,
    by_key,
    key_of_partition,
    numbered,
    places_of,
    read_all,
    settled,
    take_until,
    until,
)

KEYS = [key_of_partition(partition, PARTITIONS) for partition in range(PARTITIONS)]


def soon_missed(settings: LogSettings) -> LogSettings:
    """The same log, whose members are missed soon after they were killed."""
    if isinstance(settings, KafkaLog):
        return settings.model_copy(update={"session_timeout": 2.0})
    return settings


async def test_what_append_returned_survives_a_kill(
    shared_settings: LogSettings, shared_log: Log
) -> None:
    """Every place that `append` returned holds its entry after SIGKILL amid appending."""
    async with asyncio.timeout(PATIENCE), child("append", shared_settings, "k") as appender:
        told = [await appender.told() for _ in range(400)]
        await appender.kill()
        told += await appender.told_all()

    records = {
        (r.partition, r.offset): (r.key, r.value) for r in await read_all(shared_log, EVENTS)
    }

    assert [(key.encode(), number.encode()) for key, number, _, _ in told] == [
        records.get((int(partition), int(offset))) for _, _, partition, offset in told
    ]


async def test_order_survives_a_kill(shared_settings: LogSettings, shared_log: Log) -> None:
    """After SIGKILL each key's entries stand in the order of the appends, none missing between."""
    async with asyncio.timeout(PATIENCE), child("append", shared_settings, "k") as appender:
        for _ in range(400):
            await appender.told()
        await appender.kill()

    found = by_key(await read_all(shared_log, EVENTS))

    assert {key: list(range(len(values))) for key, values in found.items()} == found


async def test_processes_append_side_by_side(shared_settings: LogSettings, shared_log: Log) -> None:
    """Two processes append at once: all that was told is there, dense, each key in order."""
    async with (
        asyncio.timeout(PATIENCE),
        child("append", shared_settings, "a") as one,
        child("append", shared_settings, "b") as two,
    ):
        for _ in range(200):
            assert await one.told()
            assert await two.told()
        await one.kill()
        await two.kill()

    records = await read_all(shared_log, EVENTS)
    found = by_key(records)

    assert {key: list(range(len(values))) for key, values in found.items()} == found
    assert {b"a0", b"a1", b"a2", b"a3", b"b0", b"b1", b"b2", b"b3"} == set(found)
    for partition in range(PARTITIONS):
        offsets = [record.offset for record in records if record.partition == partition]
        assert list(range(len(offsets))) == offsets


async def test_an_append_elsewhere_wakes_a_take(
    shared_settings: LogSettings, shared_log: Log
) -> None:
    """A `take` that waits is given what another process appends."""
    reader = await shared_log.open_reader(EVENTS, "g")
    await settled(reader, partitions=PARTITIONS)
    async with asyncio.timeout(PATIENCE):
        waiting = asyncio.create_task(reader.take(10, 10 * PATIENCE))
        async with child("append_one", shared_settings, "a"):
            taken = await waiting
    await reader.close()

    assert {b"a": [0]} == by_key(taken)


async def test_a_killed_reader_is_followed_from_its_commit(
    shared_settings: LogSettings, shared_log: Log
) -> None:
    """What a reader took and had not committed when it was killed is given to the next member."""
    await shared_log.append(EVENTS, numbered("a", range(30)))
    settings = soon_missed(shared_settings)
    async with asyncio.timeout(PATIENCE), child("read", settings, "g", "10") as reader:
        told: list[list[str]] = []
        while ["took"] * 30 != [words[0] for words in told if words[0] == "took"]:
            told.append(await reader.told())
        while "committed" not in [words[0] for words in told]:
            told.append(await reader.told())
        await reader.kill()
    ((_, committed),) = [words for words in told if words[0] == "committed"]
    (begin,) = json.loads(committed).values()

    follower = await shared_log.open_reader(EVENTS, "g")
    (taken,) = await take_until([follower], lambda taken: len(taken[0]) >= 30 - begin)
    await follower.close()

    assert {b"a": list(range(begin, 30))} == by_key(taken)


async def test_members_in_two_processes_share(
    shared_settings: LogSettings, shared_log: Log
) -> None:
    """Members in two processes hold half of the partitions each, and none both."""
    reader = await shared_log.open_reader(EVENTS, "g")
    half = PARTITIONS // 2
    theirs: list[str] = []

    async with asyncio.timeout(PATIENCE), child("hold", shared_settings, "g") as other:

        async def listen() -> None:
            while len(theirs) != half:
                theirs[:] = (await other.told())[1:]

        hearing = asyncio.create_task(listen())
        await take_until([reader], lambda _: hearing.done() and len(reader.partitions) == half)
        await hearing
        ours = reader.partitions
    await reader.close()

    assert set(range(PARTITIONS)) == ours | {int(number) for number in theirs}


async def test_a_killed_members_partitions_are_taken_over(
    shared_settings: LogSettings, shared_log: Log
) -> None:
    """When a process is killed, the other member is given its partitions, and goes on there."""
    reader = await shared_log.open_reader(EVENTS, "g")
    settings = soon_missed(shared_settings)
    async with asyncio.timeout(PATIENCE), child("hold", settings, "g") as other:
        await take_until([reader], lambda _: len(reader.partitions) == PARTITIONS // 2)
        await other.kill()
    for key in KEYS:
        await shared_log.append(EVENTS, numbered(key.decode(), range(3)))

    (taken,) = await take_until(
        [reader],
        lambda taken: len({(record.key, record.value) for record in taken[0]}) == 3 * PARTITIONS,
    )
    held = reader.partitions
    await reader.close()

    assert frozenset(range(PARTITIONS)) == held
    assert {key: [0, 1, 2] for key in KEYS} == by_key(taken)


async def test_a_commit_is_seen_by_every_process(
    shared_settings: LogSettings, shared_log: Log
) -> None:
    """`status` tells what a member in another process committed."""
    await shared_log.append(EVENTS, numbered("a", range(10)))
    async with asyncio.timeout(PATIENCE), child("read", shared_settings, "g", "5") as reader:
        words: list[str] = []
        while words[:1] != ["committed"]:
            words = await reader.told()
        committed = {int(partition): place for partition, place in json.loads(words[1]).items()}

        async def seen() -> bool:
            return await places_of(shared_log, EVENTS, "g") == committed

        await until(seen)

    assert [5] == list(committed.values())
