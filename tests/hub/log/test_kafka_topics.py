"""The topics of the streams: made as set, or named with what mends them."""

from __future__ import annotations

from typing import Any

import pytest
from aiokafka.admin import NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from hub.log import EVENTS, STREAMS, Entry, LogMisconfigured, LogUnavailable, Place
from hub.log.kafka import KafkaLog
from hub.log.kafka_topics import partitions_in_sync, topic_settings
from tests.hub.log.kafka_scenes import settings_at
from tests.hub.log.scenes import key_of_partition

pytestmark = pytest.mark.kafka


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
    told = topic_settings(settings_at("nowhere:9092", retention_seconds=1.5))

    assert ("-1", "1500") == (told["retention.bytes"], told["retention.ms"])
    assert "LogAppendTime" == told["message.timestamp.type"]
    assert "delete" == told["cleanup.policy"]
