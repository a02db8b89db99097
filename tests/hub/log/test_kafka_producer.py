"""Appending to Kafka: outages, bounds, refusals, and places that are the right ones."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from contextlib import suppress
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from hub.log import DELIVERIES, EVENTS, Entry, LogMisconfigured, LogUnavailable, Place
from hub.log.kafka import KafkaLog
from hub.log.kafka_producer import WAITING_BYTES
from tests.hub.log.kafka_scenes import (
    SOON,
    appending,
    is_ready,
    opened,
    restart,
    settings_at,
    works_again,
)
from tests.hub.log.scenes import by_key, numbered, read_all, until
from tests.kafka.broker import Broker

pytestmark = pytest.mark.kafka


async def test_an_outage_loses_no_append_that_returned(own_broker: Broker) -> None:
    """Kafka dies and comes back: appends meanwhile raise in time, the log recovers by itself, and
    what returned is there once and in order.
    """
    log = await opened(settings_at(own_broker.bootstrap, append_timeout=1.0))
    async with appending(log, *(f"{n}" for n in range(12))) as appenders:
        await until(lambda: all(len(appender.returned) > 20 for appender in appenders))
        own_broker.kill()
        await until(lambda: all(appender.raised for appender in appenders))
        await restart(own_broker)
        counts = [len(appender.returned) for appender in appenders]
        await until(
            lambda: all(len(a.returned) > n + 20 for a, n in zip(appenders, counts, strict=True))
        )
    found = by_key(await read_all(log, EVENTS))
    await log.close()

    assert max(appender.slowest for appender in appenders) < SOON
    for appender in appenders:
        values = found[appender.key]
        assert values == sorted(set(values))
        assert set(appender.returned) <= set(values)
        assert set(values) <= {*appender.returned, *appender.raised}


async def test_a_frozen_kafka_is_told_in_time(own_broker: Broker) -> None:
    """Kafka holds its connections and answers nothing: appends and `ready` raise in time; when it
    answers again, the log works again.
    """
    log = await opened(settings_at(own_broker.bootstrap, append_timeout=1.0))
    await log.append(EVENTS, numbered("a", range(1)))
    own_broker.freeze()

    began = time.monotonic()
    for _ in range(3):
        with pytest.raises(LogUnavailable):
            await log.append(EVENTS, numbered("a", range(1, 2)))
    with pytest.raises(LogUnavailable):
        await log.ready()
    took = time.monotonic() - began
    own_broker.thaw()
    await works_again(log, "b")
    await until(lambda: is_ready(log))
    await log.close()

    assert took < 3 * 1.0 + SOON


async def test_what_waits_is_bounded(own_broker: Broker) -> None:
    """While Kafka does not answer, appends beyond the bound of bytes raise at once."""
    log = await opened(settings_at(own_broker.bootstrap))
    own_broker.freeze()
    large = Entry(b"a", b"v" * 1_000_000)
    waiting = [
        asyncio.create_task(log.append(EVENTS, [large])) for _ in range(WAITING_BYTES // 1_000_000)
    ]
    await asyncio.sleep(0)

    with pytest.raises(LogUnavailable, match="wait for Kafka already"):
        await log.append(EVENTS, [large])
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    own_broker.thaw()
    places = await log.append(EVENTS, numbered("b", range(1)))
    await log.close()

    assert 1 == len(places)


async def test_a_refused_batch_does_not_bar_the_next(kafka_log: KafkaLog, admin: Any) -> None:
    """When a topic's limit was lowered, larger appends say so, and smaller ones go through."""
    name = f"{kafka_log._settings.topic_prefix}{EVENTS}"
    configs = {"max.message.bytes": "2000"}
    await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, configs)])

    async def refused() -> bool:
        try:
            await kafka_log.append(EVENTS, [Entry(b"large", b"v" * 10_000)])
        except LogMisconfigured as error:
            return "MessageSizeTooLarge" in str(error)
        return False

    await until(refused)  # the broker takes the setting over a little later
    await kafka_log.append(EVENTS, numbered("large", range(1)))
    again = await refused()
    place, *_ = await kafka_log.append(EVENTS, numbered("large", range(1, 2)))
    (record,) = await kafka_log.read(EVENTS, place.partition, place.offset, 1)

    assert again
    assert b"1" == record.value


