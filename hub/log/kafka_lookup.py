"""The looking into topics without a group: single records, times, spans, and groups' places."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from hub.log import Committed, LogMisconfigured, Record, Span, StreamStatus
from hub.log.kafka_client import REQUEST_TIMEOUT, stop_consumer, translated
from hub.log.kafka_commits import committed_by, when_loaded
from hub.log.kafka_reader import PARTITION_FETCH_BYTES, record_of
from hub.log.kafka_topics import Topic, partitions_in_sync

# Seconds in which `ready` must know; a probe that asks often does not wait long.
READY = 2.0


class _Kept:
    """A client that is started when it is needed, used by one at a time, and thrown away when it
    failed: aiokafka asks only brokers it knows, and a new client asks the bootstrap servers.
    """

    def __init__(self, make: Callable[[], Any], leave: Callable[[Any], Awaitable[None]]) -> None:
        self._make = make
        self._leave = leave
        self._client: Any = None
        self._turn = asyncio.Lock()

    @asynccontextmanager
    async def use(self) -> AsyncIterator[Any]:
        async with self._turn:
            try:
                if self._client is None:
                    self._client = self._make()
                    await self._client.start()
                yield self._client
            except BaseException:
                await self.close()
                raise

    async def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await self._leave(client)


class Lookup:
    """Asks Kafka, with clients that it keeps."""

    def __init__(self, prefix: str, connection: Mapping[str, Any]) -> None:
        self._prefix = prefix

        def consumer() -> Any:
            return AIOKafkaConsumer(
                **connection,
                auto_offset_reset="earliest",
                max_partition_fetch_bytes=PARTITION_FETCH_BYTES,
                fetch_max_bytes=PARTITION_FETCH_BYTES,
            )

        def admin() -> Any:
            return AIOKafkaAdminClient(**connection)

        self._consumer = _Kept(consumer, stop_consumer)
        self._admin = _Kept(admin, lambda client: client.close())
        # Apart, so that `ready` need not wait for a long `status`.
        self._probe = _Kept(admin, lambda client: client.close())

    async def read(
        self, stream: str, topic: Topic, partition: int, offset: int, limit: int
    ) -> list[Record]:
        tp = _place(topic, partition)
        records: list[Record] = []
        needs = f"Read on topic {topic.name}"
        async with _asking(f"reading {topic.name}", needs), self._consumer.use() as consumer:
            first, end = await asyncio.gather(
                consumer.beginning_offsets([tp]), consumer.end_offsets([tp])
            )
            start = max(offset, first[tp])
            if start >= end[tp] or limit < 1:
                return records
            if tp in consumer.assignment() and await consumer.position(tp) == start:
                consumer.resume(tp)  # page after page; what was fetched beyond the last is here
            else:
                consumer.assign([tp])
                consumer.seek(tp, start)
            while len(records) < limit and await consumer.position(tp) < end[tp]:
                fetched = await consumer.getmany(
                    tp, timeout_ms=1_000, max_records=limit - len(records)
                )
                records += [record_of(stream, one) for one in fetched.get(tp, ())]
            consumer.pause(tp)  # else it goes on fetching what nobody takes
        return records

    async def offset_at(self, topic: Topic, partition: int, at: float) -> int:
        tp = _place(topic, partition)
        # Kafka keeps milliseconds; the rounding takes off what a float adds to a whole one.
        milliseconds = max(0, math.ceil(round(at * 1000, 3)))
        needs = f"Describe on topic {topic.name}"
        async with _asking(f"searching {topic.name}", needs), self._consumer.use() as consumer:
            found = (await consumer.offsets_for_times({tp: milliseconds}))[tp]
            if found is not None:
                return int(found.offset)
            return int((await consumer.end_offsets([tp]))[tp])

    async def status(self, topics: Mapping[str, Topic]) -> list[StreamStatus]:
        tps = [tp for topic in topics.values() for tp in _places(topic)]
        needs = f"Describe on topics {self._prefix}*, groups {self._prefix}* and the cluster"
        async with _asking("asking after topics and groups", needs):
            async with self._consumer.use() as consumer:
                first = await consumer.beginning_offsets(tps)
                end = await consumer.end_offsets(tps)
            async with self._admin.use() as admin:
                committed = await when_loaded(lambda: _committed(admin, self._prefix))
        return [
            StreamStatus(
                stream,
                tuple(Span(tp.partition, first[tp], end[tp]) for tp in _places(topic)),
                _of_topic(committed, topic.name),
            )
            for stream, topic in topics.items()
        ]

    async def ready(self, topic: Topic, needed: int) -> None:
        needs = f"Describe on topic {topic.name}"
        async with (
            _asking(f"asking after {topic.name}", needs, READY),
            self._probe.use() as admin,
        ):
            await partitions_in_sync(admin, topic.name, needed)

    async def close(self) -> None:
        for kept in (self._consumer, self._admin, self._probe):
            await kept.close()


@asynccontextmanager
async def _asking(doing: str, needs: str, timeout: float = REQUEST_TIMEOUT) -> AsyncIterator[None]:
    with translated(doing, needs):
        async with asyncio.timeout(timeout):
            yield


_Commits = Mapping[str, Mapping[int, Committed]]  # by topic and partition


async def _committed(admin: Any, prefix: str) -> dict[str, _Commits]:
    """What each group with our prefix has committed, by the group's name without it."""
    listed = await admin.list_consumer_groups()
    groups = sorted(group for group, *_ in listed if group.startswith(prefix))
    commits = await asyncio.gather(*(committed_by(admin, group) for group in groups))
    return {group.removeprefix(prefix): each for group, each in zip(groups, commits, strict=True)}


def _of_topic(committed: Mapping[str, _Commits], name: str) -> dict[str, Mapping[int, int]]:
    """The groups that committed on a topic, and where."""
    found = {
        group: {p: at.place for p, at in commits.get(name, {}).items() if at.place is not None}
        for group, commits in committed.items()
    }
    return {group: places for group, places in found.items() if places}


def _place(topic: Topic, partition: int) -> Any:
    if not 0 <= partition < topic.partitions:
        raise LogMisconfigured(
            f"topic {topic.name} has {topic.partitions} partitions, and no partition {partition}"
        )
    return TopicPartition(topic.name, partition)


def _places(topic: Topic) -> Sequence[Any]:
    return [TopicPartition(topic.name, partition) for partition in range(topic.partitions)]
