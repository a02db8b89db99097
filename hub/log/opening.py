"""The opening of a log: from what is set to the log that is meant."""

from __future__ import annotations

from hub.log import Log
from hub.log.settings import KafkaLog, LogSettings, MemoryLog, SqliteLog


async def open_log(settings: LogSettings) -> Log:
    """The log of `settings`, ready for use; the caller closes it.

    A backend is imported when it is asked for: who keeps a SQLite file needs no Kafka client.
    Raises LogMisconfigured, or LogUnavailable when the log is away.
    """
    match settings:
        case MemoryLog():
            from hub.log import memory

            return memory.MemoryLog(settings)
        case SqliteLog():
            from hub.log import sqlite

            return await sqlite.SqliteLog.open(settings)
        case KafkaLog():
            from hub.log import kafka

            return await kafka.KafkaLog.open(settings)
