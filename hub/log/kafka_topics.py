"""The topics of the streams: created as set, or checked to be what the log's promises need."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from aiokafka import errors
from aiokafka.admin import NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from hub.log import STREAMS, LogMisconfigured, LogUnavailable
from hub.log.kafka_client import translated
from hub.log.settings import KafkaLog
from hub.log.size import ENTRY_BYTES

# Seconds until a topic that was created must have leaders.
CREATION = 30.0


@dataclass(slots=True)
class Topic:
    """A stream's topic. Kafka's count of partitions wins over what is set, and may grow."""

    name: str
    partitions: int
    entry_bytes: int


def topic_settings(settings: KafkaLog) -> dict[str, str]:
    """What a topic is created with, under Kafka's names."""
    retention_bytes = -1 if settings.retention_bytes is None else settings.retention_bytes
    return {
        "cleanup.policy": "delete",
        "retention.ms": str(int(settings.retention_seconds * 1000)),
        "retention.bytes": str(retention_bytes),
        "min.insync.replicas": str(settings.min_insync_replicas),
        # Producers' clocks may differ; the leader's makes `at` the time of the append, and times
        # that do not fall along a partition are what makes `offset_at` mean anything.
        "message.timestamp.type": "LogAppendTime",
    }


async def open_topics(admin: Any, settings: KafkaLog) -> dict[str, Topic]:
    """The topics by stream, created first if missing and wanted. All faults are told at once."""
    names = {stream: settings.topic_prefix + stream for stream in STREAMS}
    found = await _found(admin, list(names.values()))
    missing = [name for name in names.values() if name not in found]
    if missing and not settings.create_topics:
        raise LogMisconfigured(_missing(missing, settings))
    if missing:
        await _create(admin, missing, settings)
        async with asyncio.timeout(CREATION):
            while missing:
                found = await _found(admin, list(names.values()))
                missing = [name for name in names.values() if name not in found]
                if missing:
                    await asyncio.sleep(0.05)  # Kafka cannot be asked to tell when
    limits = await _checked(admin, list(names.values()), settings)
    return {
        stream: Topic(name, found[name], min(ENTRY_BYTES, limits[name]))
        for stream, name in names.items()
    }


async def partitions_in_sync(admin: Any, name: str, needed: int) -> None:
    """Raise unless each partition of a topic has a leader and the copies that an append needs."""
    needs = f"Describe on topic {name}"
    with translated(f"asking after topic {name}", needs):
        (topic,) = await admin.describe_topics([name])
        if topic["error_code"]:
            raise errors.for_code(topic["error_code"])(name)
    for partition in topic["partitions"]:
        number, leader, in_sync = partition["partition"], partition["leader"], partition["isr"]
        if leader == -1:
            raise LogUnavailable(f"partition {number} of {name} has no leader")
        if len(in_sync) < needed:
            raise LogUnavailable(
                f"partition {number} of {name} has {len(in_sync)} of {needed} copies in sync"
            )


async def _found(admin: Any, names: list[str]) -> dict[str, int]:
    """How many partitions each topic has, of those that are there and led."""
    found: dict[str, int] = {}
    for topic in await admin.describe_topics(names):
        error = errors.for_code(topic["error_code"])
        if error is errors.TopicAuthorizationFailedError:
            with translated("finding topics", f"Describe on topic {topic['topic']}"):
                raise error(topic["topic"])
        led = all(partition["leader"] != -1 for partition in topic["partitions"])
        if error is errors.NoError and topic["partitions"] and led:
            found[topic["topic"]] = len(topic["partitions"])
    return found


async def _create(admin: Any, names: list[str], settings: KafkaLog) -> None:
    configs = topic_settings(settings)
    topics = [
        NewTopic(name, settings.partitions, settings.replication_factor, topic_configs=configs)
        for name in names
    ]
    response = await admin.create_topics(topics)
    for name, code, message, *_ in response.topic_errors:
        error = errors.for_code(code)
        if error is errors.InvalidReplicationFactorError and "fenced" in (message or ""):
            # Brokers are there and none takes part yet: a cluster that starts, not a wrong number.
            raise LogUnavailable(f"creating topic {name}: {message}")
        if error not in (errors.NoError, errors.TopicAlreadyExistsError):
            with translated(f"creating topic {name}", f"Create and Describe on topic {name}"):
                raise error(message or name)


async def _checked(admin: Any, names: list[str], settings: KafkaLog) -> dict[str, int]:
    """The largest batch that each topic takes, in bytes; all topics keep the log's promise."""
    wanted = dict.fromkeys(("min.insync.replicas", "max.message.bytes"))
    resources = [ConfigResource(ConfigResourceType.TOPIC, name, wanted) for name in names]
    limits: dict[str, int] = {}
    faults: list[str] = []
    for response in await admin.describe_configs(resources):
        for code, message, _, name, configs in response.resources:
            error = errors.for_code(code)
            if error is not errors.NoError:
                with translated(f"reading settings of {name}", f"DescribeConfigs on topic {name}"):
                    raise error(message or name)
            values = {config[0]: config[1] for config in configs}
            limits[name] = int(values["max.message.bytes"])
            if int(values["min.insync.replicas"]) < settings.min_insync_replicas:
                faults.append(
                    f"topic {name} has min.insync.replicas={values['min.insync.replicas']}, but "
                    f"{settings.min_insync_replicas} is set: kafka-configs.sh --bootstrap-server "
                    f"{settings.bootstrap_servers} --alter --entity-type topics --entity-name "
                    f"{name} --add-config min.insync.replicas={settings.min_insync_replicas}"
                )
    if faults:
        raise LogMisconfigured("\n".join(faults))
    return limits


def _missing(names: list[str], settings: KafkaLog) -> str:
    """Which topics are missing, and the commands that create them."""
    configs = " ".join(f"--config {k}={v}" for k, v in topic_settings(settings).items())
    return "\n".join(
        f"topic {name} is missing: kafka-topics.sh --bootstrap-server "
        f"{settings.bootstrap_servers} --create --topic {name} --partitions "
        f"{settings.partitions} --replication-factor {settings.replication_factor} {configs}"
        for name in names
    )
