"""The hub that is measured: its settings, its processes as they run in earnest, and its log."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from hub.log import EVENTS, Log, StreamStatus
from hub.log.opening import open_log
from hub.log.settings import KafkaLog, LogSettings, SqliteLog
from tests.bench.events import keys_of
from tests.bench.processes import Server, free_ports, server
from tests.bench.spent import cpu
from tests.kafka.broker import Broker

PARTITIONS = 8

APPEND_SECONDS = 60.0
"""To fill a log takes what the machine has, so that an append may wait for long."""


@dataclass(slots=True)
class Store:
    """Where events are kept: a Kafka with its `data`, or SQLite if there is no broker."""

    broker: Broker | None = None
    data: Path = Path()

    @property
    def kind(self) -> str:
        return "kafka" if self.broker else "sqlite"

    @property
    def durable(self) -> str:
        """What is true of an event when it is answered 200."""
        return "acks=all, 1 broker, RF 1" if self.broker else "WAL, fsync each commit"

    @property
    def cpu(self) -> float:
        """CPU-seconds of the broker; SQLite works in the hub's own processes."""
        return cpu(self.pid)

    @property
    def pid(self) -> int | None:
        return self.broker.pid if self.broker else None


@dataclass(slots=True)
class Hub:
    """A hub in a folder of its own; `destinations` are tables of TOML by the instance's name, and
    `key` is what the write keys of its sources begin with.
    """

    folder: Path
    store: Store
    destinations: Mapping[str, str] = field(default_factory=dict)
    partitions: int = PARTITIONS
    sources: int = 1
    key: str = field(default_factory=lambda: secrets.token_hex(16))
    prefix: str = field(default_factory=lambda: f"bench-{secrets.token_hex(4)}.")

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True)
        self.config.write_text(self._settings())

    @property
    def config(self) -> Path:
        return self.folder / "hub.toml"

    @property
    def index(self) -> Path:
        """The folder of delivery's index."""
        return self.folder / "index"

    @property
    def file(self) -> Path:
        """SQLite's file."""
        return self.folder / "hub.db"

    def _settings(self) -> str:
        broker = self.store.broker
        lines = [
            f"[log]\nkind = '{self.store.kind}'\npartitions = {self.partitions}",
            f"bootstrap_servers = '{broker.bootstrap}'\ntopic_prefix = '{self.prefix}'"
            if broker
            else f"path = '{self.file}'",
            "[ingest]\nhost = '127.0.0.1'\ngrace_seconds = 0.0",
            f"[ingest.spool]\npath = '{self.folder / 'spool'}'",
            f"[delivery]\nindex_path = '{self.index}'",
        ]
        for number, key in enumerate(keys_of(self.key, self.sources)):
            digest = hashlib.sha256(key.encode()).hexdigest()
            lines.append(f"[sources.shop{number}]\nkeys = ['sha256:{digest}']")
        lines += [f"[destinations.{name}]\n{told}" for name, told in self.destinations.items()]
        return "\n".join(lines) + "\n"

    def ingest(self, workers: int = 1) -> AbstractAsyncContextManager[Server]:
        """The processes that take events in."""
        (port,) = free_ports(1)
        command = ("ingest", "--config", str(self.config), "--workers", str(workers))
        told = {"HUB_INGEST__PORT": str(port)}
        return server(self.folder, *command, port=port, path="readyz", **told)

    def delivery(self) -> AbstractAsyncContextManager[Server]:
        """The process that delivers."""
        (port,) = free_ports(1)
        command = ("destinations", "--config", str(self.config), "run")
        told = {"HUB_DELIVERY__PORT": str(port)}
        return server(self.folder, *command, port=port, path="readyz", **told)

    @asynccontextmanager
    async def log(self) -> AsyncIterator[Log]:
        """The log, opened here, to be filled and asked for what the hub itself might not know."""
        log = await open_log(self._log())
        try:
            yield log
        finally:
            await log.close()

    async def lag(self, log: Log) -> int:
        """What destinations have not finished of the events in the log."""
        status = await _events(log)
        return sum(status.lag(group) for group in self.destinations)

    def _log(self) -> LogSettings:
        broker = self.store.broker
        if not broker:
            return SqliteLog(path=self.file, partitions=self.partitions)
        return KafkaLog(
            bootstrap_servers=broker.bootstrap,
            topic_prefix=self.prefix,
            partitions=self.partitions,
            append_timeout=APPEND_SECONDS,
        )

    def weight(self, stream: str) -> int:
        """Bytes of a stream in Kafka's files, without what Kafka keeps to find them."""
        return _size(self.store.data, f"**/{self.prefix}{stream}-*/*.log")

    @property
    def index_weight(self) -> int:
        """Bytes of the index, when the process that delivers has ended."""
        return _size(self.index, "*")

    def commits(self) -> int:
        """Transactions of SQLite so far: the WAL's index counts them (walformat, `iChange`)."""
        with (self.folder / "hub.db-shm").open("rb") as index:
            return int.from_bytes(index.read(12)[8:], "little")


def _size(folder: Path, pattern: str) -> int:
    return sum(path.stat().st_size for path in folder.glob(pattern) if path.is_file())


async def kept(log: Log) -> int:
    """Events in the log, as the log says and not the hub."""
    return sum(span.end for span in (await _events(log)).spans)


async def _events(log: Log) -> StreamStatus:
    return next(one for one in await log.status() if one.stream == EVENTS)
