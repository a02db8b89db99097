"""What the tests of the log on Kafka share: settings of a log of its own, and one who appends."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from hub.log import EVENTS, Entry, LogUnavailable
from hub.log.kafka import KafkaLog
from hub.log.settings import KafkaLog as KafkaSettings
from tests.hub.log.scenes import until
from tests.kafka.broker import Broker

PARTITIONS = 4

# Ingest answers within 5 s, so an append that cannot be done must say so before.
SOON = 5.0


def settings_at(bootstrap: str, **changes: Any) -> KafkaSettings:
    """Settings of a log of its own."""
    return KafkaSettings(
        **{
            "bootstrap_servers": bootstrap,
            "topic_prefix": f"t{uuid.uuid4().hex[:12]}.",
            "partitions": PARTITIONS,
            **changes,
        }
    )


class Appender:
    """Appends counting values of one key, each once, and keeps what returned and what raised."""

    def __init__(self, log: KafkaLog, key: str) -> None:
        self._log = log
        self.key = key.encode()
        self.returned: list[int] = []
        self.raised: list[int] = []
        self.slowest = 0.0

    async def run(self, done: asyncio.Event) -> None:
        number = 0
        while not done.is_set():
            began = time.monotonic()
            try:
                await self._log.append(EVENTS, [Entry(self.key, b"%d" % number)])
                self.returned.append(number)
            except LogUnavailable:
                self.raised.append(number)
            self.slowest = max(self.slowest, time.monotonic() - began)
            number += 1


@asynccontextmanager
async def appending(log: KafkaLog, *keys: str) -> AsyncIterator[list[Appender]]:
    """Who append within the block; all have been answered when it is left."""
    appenders = [Appender(log, key) for key in keys]
    done = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        for appender in appenders:
            tasks.create_task(appender.run(done))
        try:
            yield appenders
        finally:
            done.set()


async def opened(settings: KafkaSettings) -> KafkaLog:
    """The log, as soon as Kafka lets it be opened: a broker that was frozen or killed is shut out
    until it has registered again.
    """
    logs: list[KafkaLog] = []

    async def opens() -> bool:
        with suppress(LogUnavailable):
            logs.append(await KafkaLog.open(settings))
        return bool(logs)

    await until(opens)
    return logs[0]


async def is_ready(log: KafkaLog) -> bool:
    """Whether the log says that it can be appended to."""
    try:
        await log.ready()
    except LogUnavailable:
        return False
    return True


async def restart(broker: Broker) -> None:
    """Start a broker again that was killed, while the loop goes on."""
    broker.launch()
    await asyncio.to_thread(broker.wait)


async def works_again(log: KafkaLog, key: str) -> Appender:
    """Append until it is answered; returns who did."""
    async with appending(log, key) as (appender,):
        await until(lambda: bool(appender.returned))
    return appender
