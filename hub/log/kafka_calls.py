"""Who waits for an append to Kafka: calls, their parts by partition, and lines of these."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable

from msgspec import Struct, field

from hub.log import Entry, LogError
from hub.log.kafka_topics import Topic


class Call(Struct, eq=False):
    """One call of `append`, of so many bytes: answered when no part is missing. `partitions`: how
    many its topic has.
    """

    answer: asyncio.Future[None]
    size: int
    partitions: int
    parts: list[Part] = field(default_factory=list)
    missing: int = 0


class Part(Struct, eq=False):
    """What one call appends to one partition."""

    call: Call
    partition: int
    entries: list[Entry] = field(default_factory=list)
    sent: int = 0  # how many of the entries went into a batch
    confirmed: int = 0
    runs: list[tuple[int, int]] = field(default_factory=list)  # of offsets; first, and how many


class Line(Struct, eq=False):
    """The parts that wait for one partition; `busy` while a batch of it travels."""

    topic: Topic
    partition: int
    waiting: deque[Part] = field(default_factory=deque)
    busy: bool = False

    def next(self) -> Part | None:
        """The first part that someone still waits for."""
        while self.waiting and self.waiting[0].call.answer.done():
            self.waiting.popleft()
        return self.waiting[0] if self.waiting else None


def refuse(parts: Iterable[Part], error: LogError) -> None:
    """Tell their calls that nothing came of it."""
    for part in parts:
        if not part.call.answer.done():
            part.call.answer.set_exception(error)
