"""The promises of the log on Kafka alone: outages, topics, rights, groups."""

from __future__ import annotations

import asyncio
import time
import tracemalloc
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from hub.log import EVENTS, STREAMS, Entry, LogMisconfigured, LogUnavailable, Place
from hub.log.kafka import KafkaLog
from hub.log.kafka_producer import WAITING_BYTES
from hub.log.kafka_topics import topic_settings
from hub.log.settings import KafkaLog as KafkaSettings
from tests.hub.log.scenes import (
    PATIENCE,
    after,
    by_key,
    key_of_partition,
    numbered,
    read_all,
    settled,
    take_all,
    take_until,
    until,
)
from tests.kafka.broker import Broker

pytestmark = pytest.mark.kafka

PARTITIONS = 4

# Ingest answers within 5 s, so an append that cannot be done must say so before.
SOON = 5.0


def settings_at(bootstrap: str, **changes: Any) -> KafkaSettings:
    """Settings of a log of its own."""
    return KafkaSettings(
        **{
            "bootstrap_servers": bootstrap,
            "topic_prefix": f"t{uuid.uuid4().hex[:12]}.",
            "partitions": PARTITIONS,
            "append_timeout": 1.0,
            **changes,
        }
    )


@pytest.fixture
async def log(kafka_broker: str) -> AsyncIterator[KafkaLog]:
    log = await KafkaLog.open(settings_at(kafka_broker, append_timeout=4.0))
    yield log
    await log.close()


@pytest.fixture
async def admin(kafka_broker: str) -> AsyncIterator[Any]:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_broker)
    await admin.start()
    yield admin
    await admin.close()


class Appender:
    """Appends counting values of one key, each once, and keeps what returned and what raised."""

    def __init__(self, log: KafkaLog, key: str) -> None:
        self._log = log
        self.key = key.encode()
        self.returned: list[int] = []
        self.raised: list[int] = []
        self.slowest = 0.0

    async def run(self, done: asyncio.Event) -> None:
        number = 0
        while not done.is_set():
            began = time.monotonic()
            try:
                await self._log.append(EVENTS, [Entry(self.key, b"%d" % number)])
                self.returned.append(number)
            except LogUnavailable:
                self.raised.append(number)
            self.slowest = max(self.slowest, time.monotonic() - began)
            number += 1


async def test_an_outage_loses_no_append_that_returned(own_broker: Broker) -> None:
    """Kafka dies and comes back: appends meanwhile raise in time, the log recovers by itself, and
    what returned is there once and in order.
    """
    log = await KafkaLog.open(settings_at(own_broker.bootstrap))
    appenders = [Appender(log, f"{n}") for n in range(12)]
    done = asyncio.Event()
    tasks = [asyncio.create_task(appender.run(done)) for appender in appenders]

    await until(lambda: all(len(appender.returned) > 20 for appender in appenders))
    own_broker.kill()
    await until(lambda: all(appender.raised for appender in appenders))
    await asyncio.to_thread(own_broker.restart)
    counts = [len(appender.returned) for appender in appenders]
    await until(
        lambda: all(len(a.returned) > n + 20 for a, n in zip(appenders, counts, strict=True))
    )
    done.set()
    await asyncio.gather(*tasks)
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
    log = await KafkaLog.open(settings_at(own_broker.bootstrap))
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
    appender = Appender(log, "b")
    done = asyncio.Event()
    task = asyncio.create_task(appender.run(done))
    await until(lambda: bool(appender.returned))
    done.set()
    await task
    await log.ready()
    await log.close()

    assert took < 3 * 1.0 + SOON


async def test_what_waits_is_bounded(own_broker: Broker) -> None:
    """While Kafka does not answer, appends beyond the bound of bytes raise at once."""
    log = await KafkaLog.open(settings_at(own_broker.bootstrap, append_timeout=4.0))
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


async def test_closing_does_not_wait_for_kafka(own_broker: Broker) -> None:
    """`close`, of the log and of a reader, ends in bounded time while Kafka is away."""
    log = await KafkaLog.open(settings_at(own_broker.bootstrap))
    reader = await log.open_reader(EVENTS, "g")
    await settled(reader, partitions=PARTITIONS)
    own_broker.kill()
    with pytest.raises(LogUnavailable):
        await log.append(EVENTS, numbered("a", range(1)))

    async with asyncio.timeout(PATIENCE):
        await reader.close()
        await log.close()

    with pytest.raises(LogUnavailable):
        await log.append(EVENTS, numbered("a", range(1)))


