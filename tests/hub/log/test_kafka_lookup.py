"""Looking into topics without a group: from where records are kept, by time, and after outages."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import RecordsToDelete

from hub.log import EVENTS, Entry, LogMisconfigured, LogUnavailable, Span
from hub.log.kafka import KafkaLog
from hub.log.kafka_lookup import Lookup
from tests.hub.log.kafka_scenes import (
    PARTITIONS,
    SOON,
    is_ready,
    opened,
    restart,
    settings_at,
    works_again,
)
from tests.hub.log.scenes import (
    by_key,
    key_of_partition,
    numbered,
    places_of,
    read_all,
    settled,
    until,
)
from tests.kafka.broker import Broker

pytestmark = pytest.mark.kafka

KEY = key_of_partition(0, PARTITIONS)


async def span_of(log: KafkaLog) -> Span:
    """What partition 0 of the events holds."""
    return next(status for status in await log.status() if status.stream == EVENTS).spans[0]


async def test_what_was_deleted_is_passed_over(kafka_log: KafkaLog, admin: Any) -> None:
    """A read from before the first kept record begins there, and `status` tells where that is."""
    await kafka_log.append(EVENTS, numbered(KEY.decode(), range(10)))
    tp = TopicPartition(kafka_log._topics[EVENTS].name, 0)
    await admin.delete_records({tp: RecordsToDelete(before_offset=4)})
    records = await kafka_log.read(EVENTS, 0, 0, 3)
    span = await span_of(kafka_log)

    assert [4, 5, 6] == [record.offset for record in records]
    assert Span(0, 4, 10) == span


async def test_nothing_is_read_from_the_end(kafka_log: KafkaLog) -> None:
    """From the end, or none of them, nothing is read, and it is not waited for."""
    await kafka_log.append(EVENTS, numbered(KEY.decode(), range(3)))
    found = [
        await kafka_log.read(EVENTS, 0, 3, 10),
        await kafka_log.read(EVENTS, 0, 99, 10),
        await kafka_log.read(EVENTS, 0, 0, 0),
        await kafka_log.read(EVENTS, 1, 0, 10),
    ]

    assert [[]] * 4 == found


async def test_pages_follow_one_another(kafka_log: KafkaLog) -> None:
    """Page after page gives each record once, though others are read between."""
    keys = [key_of_partition(partition, PARTITIONS).decode() for partition in (0, 1)]
    for key in keys:
        await kafka_log.append(EVENTS, numbered(key, range(100)))
    pages: dict[int, list[int]] = {0: [], 1: []}
    for offset, partition in [(0, 0), (10, 0), (0, 1), (20, 0), (10, 1), (20, 1), (30, 1), (30, 0)]:
        records = await kafka_log.read(EVENTS, partition, offset, 10)
        pages[partition] += [record.offset for record in records]
    rest = [record.offset for record in await kafka_log.read(EVENTS, 0, 40, 1_000)]
    again = [record.offset for record in await kafka_log.read(EVENTS, 0, 0, 5)]

    assert {0: list(range(40)), 1: list(range(40))} == pages
    assert list(range(40, 100)) == rest
    assert list(range(5)) == again


async def test_a_partition_that_is_not_there_is_named(kafka_log: KafkaLog) -> None:
    """Who asks for a partition too high is told how many there are."""
    for asked in (
        kafka_log.read(EVENTS, PARTITIONS, 0, 1),
        kafka_log.offset_at(EVENTS, PARTITIONS, 0.0),
        kafka_log.read(EVENTS, -1, 0, 1),
    ):
        with pytest.raises(LogMisconfigured, match=f"has {PARTITIONS} partitions"):
            await asked


async def test_a_times_offset_is_exact_to_the_millisecond(kafka_log: KafkaLog) -> None:
    """A record's own time finds it or a neighbour of that time; a moment later finds the next."""
    places = [
        (await kafka_log.append(EVENTS, [Entry(KEY, b"%d" % number)]))[0] for number in range(5)
    ]
    records = await kafka_log.read(EVENTS, 0, 0, 5)
    found = [await kafka_log.offset_at(EVENTS, 0, record.at) for record in records]
    later = await kafka_log.offset_at(EVENTS, 0, records[-1].at + 0.001)

    assert list(range(5)) == [place.offset for place in places]
    assert [records[offset].at for offset in found] == [record.at for record in records]
    assert 5 == later


async def test_what_other_producers_leave_out_is_empty(
    kafka_log: KafkaLog, kafka_broker: str
) -> None:
    """A record without key or value, of another producer, has empty ones."""
    name = kafka_log._topics[EVENTS].name
    async with AIOKafkaProducer(bootstrap_servers=kafka_broker) as producer:
        await producer.send_and_wait(name, None, b"k", partition=0)
        await producer.send_and_wait(name, b"v", None, partition=0)
    records = await kafka_log.read(EVENTS, 0, 0, 2)

    assert [(b"k", b""), (b"", b"v")] == [(record.key, record.value) for record in records]


async def test_only_commits_make_a_group(kafka_log: KafkaLog) -> None:
    """`status` tells of each group the partitions it committed; all others count whole."""
    await kafka_log.append(EVENTS, numbered(KEY.decode(), range(7)))
    reader = await kafka_log.open_reader(EVENTS, "g")
    await settled(reader, partitions=PARTITIONS)
    before = await places_of(kafka_log, EVENTS, "g")
    await reader.commit({0: 5})
    await reader.close()
    (events,) = [status for status in await kafka_log.status() if status.stream == EVENTS]

    assert {} == before
    assert {"g": {0: 5}} == events.groups
    assert (2, 7) == (events.lag("g"), events.lag("other"))


async def test_too_few_copies_are_not_ready(kafka_log: KafkaLog) -> None:
    """`ready` is no longer so when fewer copies are in sync than an append needs."""
    topic, lookup = kafka_log._topics[EVENTS], kafka_log._lookup
    await lookup.ready(topic, 1)

    with pytest.raises(LogUnavailable, match="1 of 2 copies"):
        await lookup.ready(topic, 2)
    await lookup.ready(topic, 1)


async def test_a_lookup_recovers_from_an_outage(own_broker: Broker) -> None:
    """While Kafka is away, the log is not ready, and soon says so; afterwards every question is
    answered again.
    """
    log = await opened(settings_at(own_broker.bootstrap))
    await log.append(EVENTS, numbered("a", range(3)))
    before = by_key(await read_all(log, EVENTS))
    await log.ready()
    own_broker.kill()

    async with asyncio.timeout(SOON):
        with pytest.raises(LogUnavailable):
            await log.ready()
    await restart(own_broker)
    await works_again(log, "b")
    await until(lambda: is_ready(log))
    later = by_key(await read_all(log, EVENTS))
    await log.close()

    assert {b"a": [0, 1, 2]} == before
    assert [0, 1, 2] == later[b"a"]


async def test_closing_what_never_asked_is_nothing(kafka_broker: str) -> None:
    """A lookup makes its clients when it is asked something; unasked, closing connects nowhere."""
    lookup = Lookup("t.", {"bootstrap_servers": kafka_broker})

    await lookup.close()
    await lookup.close()
