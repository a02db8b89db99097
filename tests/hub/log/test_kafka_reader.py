"""Reading from Kafka as a member of a group: outages, pauses, memory."""

from __future__ import annotations

import asyncio
import tracemalloc

import pytest

from hub.log import EVENTS, Entry
from hub.log.kafka import KafkaLog
from tests.hub.log.kafka_scenes import PARTITIONS, opened, restart, settings_at, works_again
from tests.hub.log.scenes import (
    PATIENCE,
    after,
    key_of_partition,
    numbered,
    settled,
    take_all,
    take_until,
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
