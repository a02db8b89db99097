"""The log on Apache Kafka: a topic for a stream, a consumer group for a group."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient

from hub.log import (
    EVENTS,
    Entry,
    LogMisconfigured,
    LogUnavailable,
    OnRevoke,
    Place,
    Record,
    StreamStatus,
)
from hub.log.kafka_client import connection_of, knock, translated
from hub.log.kafka_lookup import Lookup
from hub.log.kafka_producer import Producer
from hub.log.kafka_reader import KafkaReader
from hub.log.kafka_topics import CREATION, Topic, open_topics
from hub.log.settings import KafkaLog as KafkaSettings


class KafkaLog:
    """Streams as topics with a common prefix; `append` is acks=all by an idempotent producer."""

    def __init__(
        self, settings: KafkaSettings, connection: Mapping[str, Any], topics: Mapping[str, Topic]
    ) -> None:
        self._settings = settings
        self._connection = connection
        self._topics = topics
        self._producer = Producer(settings, connection, topics)
        self._lookup = Lookup(settings.topic_prefix, connection)
        self._closed = False

    @classmethod
    async def open(cls, settings: KafkaSettings) -> KafkaLog:
        """Connect, and create or check the topics."""
        connection = connection_of(settings)
        prefix = settings.topic_prefix
        with translated(
            f"opening the log at {settings.bootstrap_servers}",
            f"Create, Describe and DescribeConfigs on topics {prefix}*",
        ):
            async with asyncio.timeout(2 * CREATION):
                await knock(connection)
                admin = AIOKafkaAdminClient(**connection)
                try:
                    await admin.start()
                    topics = await open_topics(admin, settings)
                finally:
                    await admin.close()
            log = cls(settings, connection, topics)
            try:
                await log._producer.start()
            except BaseException:
                await log.close()
                raise
            return log

    async def append(self, stream: str, entries: Sequence[Entry]) -> Sequence[Place]:
        return await self._producer.append(self._topic(stream), entries)

    async def open_reader(
        self, stream: str, group: str, *, on_revoke: OnRevoke | None = None
    ) -> KafkaReader:
        reader = KafkaReader(
            self._settings, self._connection, stream, self._topic(stream), group, on_revoke
        )
        await reader.join()
        return reader

    async def read(self, stream: str, partition: int, offset: int, limit: int) -> Sequence[Record]:
        return await self._lookup.read(stream, self._topic(stream), partition, offset, limit)

    async def offset_at(self, stream: str, partition: int, at: float) -> int:
        return await self._lookup.offset_at(self._topic(stream), partition, at)

    async def status(self) -> Sequence[StreamStatus]:
        return await self._lookup.status(self._topics)

    async def ready(self) -> None:
        if self._closed:
            raise LogUnavailable("the log is closed")
        await self._lookup.ready(self._topics[EVENTS], self._settings.min_insync_replicas)

    async def close(self) -> None:
        self._closed = True
        await self._producer.close()
        await self._lookup.close()

    def _topic(self, stream: str) -> Topic:
        topic = self._topics.get(stream)
        if topic is None:
            raise LogMisconfigured(f"no stream {stream}; there are {', '.join(self._topics)}")
        return topic