async def test_a_reader_outlives_an_outage(own_broker: Broker) -> None:
    """A reader goes on, from the committed place or later, when Kafka has come back."""
    log = await KafkaLog.open(settings_at(own_broker.bootstrap))
    reader = await log.open_reader(EVENTS, "g")
    await log.append(EVENTS, numbered("a", range(5)))
    await reader.commit(after(await take_all(reader, 5)))

    own_broker.kill()
    during = await reader.take(10, 0.1)
    await asyncio.to_thread(own_broker.restart)
    appender = Appender(log, "b")
    done = asyncio.Event()
    task = asyncio.create_task(appender.run(done))
    await until(lambda: bool(appender.returned))
    done.set()
    await task
    taken = await take_until(
        [reader],
        lambda taken: set(appender.returned) <= {int(record.value) for record in taken[0]},
    )
    await reader.close()
    await log.close()

    assert [] == list(during)
    assert {b"b"} == {record.key for record in taken[0]}


async def test_a_refused_batch_does_not_bar_the_next(log: KafkaLog, admin: Any) -> None:
    """When a topic's limit was lowered, larger appends say so, and smaller ones go through."""
    name = f"{log._settings.topic_prefix}{EVENTS}"
    configs = {"max.message.bytes": "2000"}
    await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, configs)])

    async def refused() -> bool:
        try:
            await log.append(EVENTS, [Entry(b"large", b"v" * 10_000)])
        except LogMisconfigured as error:
            return "MessageSizeTooLarge" in str(error)
        return False

    await until(refused)  # the broker takes the setting over a little later
    await log.append(EVENTS, numbered("large", range(1)))
    again = await refused()
    place, *_ = await log.append(EVENTS, numbered("large", range(1, 2)))
    (record,) = await log.read(EVENTS, place.partition, place.offset, 1)

    assert again
    assert b"1" == record.value


async def test_other_producers_agree_on_partitions(log: KafkaLog, kafka_broker: str) -> None:
    """A key that another producer writes, with Kafka's default partitioner, has our partition."""
    keys = [b"source:user-%d" % n for n in range(100)]
    name = f"{log._settings.topic_prefix}{EVENTS}"

    places = await log.append(EVENTS, [Entry(key, b"") for key in keys])
    async with AIOKafkaProducer(bootstrap_servers=kafka_broker) as producer:
        theirs = [await producer.send_and_wait(name, b"", key) for key in keys]

    assert [metadata.partition for metadata in theirs] == [place.partition for place in places]


async def test_many_calls_at_once_are_each_answered_with_their_places(log: KafkaLog) -> None:
    """Calls over several partitions, together more than a batch holds, each get their places."""
    calls = [
        [Entry(b"%d" % (n % 9), b"%d.%d" % (call, n) + b"." * 3_000) for n in range(60)]
        for call in range(40)
    ]

    answers = await asyncio.gather(*(log.append(EVENTS, entries) for entries in calls))
    found = {
        Place(record.partition, record.offset): record.value
        for record in await read_all(log, EVENTS)
    }

    assert [[entry.value for entry in entries] for entries in calls] == [
        [found[place] for place in places] for places in answers
    ]


async def test_topics_are_created_as_set(kafka_broker: str, admin: Any) -> None:
    """Every stream's topic has the partitions, retention and copies that are set."""
    settings = settings_at(
        kafka_broker, partitions=3, retention_seconds=3_600, retention_bytes=10_000_000
    )
    log = await KafkaLog.open(settings)
    await log.close()
    wanted = topic_settings(settings)
    names = [settings.topic_prefix + stream for stream in STREAMS]

    topics = await admin.describe_topics(names)
    responses = await admin.describe_configs(
        [ConfigResource(ConfigResourceType.TOPIC, name, wanted) for name in names]
    )
    configs = {
        name: {config[0]: config[1] for config in values}
        for response in responses
        for _, _, _, name, values in response.resources
    }

    assert "3600000" == wanted["retention.ms"]
    assert dict.fromkeys(names, wanted) == configs
    assert dict.fromkeys(names, 3) == {t["topic"]: len(t["partitions"]) for t in topics}


