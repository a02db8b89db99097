"""The logs that the contract runs against, each empty and of its own."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from hub.log import Log
from hub.log.kafka import KafkaLog as LogOnKafka
from hub.log.opening import open_log
from hub.log.settings import KafkaLog, LogSettings, MemoryLog, SqliteLog
from tests.hub.log.kafka_scenes import settings_at

PARTITIONS = 4


def settings_of(kind: str, request: pytest.FixtureRequest, folder: Path) -> LogSettings:
    """Settings of an empty log of `kind`."""
    if kind == "memory":
        return MemoryLog(partitions=PARTITIONS)
    if kind == "sqlite":
        return SqliteLog(path=folder / "hub.db", partitions=PARTITIONS)
    return KafkaLog(
        bootstrap_servers=request.getfixturevalue("kafka_broker"),
        topic_prefix=f"t{uuid.uuid4().hex[:12]}.",
        partitions=PARTITIONS,
    )


@pytest.fixture(params=["memory", "sqlite", pytest.param("kafka", marks=pytest.mark.kafka)])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> LogSettings:
    """Settings of an empty log of each kind."""
    return settings_of(request.param, request, tmp_path)


@pytest.fixture(params=["sqlite", pytest.param("kafka", marks=pytest.mark.kafka)])
def shared_settings(request: pytest.FixtureRequest, tmp_path: Path) -> LogSettings:
    """Settings of an empty log of each kind that outlives a process."""
    return settings_of(request.param, request, tmp_path)


@pytest.fixture
async def log(settings: LogSettings) -> AsyncIterator[Log]:
    """An open log of each kind."""
    log = await open_log(settings)
    yield log
    await log.close()


@pytest.fixture
async def shared_log(shared_settings: LogSettings) -> AsyncIterator[Log]:
    """An open log of each kind that outlives a process."""
    log = await open_log(shared_settings)
    yield log
    await log.close()


@pytest.fixture
async def kafka_log(kafka_broker: str) -> AsyncIterator[LogOnKafka]:
    """An open log on Kafka."""
    log = await LogOnKafka.open(settings_at(kafka_broker))
    yield log
    await log.close()


@pytest.fixture
async def admin(kafka_broker: str) -> AsyncIterator[Any]:
    """Kafka's own client for those who keep a cluster."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_broker)
    await admin.start()
    yield admin
    await admin.close()
