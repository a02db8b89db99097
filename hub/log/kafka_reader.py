"""The reading of a topic by a group: aiokafka's consumer as a Reader."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition, errors
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor

from hub.log import NO_NOTES, Committed, LogUnavailable, OnRevoke, Record
from hub.log.kafka_client import REQUEST_TIMEOUT, log_error, stop_consumer, translated
from hub.log.kafka_topics import Topic
from hub.log.settings import KafkaLog
from hub.log.size import check_notes

# A reader holds at most one answer per broker, whatever the backlog: ten readers, 40 MiB.
FETCH_BYTES = 4 * 1024 * 1024
PARTITION_FETCH_BYTES = 1024 * 1024

# Seconds that a broker holds a fetch back while there is nothing; what comes meanwhile is answered
# at once. A partition that is resumed waits for the fetch under way, so this bounds that wait.
FETCH_WAIT = 0.25

# Seconds that a member may take in `on_revoke` before the group goes on without it. A request to
# join is answered when all have joined, so requests need longer than that.
REBALANCE = 30.0
REQUEST = REBALANCE + 10.0

# Seconds that `open_reader` waits for its first partitions; other members may still be letting go,
# and then `take` goes on waiting.
JOIN = 5.0


def record_of(stream: str, fetched: Any) -> Record:
    """A record as aiokafka gives it, as ours. Other producers may leave out key or value."""
    return Record(
        stream,
        fetched.partition,
        fetched.offset,
        fetched.key or b"",
        fetched.value or b"",
        tuple((name, value or b"") for name, value in fetched.headers),
        fetched.timestamp / 1000,
    )


class _Changes(ConsumerRebalanceListener):  # type: ignore[misc] # aiokafka has no types
    """Hears of a group's changes, for a reader."""

    def __init__(self, reader: KafkaReader) -> None:
        self._reader = reader

    async def on_partitions_revoked(self, revoked: Collection[Any]) -> None:
        await self._reader.revoked(frozenset(tp.partition for tp in revoked))

    async def on_partitions_assigned(self, assigned: Collection[Any]) -> None:
        self._reader.assigned(frozenset(tp.partition for tp in assigned))


