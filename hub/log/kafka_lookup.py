"""The looking into topics without a group: single records, times, spans, and groups' places."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from hub.log import LogMisconfigured, Record, Span, StreamStatus
from hub.log.kafka_client import REQUEST_TIMEOUT, translated
from hub.log.kafka_reader import PARTITION_FETCH_BYTES, record_of
from hub.log.kafka_topics import Topic, partitions_in_sync

# Seconds in which `ready` must know; a probe that asks often does not wait long.
READY = 2.0

T = TypeVar("T")


class Lookup:
    """Asks Kafka with clients that it keeps, and throws away when they failed."""

    def __init__(self, prefix: str, connection: Mapping[str, Any]) -> None:
        self._prefix = prefix
        self._connection = connection
        self._consumer: Any = None
        self._admin: Any = None
        self._turn = asyncio.Lock()

    async def read(
        self, stream: str, topic: Topic, partition: int, offset: int, limit: int
    ) -> list[Record]:
        tp = _place(topic, partition)

        async def ask(consumer: Any, _: Any) -> list[Record]:
            (first,) = (await consumer.beginning_offsets([tp])).values()
            (end,) = (await consumer.end_offsets([tp])).values()
            start = max(offset, first)
            records: list[Record] = []
            if start >= end or limit < 1:
                return records
            consumer.assign([tp])
            consumer.seek(tp, start)
            while len(records) < limit and await consumer.position(tp) < end:
                fetched = await consumer.getmany(
                    tp, timeout_ms=1_000, max_records=limit - len(records)
                )
                records += [record_of(stream, one) for one in fetched.get(tp, ())]
            consumer.unsubscribe()  # else it goes on fetching what nobody takes
            return records

        return await self._ask(f"reading {topic.name}", f"Read on topic {topic.name}", ask)

    async def offset_at(self, topic: Topic, partition: int, at: float) -> int:
        tp = _place(topic, partition)

        async def ask(consumer: Any, _: Any) -> int:
            # Kafka keeps milliseconds; the first record at or after `at` is not before its ceiling.
            milliseconds = max(0, -int(-at * 1000 // 1))
            found = (await consumer.offsets_for_times({tp: milliseconds}))[tp]
            if found is not None:
                return int(found.offset)
            return int((await consumer.end_offsets([tp]))[tp])

        return await self._ask(f"searching {topic.name}", f"Describe on topic {topic.name}", ask)

    async def status(self, topics: Mapping[str, Topic]) -> list[StreamStatus]:
        async def ask(consumer: Any, admin: Any) -> list[StreamStatus]:
            tps = [tp for topic in topics.values() for tp in _places(topic)]
            first = await consumer.beginning_offsets(tps)
            end = await consumer.end_offsets(tps)
            committed = await _committed(admin, self._prefix)
            return [
                StreamStatus(
                    stream,
                    tuple(Span(tp.partition, first[tp], end[tp]) for tp in _places(topic)),
                    _of_topic(committed, topic.name),
                )
                for stream, topic in topics.items()
            ]

        needs = f"Describe on topics and groups {self._prefix}*, and Describe on the cluster"
        return await self._ask("asking after topics and groups", needs, ask)

    async def ready(self, topic: Topic, needed: int) -> None:
        async def ask(_: Any, admin: Any) -> None:
            await partitions_in_sync(admin, topic.name, needed)

        needs = f"Describe on topic {topic.name}"
        await self._ask(f"asking after {topic.name}", needs, ask, READY)

    async def close(self) -> None:
        consumer, self._consumer = self._consumer, None
        admin, self._admin = self._admin, None
        if consumer is not None:
            await consumer.stop()
        if admin is not None:
            await admin.close()

    async def _ask(
        self,
        doing: str,
        needs: str,
        question: Callable[[Any, Any], Awaitable[T]],
        timeout: float = REQUEST_TIMEOUT,
    ) -> T:
        with translated(doing, needs):
            async with asyncio.timeout(timeout), self._turn:
                try:
                    await self._start()
                    return await question(self._consumer, self._admin)
                except BaseException:
                    await self.close()
                    raise

    async def _start(self) -> None:
        if self._consumer is None:
            self._consumer = AIOKafkaConsumer(
                **self._connection,
                auto_offset_reset="earliest",
                max_partition_fetch_bytes=PARTITION_FETCH_BYTES,
                fetch_max_bytes=PARTITION_FETCH_BYTES,
            )
            await self._consumer.start()
        if self._admin is None:
            self._admin = AIOKafkaAdminClient(**self._connection)
            await self._admin.start()


async def _committed(admin: Any, prefix: str) -> dict[str, Mapping[Any, Any]]:
    """What each group with our prefix has committed, by the group's name without it."""
    listed = await admin.list_consumer_groups()
    groups = sorted(group for group, *_ in listed if group.startswith(prefix))
    places = await asyncio.gather(*(admin.list_consumer_group_offsets(group) for group in groups))
    return {group.removeprefix(prefix): place for group, place in zip(groups, places, strict=True)}


def _of_topic(
    committed: Mapping[str, Mapping[Any, Any]], name: str
) -> dict[str, Mapping[int, int]]:
    """The groups that committed on a topic, and where."""
    found = {
        group: {tp.partition: at.offset for tp, at in places.items() if tp.topic == name}
        for group, places in committed.items()
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
