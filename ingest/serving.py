"""One process of ingest: what is opened, in which order, and how it is let go."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aiohttp import web

import schemas
from hub.clock import Clock
from hub.log import Log, LogError
from hub.metrics import Metrics
from hub.process import health_routes, little_collecting
from ingest.admission import Room
from ingest.app import App
from ingest.connection import Server
from ingest.dedupe import Seen
from ingest.detour import Detour, Spooled
from ingest.fast_path import FastPath
from ingest.happenings import Happenings
from ingest.intake import Intake
from ingest.keeping import Keeping, Ticket
from ingest.settings import IngestSettings
from ingest.sources import Sources
from ingest.validate import Rules

LINGER: Final = 3.0
BACKLOG: Final = 1_024


class Stopping(Exception):
    """Asked to stop: still serving, and not to be sent more."""


@dataclass(frozen=True, slots=True)
class Serving:
    """A process that listens."""

    port: int
    server: Server
    stopping: asyncio.Event

    def stop_being_ready(self) -> None:
        """Say not ready, and ask clients to come back on another connection."""
        self.stopping.set()


@asynccontextmanager
async def serving(
    settings: IngestSettings,
    folder: Path,
    log: Log | Spooled,
    clock: Clock,
    *,
    shared: bool = False,
) -> AsyncIterator[Serving]:
    """Listen until the end of the block; then hear out what is in flight. The log stays open.

    `shared`: other processes listen on the same port. Raises Misconfigured.
    """
    ingest = settings.ingest
    sources = Sources.of(settings.sources, folder)
    rules = Rules(
        schemas.load(), tuple(ipaddress.ip_network(net) for net in ingest.trusted_proxies)
    )
    metrics = Metrics()
    happenings = Happenings(metrics, clock, sources.by_name)
    seen: Seen[Ticket] = Seen(ingest.dedupe_ids, ingest.dedupe_seconds, clock.steady())
    way = Detour(log, happenings, ingest.spool.after_seconds) if isinstance(log, Spooled) else log
    keeping = Keeping(way, seen, happenings, clock, ingest.answer_seconds)
    intake = Intake(sources, rules, keeping, happenings, clock, ingest.compat)
    room = Room(ingest.max_bytes_in_flight, ingest.max_requests_in_flight)
    stopping = asyncio.Event()

    async def ready() -> str | None:
        if stopping.is_set():
            raise Stopping
        return await way.ready()

    health = health_routes(metrics, ready)
    server = Server(
        App(intake, room, happenings, clock, ingest, health, stopping).answer,
        FastPath(intake, room, happenings, clock, stopping),
        happenings,
        max_connections=ingest.max_connections,
        head_seconds=ingest.head_seconds,
        idle_seconds=ingest.idle_seconds,
        linger_seconds=LINGER,
    )
    async with AsyncExitStack() as stack:
        # Dying goes upwards: no new connections and requests first, then appends under way.
        if isinstance(way, Detour):
            stack.push_async_callback(way.close)
        stack.push_async_callback(keeping.close)
        if ingest.dedupe_recall_seconds:
            await _recall(keeping, log, clock.now() - ingest.dedupe_recall_seconds)
        runner = web.ServerRunner(server, shutdown_timeout=ingest.stop_seconds)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        site = web.TCPSite(
            runner, ingest.host, ingest.port, backlog=BACKLOG, reuse_port=shared or None
        )
        await site.start()
        stack.enter_context(little_collecting())
        happenings.began(site.port, len(sources.by_name))
        try:
            yield Serving(site.port, server, stopping)
        finally:
            happenings.stopping()


async def _recall(keeping: Keeping, log: Log | Spooled, since: float) -> None:
    """Learn what was taken lately, and all that is spooled.

    Best effort: without it the hub serves, and takes some retries for new events.
    """
    pasts = (
        [(log.log, since), (log.spool.file, 0.0)] if isinstance(log, Spooled) else [(log, since)]
    )
    for past, begin in pasts:
        if past is not None:
            with suppress(LogError):
                await keeping.recall(past, begin)


async def stopped(process: Serving, asked: asyncio.Event, grace: float) -> None:
    """Wait until asked to stop, then for the grace in which no more is sent here."""
    await asked.wait()
    process.stop_being_ready()
    await asyncio.sleep(grace)


def free_port(host: str, port: int) -> tuple[socket.socket, int]:
    """A socket that holds a port for workers to share; it never listens itself."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    held = socket.socket(family, socket.SOCK_STREAM)
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind((host, port))
    return held, held.getsockname()[1]