async def test_a_topic_that_is_gone_is_told_in_time(kafka_broker: str, admin: Any) -> None:
    """A topic is deleted: appends to it raise in time, those to others come through, and when it is
    there again the log works again.
    """
    settings = settings_at(kafka_broker, append_timeout=1.0)
    name = f"{settings.topic_prefix}{EVENTS}"
    log = await opened(settings)

    async def tells() -> bool:
        with suppress(LogUnavailable):
            return bool(await log.append(DELIVERIES, numbered("page", range(1))))
        return False

    async with appending(log, *(f"{n}" for n in range(8))) as appenders:
        await until(lambda: all(appender.returned for appender in appenders))
        await admin.delete_topics([name])
        await until(lambda: all(len(appender.raised) > 1 for appender in appenders))
        await until(tells)
        await admin.create_topics([NewTopic(name, settings.partitions, 1)])
        counts = [len(appender.returned) for appender in appenders]
        await until(
            lambda: all(len(a.returned) > n for a, n in zip(appenders, counts, strict=True))
        )
    await log.close()

    assert max(appender.slowest for appender in appenders) < SOON


async def test_other_producers_agree_on_partitions(kafka_log: KafkaLog, kafka_broker: str) -> None:
    """A key that another producer writes, with Kafka's default partitioner, has our partition."""
    keys = [b"source:user-%d" % n for n in range(100)]
    name = f"{kafka_log._settings.topic_prefix}{EVENTS}"

    places = await kafka_log.append(EVENTS, [Entry(key, b"") for key in keys])
    async with AIOKafkaProducer(bootstrap_servers=kafka_broker) as producer:
        theirs = [await producer.send_and_wait(name, b"", key) for key in keys]

    assert [metadata.partition for metadata in theirs] == [place.partition for place in places]


async def test_many_calls_at_once_are_each_answered_with_their_places(kafka_log: KafkaLog) -> None:
    """Calls over several partitions, together more than a batch holds, each get their places."""
    calls = [
        [Entry(b"%d" % (n % 9), b"%d.%d" % (call, n) + b"." * 3_000) for n in range(60)]
        for call in range(40)
    ]

    answers = await asyncio.gather(*(kafka_log.append(EVENTS, entries) for entries in calls))
    found = {
        Place(record.partition, record.offset): record.value
        for record in await read_all(kafka_log, EVENTS)
    }

    assert [[entry.value for entry in entries] for entries in calls] == [
        [found[place] for place in places] for places in answers
    ]


@pytest.mark.parametrize("compression", ["none", "gzip", "lz4", "zstd", "snappy"])
async def test_what_is_compressed_is_read_as_it_was(kafka_broker: str, compression: str) -> None:
    """With each compression that can be set, entries come back whole."""
    log = await KafkaLog.open(settings_at(kafka_broker, compression=compression))
    entries = [Entry(b"a", b"%d" % n + b"." * 1_000, (("h", b"v"),)) for n in range(100)]
    await log.append(EVENTS, entries)
    records = await read_all(log, EVENTS)
    await log.close()

    assert entries == [Entry(record.key, record.value, record.headers) for record in records]


async def test_a_compression_without_its_library_is_named(kafka_broker: str) -> None:
    """Where the library of a compression is not installed, the log says what to install."""
    settings = settings_at(kafka_broker, compression="zstd")
    opening = (
        "import asyncio, sys; sys.modules['cramjam'] = None;"  # as if it were not installed
        "from hub.log.kafka import KafkaLog; from hub.log.settings import KafkaLog as Settings;"
        "asyncio.run(KafkaLog.open(Settings.model_validate_json(sys.argv[1])))"
    )
    told = settings.model_dump_json(exclude_none=True)

    ended = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", opening, told],
        capture_output=True,
        text=True,
        check=False,
    )

    assert "LogMisconfigured: compression zstd" in ended.stderr
    assert "install aiokafka[zstd]" in ended.stderr
