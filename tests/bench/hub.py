"""The hub that is measured: its settings, its processes as they run in earnest, and its log."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path

from hub.log import StreamStatus
from hub.log.opening import open_log
from hub.log.settings import KafkaLog, LogSettings, SqliteLog
from tests.bench.processes import Server, cpu, free_ports, server
from tests.kafka.broker import Broker

PARTITIONS = 8


@dataclass(slots=True)
class Store:
    """Where events are kept: a Kafka, or SQLite if there is no broker."""

    broker: Broker | None = None

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
        return cpu(self.broker.pid) if self.broker else 0.0


@dataclass(slots=True)
class Hub:
    """A hub in a folder of its own; `destinations` are tables of TOML by the instance's name."""

    folder: Path
    store: Store
    destinations: Mapping[str, str] = field(default_factory=dict)
    partitions: int = PARTITIONS
    key: str = field(default_factory=lambda: secrets.token_hex(16))
    prefix: str = field(default_factory=lambda: f"bench-{secrets.token_hex(4)}.")

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True)
        self.config.write_text(self._settings())

    @property
    def config(self) -> Path:
        return self.folder / "hub.toml"

    @property
    def file(self) -> Path:
        """SQLite's file."""
        return self.folder / "hub.db"

    def _settings(self) -> str:
        digest = hashlib.sha256(self.key.encode()).hexdigest()
        broker = self.store.broker
        lines = [
            f"[log]\nkind = '{self.store.kind}'\npartitions = {self.partitions}",
            f"bootstrap_servers = '{broker.bootstrap}'\ntopic_prefix = '{self.prefix}'"
            if broker
            else f"path = '{self.file}'",
            "[ingest]\nhost = '127.0.0.1'\ngrace_seconds = 0.0",
            f"[ingest.spool]\npath = '{self.folder / 'spool'}'",
            f"[sources.shop]\nkeys = ['sha256:{digest}']",
            f"[delivery]\nindex_path = '{self.folder / 'index'}'",
        ]
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

    async def count(self) -> int:
        """Events in the log, as the log says and not the hub."""
        return sum(span.end for span in (await self._status()).spans)

    async def lag(self) -> int:
        """What destinations have not finished of the events in the log."""
        status = await self._status()
        return sum(status.lag(group) for group in self.destinations)

    async def _status(self) -> StreamStatus:
        log = await open_log(self._log())
        try:
            return next(one for one in await log.status() if one.stream == "events")
        finally:
            await log.close()

    def _log(self) -> LogSettings:
        broker = self.store.broker
        if broker:
            return KafkaLog(bootstrap_servers=broker.bootstrap, topic_prefix=self.prefix)
        return SqliteLog(path=self.file, partitions=self.partitions)

    def commits(self) -> int:
        """Transactions of SQLite so far: the WAL's index counts them (walformat, `iChange`)."""
        with (self.folder / "hub.db-shm").open("rb") as index:
            return int.from_bytes(index.read(12)[8:], "little")
