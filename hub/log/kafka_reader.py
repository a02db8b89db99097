"""The reading of a topic by a group: aiokafka's consumer as a Reader.

The reader keeps its own places. aiokafka forgets them at every change of the group, and would begin
again at what was committed; here a partition that stays goes on where it was.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition, errors

from hub.log import NO_NOTES, Committed, LogUnavailable, OnRevoke, Record, kafka_commits
from hub.log.kafka_assignor import Assignor
from hub.log.kafka_client import REQUEST_TIMEOUT, log_error, stop_consumer, translated
from hub.log.kafka_topics import Topic
from hub.log.pairs import Pairs
from hub.log.settings import KafkaLog
from hub.log.size import check_notes

# A reader holds at most one answer per broker, whatever the backlog: ten readers, 40 MiB.
FETCH_BYTES = 4 * 1024 * 1024
PARTITION_FETCH_BYTES = 1024 * 1024

# Seconds that a broker holds a fetch back while there is nothing; what comes meanwhile is answered
# at once. A partition that is resumed waits for the fetch under way, so this bounds that wait.
FETCH_WAIT = 0.25

# Seconds that a group waits for a member that gives signs of life to join again. A request to join
# is answered when all have joined, so requests need longer than that.
REBALANCE = 30.0
REQUEST = REBALANCE + 10.0

# Seconds that `on_revoke` may take before its partitions move without it: a holder that hangs must
# not starve the new member.
REVOKE = 30.0

# Signs of life in a session. A member hears of a change with its next one, and a partition that
# moves needs two changes.
BEATS = 20

# Seconds that `open_reader` waits for the group; `take` goes on waiting.
JOIN = 5.0

# Seconds between tries to take up partitions while Kafka is away.
PAUSE = 0.25


_PAIRS: Final = Pairs()


def record_of(stream: str, fetched: Any) -> Record:
    """A record as aiokafka gives it, as ours. Other producers may leave out key or value."""
    known = _PAIRS.known
    return Record(
        stream,
        fetched.partition,
        fetched.offset,
        fetched.key or b"",
        fetched.value or b"",
        tuple(
            [
                known.get(pair) or _PAIRS.made(pair, pair[0], pair[1] or b"")
                for pair in fetched.headers
            ]
        ),
        fetched.timestamp / 1000,
    )


class KafkaReader:
    """One member of a consumer group, on one topic.

    The group assigns partitions; those that others want are not `given` any more. What is held
    follows what is given: first it is let go of, and then taken up at the committed place.
    """

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
        self._consumer: Any = None
        self._member = ""  # as which the group knows us
        self._changes = 0  # times that the group was shared out
        self._assigned: frozenset[int] = frozenset()
        self._given: frozenset[int] = frozenset()
        self._held: dict[int, int] = {}  # the next offset to give
        self._lost: set[int] = set()  # held, and already another's
        self._leaving: set[int] = set()  # held, while `on_revoke` runs
        self._paused: set[int] = set()
        self._moved = asyncio.Event()
        self._joined = asyncio.Event()
        self._following: asyncio.Task[None] | None = None
        self._session = settings.session_timeout
        self._loop = asyncio.get_running_loop()
        self._heard = self._loop.time()
        self._fault: Exception | None = None
        self._closed = False
        self._arguments: dict[str, Any] = {
            **connection,
            "request_timeout_ms": int(REQUEST * 1000),
            "group_id": self._group,
            "auto_offset_reset": "earliest",
            "enable_auto_commit": False,
            "partition_assignment_strategy": (Assignor(self),),
            "session_timeout_ms": int(settings.session_timeout * 1000),
            "heartbeat_interval_ms": int(settings.session_timeout * 1000 / BEATS),
            "rebalance_timeout_ms": int(REBALANCE * 1000),
            "fetch_max_wait_ms": int(FETCH_WAIT * 1000),
            "fetch_max_bytes": FETCH_BYTES,
            "max_partition_fetch_bytes": PARTITION_FETCH_BYTES,
        }

    @property
    def partitions(self) -> frozenset[int]:
        return frozenset(self._held)

    @property
    def in_touch(self) -> bool:
        return self._silence < self._session

    async def join(self) -> None:
        """Become a member, and wait a while for partitions."""
        await self._open()
        self._following = asyncio.create_task(self._follow())
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
        """As `Reader.take`. Raises LogError, and what `on_revoke` raised."""
        if self._closed:
            raise LogUnavailable(f"the reader of {self._group} is closed")
        if self._fault is not None:
            fault, self._fault = self._fault, None
            raise fault
        if self._consumer is not None and self._silence > self._session + REBALANCE:
            # Longer than any change of the group takes: aiokafka waits for what never comes.
            await self._drop()
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
            await self._drop()
            raise log_error(error, f"reading {self._topic}", self._needs()) from error
        for tp, records in fetched.items():
            self._held[tp.partition] = records[-1].offset + 1
        return [record_of(self._stream, one) for some in fetched.values() for one in some]

    def pause(self, partitions: Collection[int]) -> None:
        self._paused.update(partitions)
        if self._consumer is not None:
            self._consumer.pause(*self._places(self._assigned.intersection(partitions)))

    def resume(self, partitions: Collection[int]) -> None:
        self._paused.difference_update(partitions)
        if self._consumer is not None:
            self._consumer.resume(*self._places(self._open_ones().intersection(partitions)))

    async def commit(self, places: Mapping[int, int], notes: Mapping[int, str] = NO_NOTES) -> None:
        check_notes(notes)
        with translated(f"committing for group {self._group}", self._needs()):
            async with asyncio.timeout(REQUEST_TIMEOUT):
                # Asked before each try: while one waited, a partition may have moved.
                while ours := self._ours(places):
                    commits = {p: Committed(places[p], notes.get(p, "")) for p in ours}
                    coordinator = self._consumer._coordinator
                    if await kafka_commits.commit(coordinator, self._topic, commits):
                        return
                    await asyncio.sleep(kafka_commits.PAUSE)

    async def committed(self, partitions: Collection[int]) -> Mapping[int, Committed]:
        if self._consumer is None:
            raise LogUnavailable(f"the reader of {self._group} is not connected")
        with translated(f"asking what group {self._group} committed", self._needs()):
            async with asyncio.timeout(REQUEST_TIMEOUT):
                return await kafka_commits.committed(
                    self._consumer._coordinator, self._topic, partitions
                )

    async def close(self) -> None:
        self._closed = True
        if self._following is not None and self._following is not asyncio.current_task():
            self._following.cancel()
            await asyncio.wait([self._following])
        await self._drop()
        self._held.clear()

    # What the assignor asks and tells.

    def claims(self) -> Collection[int]:
        """What is held, as long as the group knows us: else others may have it already."""
        return self._held.keys() - self._lost if self._known() else ()

    def assigned(self, partitions: frozenset[int], wanted: frozenset[int]) -> None:
        """The group shared its partitions out. Those that stay go on at once, where they were."""
        if self._consumer is None:
            return
        self._lost |= self._held.keys() - (partitions if self._known() else frozenset())
        self._member = self._consumer._coordinator.member_id
        self._heard = self._loop.time()
        self._changes += 1
        self._assigned = partitions
        self._given = partitions - wanted
        self._place(partitions)
        self._moved.set()

    @property
    def _silence(self) -> float:
        """Seconds since the group last took a sign of life for one of ours."""
        return self._loop.time() - self._heard

    def _listen(self, coordinator: Any) -> None:
        """Note when a sign of life is answered; aiokafka knows it, and does not tell."""
        beat = coordinator._do_heartbeat

        async def heard() -> bool:
            alive: bool = await beat()
            if alive:
                self._heard = self._loop.time()
            return alive

        coordinator._do_heartbeat = heard

    def _known(self) -> bool:
        """Whether the group did not forget us since it gave us what we hold."""
        return self._consumer is not None and self._consumer._coordinator.member_id == self._member

    def _place(self, partitions: Collection[int]) -> None:
        """Tell aiokafka where to read on, and where not to."""
        open_ones = self._open_ones()
        for partition in self._assigned.intersection(partitions):
            (tp,) = self._places([partition])
            self._consumer.seek(tp, self._held.get(partition, 0))
            if partition in open_ones:
                self._consumer.resume(tp)
            else:
                self._consumer.pause(tp)

    def _open_ones(self) -> set[int]:
        return (self._held.keys() & self._assigned) - self._lost - self._leaving - self._paused

    def _ours(self, partitions: Iterable[int]) -> set[int]:
        return (self._held.keys() - self._lost).intersection(partitions) if self._known() else set()

    async def _follow(self) -> None:
        """Hold what is given, without end."""
        while True:
            await self._moved.wait()
            self._moved.clear()
            try:
                await self._settle()
            except Exception as error:
                # While Kafka is away there is nothing to tell that `take` does not tell.
                if not isinstance(error, LogUnavailable):
                    self._fault = error
                await asyncio.sleep(PAUSE)
                self._moved.set()

    async def _settle(self) -> None:
        await self._take_up(self._given - self._held.keys())
        await self._let_go((self._held.keys() - self._given) | self._lost)
        if self._given - self._held.keys():
            self._moved.set()  # it came back while it was let go of
        if self._assigned - self._given - self._held.keys():
            self._consumer._coordinator.request_rejoin()
        self._joined.set()

    async def _take_up(self, partitions: frozenset[int]) -> None:
        """Hold partitions from their committed places on."""
        if not partitions:
            return
        changes = self._changes
        found = await self.committed(partitions)
        if changes == self._changes:  # else they may have been another's meanwhile
            self._held |= {partition: at.place or 0 for partition, at in found.items()}
            self._place(partitions)

    async def _let_go(self, partitions: set[int]) -> None:
        """Give no more of these partitions, let the holder commit them, and forget them."""
        if not partitions:
            return
        self._leaving |= partitions
        self._place(partitions)
        try:
            if self._on_revoke is not None:
                async with asyncio.timeout(REVOKE):
                    await self._on_revoke(frozenset(partitions))
        finally:
            self._leaving -= partitions
            self._lost -= partitions
            self._paused -= partitions
            for partition in partitions:
                del self._held[partition]

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
        self._heard = self._loop.time()
        consumer.subscribe([self._topic])
        self._listen(consumer._coordinator)

    async def _drop(self) -> None:
        consumer, self._consumer = self._consumer, None
        self._lost |= self._held.keys()
        self._assigned = self._given = frozenset()
        self._moved.set()
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
