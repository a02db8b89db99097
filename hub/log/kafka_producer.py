"""The appending to Kafka: calls gather into the next round of batches while the last one travels.

The law: of one partition only one batch is on its way, and it is retried by the same idempotent
producer until it is confirmed, so nothing overtakes and nothing is written twice.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from aiokafka import AIOKafkaProducer, errors

from hub.log import (
    Entry,
    LogMisconfigured,
    LogUnavailable,
    Place,
)
from hub.log.kafka_calls import Call, Line, Part, refuse
from hub.log.kafka_client import log_error
from hub.log.kafka_places import Places
from hub.log.kafka_topics import Topic
from hub.log.partition import partition_of
from hub.log.settings import KafkaLog
from hub.log.size import ENTRY_BYTES, measured

# aiokafka's default of 16 KiB holds 13 of our events; 512 KiB keeps one record under Kafka's
# default limit of 1 MiB a batch.
BATCH_BYTES = 512 * 1024

# Bytes that wait for confirmation in one process; at 1.2 KB an event some 50,000 of them, which is
# seconds of full load. What comes on top is refused at once.
WAITING_BYTES = 64 * 1024 * 1024

# A batch without an answer for so many times `append_timeout` is left, and its producer with it:
# aiokafka asks only brokers it knows, so after a cluster moved it would ask for ever.
PATIENCE = 4.0

# Seconds that the next round gathers for when nothing of the last one is confirmed before: a broker
# that is slow must not hold up what goes to others.
ROUND = 0.02

# Seconds between attempts to start a producer, while someone waits for one.
START_PAUSE = 0.1


@dataclass(eq=False, slots=True)
class _Session:
    """A started producer. One that failed a batch is spent: its sequence numbers have a gap, which
    the broker refuses from then on, and aiokafka has no way to begin a new epoch.
    """

    producer: Any
    travelling: int = 0
    spent: bool = False


class Producer:
    """Appends entries durably, many calls in one request."""

    def __init__(
        self, settings: KafkaLog, connection: Mapping[str, Any], topics: Mapping[str, Topic]
    ) -> None:
        self._timeout = settings.append_timeout
        self._topics = topics
        self._arguments: dict[str, Any] = {
            **connection,
            # Bounds one try, on our side and on the broker's; the retries have no end of their own.
            "request_timeout_ms": int(settings.append_timeout * 1000),
            "acks": "all",
            "enable_idempotence": True,
            "max_batch_size": min(BATCH_BYTES, *(topic.entry_bytes for topic in topics.values())),
            "compression_type": None if settings.compression == "none" else settings.compression,
        }
        self._loop = asyncio.get_running_loop()
        self._lines: dict[tuple[str, int], Line] = {}
        self._ready: set[Line] = set()  # with something waiting, and nothing travelling
        self._bytes = 0
        self._session: _Session | None = None
        self._starting = asyncio.Lock()
        self._rounds: asyncio.Task[None] | None = None
        self._next_round = asyncio.Event()
        self._travelling: set[asyncio.Future[Any]] = set()
        self._leaving: set[asyncio.Task[None]] = set()
        self._closed = False

    async def append(self, topic: Topic, entries: Sequence[Entry]) -> Sequence[Place]:
        """Append and return the places; raises as `Log.append` does, within `append_timeout`."""
        if self._closed:
            raise LogUnavailable("the log is closed")
        most = min(ENTRY_BYTES, topic.entry_bytes)
        size = measured(entries, most, f"topic {topic.name}, by its max.message.bytes,")
        if self._bytes + size > WAITING_BYTES:
            raise LogUnavailable(f"{self._bytes:,} bytes wait for Kafka already")
        if not entries:
            return []
        call = Call(self._loop.create_future(), size, topic.partitions)
        self._bytes += size
        self._enqueue(call, topic, entries)
        try:
            async with asyncio.timeout(self._timeout):
                await call.answer
            return Places(entries, call.partitions, {p.partition: p.runs for p in call.parts})
        except TimeoutError:
            raise LogUnavailable(
                f"Kafka did not confirm an append to {topic.name} within {self._timeout:g} s"
            ) from None
        finally:
            self._forget(call)

    async def start(self) -> None:
        """Connect, so that the first append does not have to."""
        await self._started()

    async def close(self) -> None:
        """Hear out the appends in flight, which is bounded by their own timeout, and disconnect."""
        self._closed = True
        if under_way := {*self._travelling, *((self._rounds,) if self._rounds else ())}:
            await asyncio.wait(under_way, timeout=self._timeout)
            for one in under_way:
                one.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)
        if self._session is not None:
            self._retire(self._session)
        if self._leaving:
            await asyncio.wait(self._leaving, timeout=2 * self._timeout)

    def _enqueue(self, call: Call, topic: Topic, entries: Sequence[Entry]) -> None:
        shares: defaultdict[int, list[Entry]] = defaultdict(list)
        partitions = call.partitions
        for entry in entries:
            shares[partition_of(entry.key, partitions)].append(entry)
        call.parts = [Part(call, partition, share) for partition, share in shares.items()]
        call.missing = len(call.parts)
        for part in call.parts:
            line = self._lines.get((topic.name, part.partition))
            if line is None:
                line = self._lines[topic.name, part.partition] = Line(topic, part.partition)
            line.waiting.append(part)
            if not line.busy:
                self._ready.add(line)
        if self._rounds is None and self._ready:
            # The task begins in the loop's next turn: calls of this turn travel together.
            self._rounds = asyncio.create_task(self._run())

    def _forget(self, call: Call) -> None:
        """Let go of what a call that was answered, given up or cancelled still has waiting."""
        self._bytes -= call.size
        for part in call.parts:
            if part.sent < len(part.entries):
                part.entries = []
        call.parts = []  # they know the call: only the collector would find such a circle
        if call.answer.done() and not call.answer.cancelled():
            call.answer.exception()  # seen, also when the caller's time was up in the same moment

    async def _run(self) -> None:
        """Send rounds of batches, one for each line that has something, until none has."""
        try:
            while self._ready:
                try:
                    session = await self._started()
                except (errors.KafkaError, OSError) as error:
                    await self._unstarted(error)
                    continue
                lines, self._ready = self._ready, set()
                self._next_round.clear()
                await self._send(lines, session)
                with suppress(TimeoutError):
                    async with asyncio.timeout(ROUND):
                        await self._next_round.wait()
        finally:
            self._rounds = None

    async def _unstarted(self, error: BaseException) -> None:
        """Refuse what a new try would not help; try again for who still waits."""
        for line in list(self._ready):
            refused = log_error(error, "starting to append", _needs(line.topic))
            if isinstance(refused, LogMisconfigured):
                refuse(line.waiting, refused)
            if line.next() is None:
                self._ready.discard(line)
        if self._ready:
            await asyncio.sleep(START_PAUSE)

    async def _send(self, lines: set[Line], session: _Session) -> None:
        """Send a batch of each line."""
        known = session.producer.client.cluster.topics()
        strange = {line for line in lines if line.topic.name not in known}
        for line in strange:
            if (sending := self._loaded(line, session)) is not None:
                # aiokafka waits for a topic that Kafka knows no more; nobody else does.
                task = asyncio.create_task(self._in_time(sending))
                self._travelling.add(task)
                task.add_done_callback(self._travelling.discard)
        lines -= strange
        try:
            # One for all: a timer for each batch took a twentieth of a single event's time.
            async with asyncio.timeout(self._timeout):
                while lines:
                    if (sending := self._loaded(lines.pop(), session)) is not None:
                        await sending
        except TimeoutError:
            self._ready |= lines

    async def _in_time(self, sending: Coroutine[Any, Any, None]) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._timeout):
                await sending

    def _loaded(self, line: Line, session: _Session) -> Coroutine[Any, Any, None] | None:
        """The sending of one batch, filled from the line; None when nobody waits for any more."""
        batch = session.producer.create_batch()
        shares = self._fill(line, batch)
        if not shares:
            return None
        line.busy = True
        session.travelling += 1
        return self._sent(line, session, batch, shares)

    async def _sent(
        self, line: Line, session: _Session, batch: Any, shares: list[tuple[Part, int]]
    ) -> None:
        """Let a batch go; `_returned` tells the calls what became of it."""
        confirmed: asyncio.Future[Any] = self._loop.create_future()
        try:
            confirmed = await session.producer.send_batch(
                batch, line.topic.name, partition=line.partition
            )
        # AssertionError is how aiokafka says that a partition is not in its metadata.
        except (errors.KafkaError, OSError, AssertionError) as error:
            confirmed.set_exception(error)
        except asyncio.CancelledError:  # the round's time is up, or ours is
            confirmed.set_exception(TimeoutError())
            raise
        finally:
            timer = self._loop.call_later(self._timeout * PATIENCE, confirmed.cancel)
            self._travelling.add(confirmed)
            confirmed.add_done_callback(partial(self._returned, line, session, shares, timer))

    def _returned(
        self,
        line: Line,
        session: _Session,
        shares: list[tuple[Part, int]],
        timer: asyncio.TimerHandle,
        confirmed: asyncio.Future[Any],
    ) -> None:
        """A batch is confirmed, refused, or was without an answer for too long."""
        timer.cancel()
        self._travelling.discard(confirmed)
        error = TimeoutError() if confirmed.cancelled() else confirmed.exception()
        if error is None and confirmed.result().offset < 0:
            # The broker knows the batch as written, and not any more where.
            error = errors.DuplicateSequenceNumber()
        if error is None:
            self._confirm(shares, confirmed.result().offset)
        else:
            session.spent = True
            why = log_error(error, f"appending to {line.topic.name}", _needs(line.topic))
            refuse((part for part, _ in shares), why)
        session.travelling -= 1
        if session.spent:
            self._retire(session)
        line.busy = False
        if line.next() is not None:
            self._ready.add(line)
            if self._rounds is None:
                self._rounds = asyncio.create_task(self._run())
        self._next_round.set()

    def _fill(self, line: Line, batch: Any) -> list[tuple[Part, int]]:
        """Move entries from the line into a batch; returns how many of each part went in."""
        shares: list[tuple[Part, int]] = []
        append = batch.append
        while (part := line.next()) is not None:
            count = 0
            for one in part.entries[part.sent :] if part.sent else part.entries:
                # Headers must be a list.
                headers = [*one.headers]
                if append(timestamp=None, key=one.key, value=one.value, headers=headers) is None:
                    break
                count += 1
            if count:
                part.sent += count
                shares.append((part, count))
            if part.sent < len(part.entries):
                break
            line.waiting.popleft()
        return shares

    def _confirm(self, shares: list[tuple[Part, int]], base: int) -> None:
        for part, count in shares:
            call = part.call
            if not call.answer.done():
                part.runs.append((base, count))
                part.confirmed += count
                if part.confirmed == len(part.entries):
                    call.missing -= 1
                    if not call.missing:
                        call.answer.set_result(None)
            base += count

    async def _started(self) -> _Session:
        """The producer in use, started if there is none."""
        async with self._starting:
            if self._session is not None:
                return self._session
            producer = self._made()
            try:
                async with asyncio.timeout(self._timeout):
                    await producer.start()
                    cluster = producer.client.cluster
                    cluster.add_listener(self._count_partitions)
                    await producer.client.set_topics([t.name for t in self._topics.values()])
            except BaseException:
                await producer.stop()
                raise
            self._session = _Session(producer)
            return self._session

    def _made(self) -> Any:
        try:
            return AIOKafkaProducer(**self._arguments)
        except RuntimeError as error:  # its library is not there
            kind = self._arguments["compression_type"]
            raise LogMisconfigured(
                f"compression {kind}: {error}; install aiokafka[{kind}]"
            ) from error

    def _count_partitions(self, cluster: Any) -> None:
        """Take over a topic's count of partitions when metadata tells it."""
        for topic in self._topics.values():
            known = cluster.partitions_for_topic(topic.name)
            if known:
                topic.partitions = len(known)

    def _retire(self, session: _Session) -> None:
        """Use another producer from now on; this one leaves when nothing of it travels."""
        session.spent = True
        if self._session is session:
            self._session = None
        if not session.travelling:
            task = asyncio.create_task(_leave(session.producer, self._timeout))
            self._leaving.add(task)
            task.add_done_callback(self._leaving.discard)


async def _leave(producer: Any, patience: float) -> None:
    """Stop a producer without waiting for what is unconfirmed.

    `AIOKafkaProducer.stop` flushes first, and with idempotence aiokafka (0.14) retries a batch
    without end, so `stop` would not return while Kafka is away.
    """
    sender = producer._sender.sender_task
    while sender is not None and not sender.done():
        # Cancelled, it still hears out its requests, each bounded by the request timeout.
        sender.cancel()
        await asyncio.wait([sender], timeout=patience)
    producer._closed = True
    await producer.client.close()


def _needs(topic: Topic) -> str:
    return f"Write and Describe on topic {topic.name}"
