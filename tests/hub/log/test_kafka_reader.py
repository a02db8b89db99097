"""Reading from Kafka as a member of a group: changes of the group, outages, memory."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import tracemalloc

import pytest

from hub.log import EVENTS, Committed, Entry, LogUnavailable, Reader
from hub.log import kafka_reader as reader_module
from hub.log.kafka import KafkaLog
from tests.hub.log.child import child
from tests.hub.log.kafka_scenes import PARTITIONS, opened, restart, settings_at, works_again
from tests.hub.log.scenes import (
    PATIENCE,
    after,
    by_key,
    key_of_partition,
    numbered,
    settled,
    take_all,
    take_until,
    until,
)
from tests.kafka.broker import Broker

pytestmark = pytest.mark.kafka


async def test_a_reader_outlives_an_outage(own_broker: Broker) -> None:
    """A reader goes on, from the committed place or later, when Kafka has come back."""
    log = await opened(settings_at(own_broker.bootstrap))
    reader = await log.open_reader(EVENTS, "g")
    await log.append(EVENTS, numbered("a", range(5)))
    await reader.commit(after(await take_all(reader, 5)))

    own_broker.kill()
    during = await reader.take(10, 0.1)
    await restart(own_broker)
    appender = await works_again(log, "b")
    taken = await take_until(
        [reader],
        lambda taken: set(appender.returned) <= {int(record.value) for record in taken[0]},
    )
    await reader.close()
    await log.close()

    assert [] == list(during)
    assert {b"b"} == {record.key for record in taken[0]}


async def test_a_pause_outlives_a_rebalance(kafka_log: KafkaLog) -> None:
    """Partitions that are still ours after a rebalance are still paused; the others are read."""
    keys = [key_of_partition(partition, PARTITIONS) for partition in range(PARTITIONS)]
    one = await kafka_log.open_reader(EVENTS, "g")
    await settled(one, partitions=PARTITIONS)
    one.pause(range(PARTITIONS))
    two = await kafka_log.open_reader(EVENTS, "g")
    await settled(one, two, partitions=PARTITIONS)
    kept, moved = one.partitions, two.partitions
    await kafka_log.append(EVENTS, [Entry(key, b"0") for key in keys])

    taken = await take_until([one, two], lambda taken: len(taken[1]) >= len(moved))
    one.resume(kept)
    resumed = await take_until([one, two], lambda taken: len(taken[0]) >= len(kept))
    await one.close()
    await two.close()

    assert [] == taken[0]
    assert moved == {record.partition for record in taken[1]}
    assert kept == {record.partition for record in resumed[0]}


async def test_only_what_must_moves(kafka_broker: str) -> None:
    """When a third member leaves, its partitions go to the others, which keep what they have; when
    it came, only it was given any.
    """
    log = await KafkaLog.open(settings_at(kafka_broker, partitions=6))
    revoked: list[frozenset[int]] = []

    async def on_revoke(partitions: frozenset[int]) -> None:
        revoked.append(partitions)

    one, two = [await log.open_reader(EVENTS, "g", on_revoke=on_revoke) for _ in range(2)]
    await take_until([one, two], lambda _: len(one.partitions) == len(two.partitions) == 3)
    revoked.clear()
    three = await log.open_reader(EVENTS, "g")
    await take_until([one, two, three], lambda _: len(three.partitions) == 2)
    left = [one.partitions, two.partitions]
    moved = three.partitions
    await three.close()
    await take_until([one, two], lambda _: len(one.partitions | two.partitions) == 6)
    kept = [one.partitions, two.partitions]
    await one.close()
    await two.close()
    await log.close()

    assert [2, 2] == [len(partitions) for partitions in left]
    assert moved == frozenset().union(*revoked)
    assert [True, True] == [before < now for before, now in zip(left, kept, strict=True)]


async def test_what_stays_goes_on_where_it_was(kafka_log: KafkaLog) -> None:
    """Of a partition that stays, nothing is given twice, though nothing was committed."""
    keys = [key_of_partition(partition, PARTITIONS) for partition in range(PARTITIONS)]
    one = await kafka_log.open_reader(EVENTS, "g")
    await kafka_log.append(EVENTS, [Entry(key, b"0") for key in keys])
    before = await take_all(one, PARTITIONS)
    two = await kafka_log.open_reader(EVENTS, "g")
    await settled(one, two, partitions=PARTITIONS)
    kept = one.partitions
    await kafka_log.append(EVENTS, [Entry(key, b"1") for key in keys])

    after_it, _ = await take_until([one, two], lambda taken: len(taken[0]) >= len(kept))
    await one.close()
    await two.close()

    found = by_key([record for record in before + after_it if record.partition in kept])
    assert {keys[partition]: [0, 1] for partition in kept} == found


async def test_a_stopped_process_is_followed(kafka_broker: str) -> None:
    """The partitions of a process that hangs are taken over after its session; when it wakes, it
    knows what it lost, commits nothing there, and the two share again.
    """
    settings = settings_at(kafka_broker, partitions=2, session_timeout=2.0)
    log = await KafkaLog.open(settings)
    free = asyncio.Event()
    free.set()

    async def on_revoke(_: frozenset[int]) -> None:
        await free.wait()

    reader = await log.open_reader(EVENTS, "g", on_revoke=on_revoke)
    async with asyncio.timeout(PATIENCE), child("hold", settings, "g") as other:
        await take_until([reader], lambda _: len(reader.partitions) == 1)
        while len(await other.told()) != 2:
            pass  # until it holds one
        other.signal(signal.SIGSTOP)
        await take_until([reader], lambda _: len(reader.partitions) == 2)
        await reader.commit({0: 7, 1: 7}, {0: "ours", 1: "ours"})
        free.clear()  # nothing is given back before it has tried to commit
        other.signal(signal.SIGUSR1)
        other.signal(signal.SIGCONT)
        while await other.told() != ["committed"]:
            pass
        committed = await reader.committed([0, 1])
        free.set()
        await take_until([reader], lambda _: len(reader.partitions) == 1)
    await reader.close()
    await log.close()

    assert dict.fromkeys([0, 1], Committed(7, "ours")) == dict(committed)


async def test_a_slow_on_revoke_is_left(
    kafka_log: KafkaLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Partitions move without their holder when it does not let go; the next `take` tells it."""
    monkeypatch.setattr(reader_module, "REVOKE", 0.01)

    async def on_revoke(_: frozenset[int]) -> None:
        await asyncio.Event().wait()

    one = await kafka_log.open_reader(EVENTS, "g", on_revoke=on_revoke)
    two = await kafka_log.open_reader(EVENTS, "g")
    await take_until([two], lambda _: len(two.partitions) == PARTITIONS // 2)
    with pytest.raises(TimeoutError):
        await one.take(1, 0.0)
    held = one.partitions
    await one.close()
    await two.close()

    assert PARTITIONS // 2 == len(held)


async def test_commits_outlast_changes_of_the_group(kafka_log: KafkaLog) -> None:
    """While members come and go, every commit of what stays is kept, and none raises."""
    one = await kafka_log.open_reader(EVENTS, "g")
    await settled(one, partitions=PARTITIONS)
    done = asyncio.Event()
    last = 0

    async def commit() -> None:
        nonlocal last
        while not done.is_set():
            last += 1
            await one.commit({0: last}, {0: f"note {last}"})

    committing = asyncio.create_task(commit())
    for _ in range(3):
        others: list[Reader] = [await kafka_log.open_reader(EVENTS, "g") for _ in range(2)]
        await settled(one, *others, partitions=PARTITIONS)
        for other in others:
            await other.close()
        await settled(one, partitions=PARTITIONS)
    done.set()
    await committing
    committed = await one.committed([0])
    await one.close()

    assert {0: Committed(last, f"note {last}")} == dict(committed)


async def test_a_backlog_is_read_in_bounded_memory(kafka_log: KafkaLog) -> None:
    """A reader that is far behind holds a few megabytes, however much waits."""
    count, size = 8_000, 8_000
    for _ in range(count // 200):
        await kafka_log.append(EVENTS, [Entry(b"%d" % n, b"v" * size) for n in range(200)])
    reader = await kafka_log.open_reader(EVENTS, "g")

    seen = 0
    tracemalloc.start()
    try:
        async with asyncio.timeout(PATIENCE):
            while seen < count:
                seen += len(await reader.take(100, 1.0))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    await reader.close()

    assert peak < count * size / 3


async def test_a_reader_knows_that_its_group_is_silent(own_broker: Broker) -> None:
    """What it read may be another's after a session without a sign: it says so until it hears."""
    log = await opened(settings_at(own_broker.bootstrap, session_timeout=3.0))
    reader = await log.open_reader(EVENTS, "g")
    await settled(reader, partitions=PARTITIONS)
    own_broker.freeze()
    await until(lambda: not reader.in_touch)
    own_broker.thaw()
    await until_back(reader)
    await reader.close()
    await log.close()


async def test_a_reader_joins_anew_after_a_long_silence(
    own_broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It does not wait for a client that waits for what never comes."""
    monkeypatch.setattr(reader_module, "REBALANCE", 0.0)
    log = await opened(settings_at(own_broker.bootstrap, session_timeout=3.0))
    reader = await log.open_reader(EVENTS, "g")
    await settled(reader, partitions=PARTITIONS)
    own_broker.freeze()
    with pytest.raises(LogUnavailable):
        await take_without_end(reader)
    own_broker.thaw()
    await until_back(reader)
    await log.append(EVENTS, numbered("a", range(3)))
    taken = await take_all(reader, 3)
    await reader.close()
    await log.close()

    assert {b"a": [0, 1, 2]} == by_key(taken)


async def until_back(reader: Reader) -> None:
    """Take until all partitions are held; the broker may not be there yet."""
    while len(reader.partitions) < PARTITIONS or not reader.in_touch:
        with contextlib.suppress(LogUnavailable):
            await reader.take(1, 0.1)


async def take_without_end(reader: Reader) -> None:
    while True:
        await reader.take(1, 0.1)