class KafkaReader:
    """One member of a consumer group, on one topic."""

    def __init__(
        self,
        settings: KafkaLog,
        connection: Mapping[str, Any],
        stream: str,
        topic: Topic,
        group: str,
        on_revoke: OnRevoke | None,
    ) -> None:
        self._stream = stream
        self._topic = topic.name
        self._group = settings.topic_prefix + group
        self._on_revoke = on_revoke
        self._owned: frozenset[int] = frozenset()
        self._paused: set[int] = set()
        self._joined = asyncio.Event()
        self._consumer: Any = None
        self._closed = False
        self._arguments: dict[str, Any] = {
            **connection,
            "request_timeout_ms": int(REQUEST * 1000),
            "group_id": self._group,
            "auto_offset_reset": "earliest",
            "enable_auto_commit": False,
            # The sticky assignor keeps its state on its class (aiokafka 0.14), so the readers of
            # one process would disturb one another; on one topic round robin is as even.
            "partition_assignment_strategy": (RoundRobinPartitionAssignor,),
            "session_timeout_ms": int(settings.session_timeout * 1000),
            "heartbeat_interval_ms": int(settings.session_timeout * 100),
            "rebalance_timeout_ms": int(REBALANCE * 1000),
            "fetch_max_wait_ms": int(FETCH_WAIT * 1000),
            "fetch_max_bytes": FETCH_BYTES,
            "max_partition_fetch_bytes": PARTITION_FETCH_BYTES,
        }

    @property
    def partitions(self) -> frozenset[int]:
        return self._owned

    async def join(self) -> None:
        """Become a member, and wait a while for partitions."""
        await self._open()
        waiting = asyncio.create_task(self._joined.wait())
        try:
            # An error of the group, such as missing rights, ends the wait: `take` would raise it.
            async with asyncio.timeout(JOIN):
                while not waiting.done():
                    await asyncio.wait([waiting], timeout=FETCH_WAIT)
                    self._check()
        except TimeoutError:
            pass
        except BaseException:
            await self.close()
            raise
        finally:
            waiting.cancel()

    async def take(self, limit: int, wait: float) -> Sequence[Record]:
        if self._closed:
            raise LogUnavailable(f"the reader of {self._group} is closed")
        if self._consumer is None:
            await self._open()
        try:
            # While a group is rebalanced `getmany` waits without regard to its timeout; cancelling
            # it loses nothing, since it does not wait once it has taken records.
            async with asyncio.timeout(wait + FETCH_WAIT):
                fetched = await self._consumer.getmany(
                    timeout_ms=max(1, int(wait * 1000)), max_records=limit
                )
        except TimeoutError:
            return []
        except (errors.KafkaError, OSError) as error:
            # aiokafka's background work ends at such an error; the next take joins anew, and until
            # then the partitions may be another member's.
            await self.revoked(self._owned)
            await self._drop()
            raise log_error(error, f"reading {self._topic}", self._needs()) from error
        return [record_of(self._stream, one) for some in fetched.values() for one in some]

    def pause(self, partitions: Collection[int]) -> None:
        self._paused.update(partitions)
        if self._consumer is not None:
            self._consumer.pause(*self._places(self._owned.intersection(partitions)))

    def resume(self, partitions: Collection[int]) -> None:
        self._paused.difference_update(partitions)
        if self._consumer is not None:
            self._consumer.resume(*self._places(self._owned.intersection(partitions)))

    async def commit(self, places: Mapping[int, int], notes: Mapping[int, str] = NO_NOTES) -> None:
        check_notes(notes)
        offsets = {
            TopicPartition(self._topic, partition): (offset, notes.get(partition, ""))
            for partition, offset in places.items()
            if partition in self._owned
        }
        if not offsets or self._consumer is None:
            return
        try:
            # aiokafka retries a commit without end while the coordinator is away.
            with translated(f"committing for group {self._group}", self._needs()):
                async with asyncio.timeout(REQUEST_TIMEOUT):
                    await self._consumer.commit(offsets)
        except LogUnavailable as error:
            # The group moved on without us: the new owner reads from the last commit.
            if not isinstance(error.__cause__, errors.CommitFailedError | errors.IllegalStateError):
                raise

    async def committed(self, partitions: Collection[int]) -> Mapping[int, Committed]:
        if self._consumer is None:
            raise LogUnavailable(f"the reader of {self._group} is not connected")
        with translated(f"asking what group {self._group} committed", self._needs()):
            async with asyncio.timeout(REQUEST_TIMEOUT):
                found = await self._consumer._coordinator.fetch_committed_offsets(
                    self._places(partitions)
                )
        last = {tp.partition: Committed(at.offset, at.metadata) for tp, at in found.items()}
        return {partition: last.get(partition, Committed(None)) for partition in partitions}

    async def close(self) -> None:
        self._closed = True
        await self._drop()

    async def revoked(self, partitions: frozenset[int]) -> None:
        """Partitions are about to move: the last chance to commit. aiokafka's assignors are eager,
        so all of them move, and some come back.
        """
        try:
            if partitions and self._on_revoke is not None:
                await self._on_revoke(partitions)
        finally:
            self._owned = frozenset()

    def assigned(self, partitions: frozenset[int]) -> None:
        """The group shared its partitions out; a pause holds for those that are still ours."""
        self._paused &= partitions
        self._owned = partitions
        if self._consumer is not None:
            self._consumer.pause(*self._places(self._paused))
        self._joined.set()

    async def _open(self) -> None:
        consumer = AIOKafkaConsumer(**self._arguments)
        try:
            with translated(f"reading {self._topic}", self._needs()):
                async with asyncio.timeout(REQUEST_TIMEOUT):
                    await consumer.start()
        except BaseException:
            await stop_consumer(consumer)
            raise
        self._consumer = consumer
        consumer.subscribe([self._topic], listener=_Changes(self))

    async def _drop(self) -> None:
        consumer, self._consumer = self._consumer, None
        self._owned = frozenset()
        if consumer is not None:
            await stop_consumer(consumer)

    def _check(self) -> None:
        """Raise what went wrong in aiokafka's background; it has no public way to ask."""
        with translated(f"reading {self._topic}", self._needs()):
            self._consumer._coordinator.check_errors()

    def _places(self, partitions: Collection[int]) -> list[Any]:
        return [TopicPartition(self._topic, partition) for partition in partitions]

    def _needs(self) -> str:
        return f"Read and Describe on topic {self._topic}, and Read on group {self._group}"
