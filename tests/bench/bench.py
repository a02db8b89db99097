"""What all lines of a bench share: how long and how often, a folder, a broker, and the clients."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench.filling import Mould, moulds
from tests.bench.hub import Hub, Store
from tests.bench.processes import Server, asked
from tests.bench.reading import Reading
from tests.kafka.broker import Broker


@dataclass(frozen=True, slots=True)
class Shape:
    """What the load is like: events of a request, connections, and events a second (0: all)."""

    batch: int = 1
    connections: int = 64
    rate: float = 0.0
    users: int = 5_000


@dataclass(frozen=True, slots=True)
class Contender:
    """What is loaded: where, as how many sources of which write keys, and how the log counts its
    events and SQLite its transactions.
    """

    name: str
    server: Server
    key: str = "key"
    store: Store | None = None
    count: Callable[[], Awaitable[int]] | None = None
    commits: Callable[[], int] | None = None
    sources: int = 1


@dataclass(slots=True)
class Bench:
    """One run of the bench: `rounds` alternating rounds of `seconds` each; `size` scales counts of
    events, and `backlog` is one.
    """

    folder: Path
    rounds: int
    seconds: float
    size: float
    backlog: int
    stack: AsyncExitStack
    _stores: list[Store] = field(default_factory=list)
    _moulds: list[Mould] = field(default_factory=list)
    _moulding: asyncio.Lock = field(default_factory=asyncio.Lock)
    _folders: int = 0

    def store(self, kind: str) -> Store:
        """The log's store; the broker is begun when it is first asked for."""
        if kind == "sqlite":
            return Store()
        if not self._stores:
            data = self.place("kafka")
            broker = Broker(data=data)
            self.stack.callback(broker.remove)
            broker.start()
            self._stores.append(Store(broker, data))
        return self._stores[0]

    async def moulds(self) -> list[Mould]:
        """What logs are filled with; made by a hub when first asked for."""
        async with self._moulding:
            if not self._moulds:
                self._moulds = await moulds(Hub(self.place("moulds"), Store(), partitions=1))
            return self._moulds

    def place(self, name: str) -> Path:
        """A folder that is not there yet."""
        self._folders += 1
        return self.folder / f"{name}-{self._folders}"

    async def loaded(self, contender: Contender, shape: Shape, seconds: float = 0.0) -> Reading:
        """What came of a load from a process of its own."""
        there = await contender.count() if contender.count else 0
        commits = contender.commits() if contender.commits else 0
        store = contender.store.pid if contender.store else None
        told = await asked(
            *("tests.bench.load", contender.server.url, contender.key),
            *("--batch", shape.batch, "--connections", shape.connections, "--rate", shape.rate),
            *("--users", shape.users, "--sources", contender.sources),
            *("--seconds", seconds or self.seconds, "--watch", contender.server.pid, store or 0),
        )
        commits = contender.commits() - commits if contender.commits else 0
        kept = await contender.count() - there if contender.count else told["events"]
        return Reading(
            events=told["events"],
            seconds=told["seconds"],
            cpu=told["watched"][0],
            store=told["watched"][1],
            load=told["cpu"],
            lost=max(0, told["events"] - kept),
            refused=told["refused"],
            commits=commits,
            delays=told["delays"],
        )
