"""A hub to send to: the real process on a real socket, over a log that can be looked into."""

from __future__ import annotations

import asyncio
import base64
import gzip
import io
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import orjson
from yarl import URL

from hub.clock import Clock, FakeClock
from hub.log import EVENTS, REJECTED, STREAMS, Entry, Log, LogUnavailable, Place
from hub.log.memory import MemoryLog
from ingest.detour import Spooled
from ingest.keys import hash_of
from ingest.serving import Serving, serving
from ingest.settings import Ingest, IngestSettings, SourceSettings, SpoolSettings
from ingest.spool import Spool

KEY = "shopKEYshopKEYshopKEYshopKEY0001"
OTHER = "shopKEYshopKEYshopKEYshopKEY0002"
UNKNOWN = "nobodysKEYnobodysKEYnobodysKEY99"
NOW = "2026-11-21T10:00:00.000Z"
"""What FakeClock shows."""


@dataclass(frozen=True)
class Reply:
    """What a client is told."""

    status: int
    headers: Mapping[str, str]
    bytes: bytes

    @property
    def json(self) -> Any:
        return orjson.loads(self.bytes)

    @property
    def message(self) -> Any:
        return self.json["message"]


class Hub:
    """One running hub, and one client of it."""

    def __init__(self, process: Serving, log: Log, clock: Clock, client: aiohttp.ClientSession):
        self.process = process
        self.port = process.port
        self.log = log
        self.clock = clock
        self.client = client

    async def ask(self, method: str, path: str, **options: Any) -> Reply:
        url = URL(f"http://127.0.0.1:{self.port}{path}", encoded=True)
        async with self.client.request(method, url, allow_redirects=False, **options) as answer:
            return Reply(answer.status, answer.headers, await answer.read())

    async def get(self, path: str, **options: Any) -> Reply:
        return await self.ask("GET", path, **options)

    async def post(self, path: str, body: Any, **options: Any) -> Reply:
        data = body if isinstance(body, bytes) else orjson.dumps(body)
        # aiohttp's client asks for a file when a body is large.
        return await self.ask("POST", path, data=io.BytesIO(data), **options)

    async def send(self, *events: Any, headers: Mapping[str, str] | None = None) -> Reply:
        """A batch as a server's SDK sends it."""
        return await self.post(
            "/v1/batch", {"batch": list(events)}, headers={**basic(KEY), **(headers or {})}
        )

    async def events(self) -> list[Any]:
        """What is in the stream `events`, partition by partition."""
        return await self._all(EVENTS)

    async def rejected(self) -> list[Any]:
        """What is in the stream `rejected`."""
        return await self._all(REJECTED)

    async def only(self) -> Any:
        """The one event."""
        (event,) = await self.events()
        return event

    async def metric(self, line: str) -> float:
        """The value of one line of /metrics; 0 when it is not there."""
        text = (await self.get("/metrics")).bytes.decode()
        found = [row.rpartition(" ")[2] for row in text.splitlines() if row.startswith(line + " ")]
        return float(found[0]) if found else 0.0

    async def talk(self, *pieces: bytes) -> bytes:
        """Write to a socket, and read until the hub closes it."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        answer = await reader.read()
        writer.close()
        return answer

    async def _all(self, stream: str) -> list[Any]:
        found = []
        for status in await self.log.status():
            if status.stream == stream:
                for span in status.spans:
                    records = await self.log.read(stream, span.partition, 0, 10_000)
                    found += [orjson.loads(record.value) for record in records]
        return found


class HeldLog(MemoryLog):
    """A log that is slow until it is freed."""

    def __init__(self) -> None:
        super().__init__()
        self.entered = asyncio.Event()
        self.free = asyncio.Event()

    async def append(self, stream: str, entries: Sequence[Entry]) -> Sequence[Place]:
        self.entered.set()
        await self.free.wait()
        return await super().append(stream, entries)


class AwayLog(MemoryLog):
    """A log that is away until it is back; `streams` are those that are concerned."""

    def __init__(self, *streams: str) -> None:
        super().__init__()
        self.streams = streams or STREAMS

    async def append(self, stream: str, entries: Sequence[Entry]) -> Sequence[Place]:
        if stream in self.streams:
            raise LogUnavailable("away")
        return await super().append(stream, entries)


async def until(happened: Callable[[], Awaitable[bool]]) -> None:
    """Look again and again; the test's own timeout ends what never happens."""
    while not await happened():  # noqa: ASYNC110 - what is looked at rings no bell
        await asyncio.sleep(0.005)


def basic(key: str) -> dict[str, str]:
    """The header of SDKs that send no key in the body."""
    return {"Authorization": "Basic " + base64.b64encode(f"{key}:".encode()).decode()}


def track(**fields: Any) -> dict[str, Any]:
    """A track call that is in order."""
    return {"type": "track", "userId": "u-1", "event": "Tested"} | fields


def zipped(body: Any) -> bytes:
    """A body as Kotlin's SDK sends it."""
    return gzip.compress(body if isinstance(body, bytes) else orjson.dumps(body))


def settings(
    ingest: Mapping[str, Any] | None = None, more: Mapping[str, Any] | None = None, **source: Any
) -> IngestSettings:
    """Settings of one source, `shop`, with two keys; `more` are other sources."""
    keys = (hash_of(KEY), hash_of(OTHER))
    return IngestSettings(
        ingest=Ingest(**({"host": "127.0.0.1", "port": 0} | dict(ingest or {}))),
        sources={
            "shop": SourceSettings(keys=keys, **source),
            **{name: SourceSettings(**fields) for name, fields in (more or {}).items()},
        },
    )


@asynccontextmanager
async def hub_of(
    asked: IngestSettings, log: Log | None = None, folder: Path | None = None
) -> AsyncIterator[Hub]:
    """A hub that runs until the end of the block; its clock stands still until it is told.

    With a folder named by the spool's settings it has a spool beside its log.
    """
    log = log or MemoryLog()
    clock = FakeClock()
    async with AsyncExitStack() as stack:
        way: Log | Spooled = log
        if asked.ingest.spool.path.is_absolute():
            way = await stack.enter_async_context(spooled(log, asked.ingest.spool, clock))
        process = await stack.enter_async_context(serving(asked, folder or Path(), way, clock))
        session = aiohttp.ClientSession(auto_decompress=False)
        yield Hub(process, log, clock, await stack.enter_async_context(session))


@asynccontextmanager
async def spooled(
    log: Log, asked: SpoolSettings, clock: Clock | None = None
) -> AsyncIterator[Spooled]:
    """A log with a spool beside it."""

    async def opening() -> Log:
        return log

    async with Spool.opened(asked, asked.path, clock or FakeClock()) as spool:
        yield Spooled(log, opening, spool)