async def test_a_missing_topic_is_named_with_its_remedy(kafka_broker: str) -> None:
    """Without `create_topics`, every missing topic is named with the command that creates it."""
    settings = settings_at(kafka_broker, create_topics=False)

    with pytest.raises(LogMisconfigured) as caught:
        await KafkaLog.open(settings)

    lines = str(caught.value).splitlines()
    assert len(STREAMS) == len(lines)
    for stream, line in zip(STREAMS, lines, strict=True):
        name = settings.topic_prefix + stream
        assert line.startswith(f"topic {name} is missing: kafka-topics.sh ")
        assert f"--create --topic {name} --partitions 4 --replication-factor 1 " in line
        assert "--config min.insync.replicas=1" in line


async def test_too_few_copies_in_sync_are_told(kafka_broker: str) -> None:
    """A topic that confirms with fewer copies than set is named with the command that mends it."""
    settings = settings_at(kafka_broker)
    await (await KafkaLog.open(settings)).close()

    with pytest.raises(LogMisconfigured) as caught:
        await KafkaLog.open(settings.model_copy(update={"min_insync_replicas": 2}))

    assert len(STREAMS) == str(caught.value).count("kafka-configs.sh")
    assert "--add-config min.insync.replicas=2" in str(caught.value)


async def test_a_topic_that_is_there_keeps_its_partitions(kafka_broker: str, admin: Any) -> None:
    """The topic's own count of partitions wins over the one that is set."""
    settings = settings_at(kafka_broker)
    await admin.create_topics([NewTopic(settings.topic_prefix + EVENTS, 7, 1)])
    log = await KafkaLog.open(settings)

    places = await log.append(EVENTS, [Entry(key_of_partition(6, 7), b"")])
    await log.close()

    assert [Place(6, 0)] == places


@pytest.mark.parametrize(
    ("changes", "error", "says"),
    [
        ({"bootstrap_servers": "127.0.0.1:1"}, LogUnavailable, "127.0.0.1:1"),
        ({"bootstrap_servers": "127.0.0.1:port"}, LogMisconfigured, "127.0.0.1:port"),
        ({"replication_factor": 3}, LogMisconfigured, "creating topic"),
        ({"security_protocol": "SASL_PLAINTEXT"}, LogMisconfigured, "sasl_password"),
        ({"security_protocol": "SSL", "ssl_cafile": "nowhere.pem"}, LogMisconfigured, "nowhere"),
        ({"compression": "zstd"}, LogMisconfigured, "zstd"),
    ],
)
async def test_opening_tells_what_is_wrong(
    kafka_broker: str, changes: dict[str, Any], error: type[Exception], says: str
) -> None:
    """A log that cannot be opened says whether to wait or to mend, and what."""
    with pytest.raises(error, match=says):
        await KafkaLog.open(settings_at(kafka_broker, **changes))


async def test_a_pause_outlives_a_rebalance(log: KafkaLog) -> None:
    """Partitions that are still ours after a rebalance are still paused; the others are read."""
    keys = [key_of_partition(partition, PARTITIONS) for partition in range(PARTITIONS)]
    one = await log.open_reader(EVENTS, "g")
    await settled(one, partitions=PARTITIONS)
    one.pause(range(PARTITIONS))
    two = await log.open_reader(EVENTS, "g")
    await settled(one, two, partitions=PARTITIONS)
    kept, moved = one.partitions, two.partitions
    await log.append(EVENTS, [Entry(key, b"0") for key in keys])

    taken = await take_until([one, two], lambda taken: len(taken[1]) >= len(moved))
    one.resume(kept)
    resumed = await take_until([one, two], lambda taken: len(taken[0]) >= len(kept))
    await one.close()
    await two.close()

    assert [] == taken[0]
    assert moved == {record.partition for record in taken[1]}
    assert kept == {record.partition for record in resumed[0]}


async def test_a_backlog_is_read_in_bounded_memory(log: KafkaLog) -> None:
    """A reader that is far behind holds a few megabytes, however much waits."""
    count, size = 8_000, 8_000
    for _ in range(count // 200):
        await log.append(EVENTS, [Entry(b"%d" % n, b"v" * size) for n in range(200)])
    reader = await log.open_reader(EVENTS, "g")

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
