"""The topics of the streams: made as set, or named with what mends them."""

from __future__ import annotations

from typing import Any

import pytest
from aiokafka.admin import NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from hub.log import (
    DELIVERIES,
    EVENTS,
    PARKED,
    STREAMS,
    TOKENS,
    Entry,
    LogMisconfigured,
    LogUnavailable,
    Place,
)
from hub.log.kafka import KafkaLog
from hub.log.kafka_topics import partitions_in_sync, topic_settings
from tests.hub.log.kafka_scenes import settings_at
from tests.hub.log.scenes import key_of_partition, until

pytestmark = pytest.mark.kafka


async def create(admin: Any, *topics: NewTopic) -> None:
    """Create topics; they are there for everybody when this returns."""
    await admin.create_topics(list(topics))

    async def led() -> bool:
        found = await admin.describe_topics([topic.name for topic in topics])
        return all(
            topic["partitions"] and all(p["leader"] != -1 for p in topic["partitions"])
            for topic in found
        )

    await until(led)


async def test_topics_are_created_as_set(kafka_broker: str, admin: Any) -> None:
    """Every stream's topic has the partitions, retention and copies that are set."""
    settings = settings_at(
        kafka_broker, partitions=3, retention_seconds=3_600, retention_bytes=10_000_000
    )
    log = await KafkaLog.open(settings)
    await log.close()
    wanted = {
        settings.topic_prefix + stream: topic_settings(settings, stream) for stream in STREAMS
    }

    topics = await admin.describe_topics(list(wanted))
    responses = await admin.describe_configs(
        [ConfigResource(ConfigResourceType.TOPIC, name, each) for name, each in wanted.items()]
    )
    configs = {
        name: {config[0]: config[1] for config in values}
        for response in responses
        for _, _, _, name, values in response.resources
    }

    assert "3600000" == wanted[settings.topic_prefix + EVENTS]["retention.ms"]
    assert wanted == configs
    assert dict.fromkeys(wanted, 3) == {t["topic"]: len(t["partitions"]) for t in topics}


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
    await create(admin, NewTopic(settings.topic_prefix + EVENTS, 7, 1))
    log = await KafkaLog.open(settings)

    places = await log.append(EVENTS, [Entry(key_of_partition(6, 7), b"")])
    await log.close()

    assert [Place(6, 0)] == list(places)


async def test_topics_that_belong_together_are_created_alike(kafka_broker: str, admin: Any) -> None:
    """What is parked and delivered of an events partition has a partition of the same number."""
    settings = settings_at(kafka_broker)
    await create(admin, NewTopic(settings.topic_prefix + EVENTS, 7, 1))
    log = await KafkaLog.open(settings)
    counts = {status.stream: len(status.spans) for status in await log.status()}
    await log.close()

    assert dict.fromkeys((EVENTS, PARKED, DELIVERIES), 7) | dict.fromkeys(
        (stream for stream in STREAMS if stream not in (EVENTS, PARKED, DELIVERIES)), 4
    ) == dict(counts)


async def test_topics_that_differ_in_partitions_are_told(kafka_broker: str, admin: Any) -> None:
    """Topics with fewer partitions than those they must equal are named with what mends them."""
    settings = settings_at(kafka_broker)
    events, parked, deliveries = (
        settings.topic_prefix + stream for stream in (EVENTS, PARKED, DELIVERIES)
    )
    await create(admin, NewTopic(events, 6, 1), NewTopic(parked, 4, 1), NewTopic(deliveries, 6, 1))

    with pytest.raises(LogMisconfigured) as caught:
        await KafkaLog.open(settings)

    assert str(caught.value) == (
        f"topics must have equally many partitions ({events} 6, {parked} 4, {deliveries} 6): "
        f"kafka-topics.sh --bootstrap-server {kafka_broker} --alter --topic {parked} --partitions 6"
    )


@pytest.mark.parametrize(
    ("stream", "policy", "needed"), [(TOKENS, "delete", "compact"), (EVENTS, "compact", "delete")]
)
async def test_a_topic_that_would_lose_records_is_told(
    kafka_broker: str, admin: Any, stream: str, policy: str, needed: str
) -> None:
    """Tokens that would expire, and events of which a key's last would stay, are refused."""
    settings = settings_at(kafka_broker)
    name = settings.topic_prefix + stream
    await create(admin, NewTopic(name, 4, 1, topic_configs={"cleanup.policy": policy}))

    with pytest.raises(LogMisconfigured) as caught:
        await KafkaLog.open(settings)

    assert f"topic {name} has cleanup.policy={policy}" in str(caught.value)
    assert f"--entity-name {name} --add-config cleanup.policy={needed}" in str(caught.value)


async def test_copies_in_sync_are_counted(kafka_log: KafkaLog, admin: Any) -> None:
    """A topic is ready with the copies that an append needs; with fewer, or if it is not there,
    that is told.
    """
    name = kafka_log._topics[EVENTS].name

    await partitions_in_sync(admin, name, 1)
    with pytest.raises(LogUnavailable, match=f"{name} has 1 of 2 copies in sync"):
        await partitions_in_sync(admin, name, 2)
    with pytest.raises(LogUnavailable, match="not-there"):
        await partitions_in_sync(admin, "not-there", 1)


def test_what_is_kept_for_ever_is_said_in_kafkas_way() -> None:
    """No bound of bytes is -1, seconds are milliseconds, and the leader's clock gives the time."""
    settings = settings_at("nowhere:9092", retention_seconds=1.5)
    told = topic_settings(settings, EVENTS)

    assert ("-1", "1500") == (told["retention.bytes"], told["retention.ms"])
    assert "LogAppendTime" == told["message.timestamp.type"]
    assert "delete" == told["cleanup.policy"]
    assert "compact" == topic_settings(settings, TOKENS)["cleanup.policy"]
