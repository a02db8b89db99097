"""The topics of the streams: created as set, or checked to be what the log's promises need."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiokafka import errors
from aiokafka.admin import NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from hub.log import ALIGNED, COMPACTED, STREAMS, LogMisconfigured, LogUnavailable
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


def topic_settings(settings: KafkaLog, stream: str) -> dict[str, str]:
    """What a stream's topic is created with, under Kafka's names."""
    retention_bytes = -1 if settings.retention_bytes is None else settings.retention_bytes
    return {
        "cleanup.policy": _policy(stream),
        "retention.ms": str(int(settings.retention_seconds * 1000)),
        "retention.bytes": str(retention_bytes),
        "min.insync.replicas": str(settings.min_insync_replicas),
        # Producers' clocks may differ; the leader's makes `at` the time of the append, and times
        # that do not fall along a partition are what makes `offset_at` mean anything.
        "message.timestamp.type": "LogAppendTime",
    }


def _policy(stream: str) -> str:
    return "compact" if stream in COMPACTED else "delete"


async def open_topics(admin: Any, settings: KafkaLog) -> dict[str, Topic]:
    """The topics by stream, created first if missing and wanted. All faults are told at once."""
    found = await _found(admin, settings)
    missing = [stream for stream in STREAMS if stream not in found]
    if missing and not settings.create_topics:
        raise LogMisconfigured(_missing(missing, found, settings))
    if missing:
        await _create(admin, missing, found, settings)
        async with asyncio.timeout(CREATION):
            while len(found) < len(STREAMS):
                await asyncio.sleep(0.05)  # Kafka cannot be asked to tell when
                found = await _found(admin, settings)
    limits, faults = await _limits(admin, settings)
    faults += _uneven(found, settings)
    if faults:
        raise LogMisconfigured("\n".join(faults))
    return {
        stream: Topic(
            settings.topic_prefix + stream, found[stream], min(ENTRY_BYTES, limits[stream])
        )
        for stream in STREAMS
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


async def _found(admin: Any, settings: KafkaLog) -> dict[str, int]:
    """How many partitions each stream's topic has, of those that are there and led."""
    found: dict[str, int] = {}
    for topic in await admin.describe_topics([settings.topic_prefix + s for s in STREAMS]):
        error = errors.for_code(topic["error_code"])
        if error is errors.TopicAuthorizationFailedError:
            with translated("finding topics", f"Describe on topic {topic['topic']}"):
                raise error(topic["topic"])
        led = all(partition["leader"] != -1 for partition in topic["partitions"])
        if error is errors.NoError and topic["partitions"] and led:
            found[topic["topic"].removeprefix(settings.topic_prefix)] = len(topic["partitions"])
    return found


def _wanted(stream: str, found: Mapping[str, int], settings: KafkaLog) -> int:
    """How many partitions a stream's topic is created with: as many as its like have already."""
    like = ALIGNED if stream in ALIGNED else ()
    return max((found[other] for other in like if other in found), default=settings.partitions)


async def _create(
    admin: Any, streams: list[str], found: Mapping[str, int], settings: KafkaLog
) -> None:
    topics = [
        NewTopic(
            settings.topic_prefix + stream,
            _wanted(stream, found, settings),
            settings.replication_factor,
            topic_configs=topic_settings(settings, stream),
        )
        for stream in streams
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


async def _limits(admin: Any, settings: KafkaLog) -> tuple[dict[str, int], list[str]]:
    """The largest batch that each stream's topic takes, in bytes; and what is set so that the log
    could not keep its promises, with the remedies.
    """
    asked = dict.fromkeys(("min.insync.replicas", "max.message.bytes", "cleanup.policy"))
    resources = [
        ConfigResource(ConfigResourceType.TOPIC, settings.topic_prefix + stream, asked)
        for stream in STREAMS
    ]
    limits: dict[str, int] = {}
    faults: list[str] = []
    for response in await admin.describe_configs(resources):
        for code, message, _, name, configs in response.resources:
            error = errors.for_code(code)
            if error is not errors.NoError:
                with translated(f"reading settings of {name}", f"DescribeConfigs on topic {name}"):
                    raise error(message or name)
            stream = name.removeprefix(settings.topic_prefix)
            values = {config[0]: config[1] for config in configs}
            limits[stream] = int(values["max.message.bytes"])
            faults += _faults(stream, values, settings)
    return limits, faults


def _faults(stream: str, values: Mapping[str, str], settings: KafkaLog) -> list[str]:
    """What a topic's settings would break, each with the command that mends it."""
    wrong = {}
    if int(values["min.insync.replicas"]) < settings.min_insync_replicas:
        wrong["min.insync.replicas"] = str(settings.min_insync_replicas)
    # Compaction keeps one event of a user; deletion forgets a token.
    if values["cleanup.policy"] != _policy(stream):
        wrong["cleanup.policy"] = _policy(stream)
    name = settings.topic_prefix + stream
    return [
        f"topic {name} has {setting}={values[setting]}, and it must be {needed}: kafka-configs.sh "
        f"--bootstrap-server {settings.bootstrap_servers} --alter --entity-type topics "
        f"--entity-name {name} --add-config {setting}={needed}"
        for setting, needed in wrong.items()
    ]


def _uneven(found: Mapping[str, int], settings: KafkaLog) -> list[str]:
    """The topics that have fewer partitions than those they must equal, with the remedy."""
    most = max(found[stream] for stream in ALIGNED)
    counts = ", ".join(f"{settings.topic_prefix}{stream} {found[stream]}" for stream in ALIGNED)
    return [
        f"topics must have equally many partitions ({counts}): kafka-topics.sh --bootstrap-server "
        f"{settings.bootstrap_servers} --alter --topic {settings.topic_prefix}{stream} "
        f"--partitions {most}"
        for stream in ALIGNED
        if found[stream] < most
    ]


def _missing(streams: list[str], found: Mapping[str, int], settings: KafkaLog) -> str:
    """Which topics are missing, and the commands that create them."""
    lines = []
    for stream in streams:
        name = settings.topic_prefix + stream
        configs = " ".join(f"--config {k}={v}" for k, v in topic_settings(settings, stream).items())
        lines.append(
            f"topic {name} is missing: kafka-topics.sh --bootstrap-server "
            f"{settings.bootstrap_servers} --create --topic {name} "
            f"--partitions {_wanted(stream, found, settings)} "
            f"--replication-factor {settings.replication_factor} {configs}"
        )
    return "\n".join(lines)
