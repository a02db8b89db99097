"""The process that delivers: workers on a log, and a port to be asked at, until asked to stop."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import structlog
from aiohttp import web

from destinations import admin
from destinations.audit import Audit
from destinations.crew import Crew
from destinations.follower import Follower
from destinations.happenings import AuditHappenings, Happenings, IndexHappenings
from destinations.index import Index
from destinations.opening import listening, opened
from destinations.plan import Plan
from destinations.sender import Sender
from destinations.settings import DestinationsSettings, plans
from destinations.trace import Tracer
from destinations.worker import Worker
from hub import process
from hub.clock import SystemClock
from hub.log import EVENTS, Log, LogError
from hub.metrics import Metrics
from hub.settings import Misconfigured, load, path_of

LAG_SECONDS = 5.0
"""How often the log is asked how far each instance is behind."""

BESIDE_SECONDS = 10.0
"""Pause before what goes on beside delivery is begun again after it broke."""

WATCH_SECONDS = 2.0
"""How often the settings file is looked at."""

Version = tuple[int, int]
"""When a file was written, in nanoseconds, and its bytes."""


async def run(options: argparse.Namespace) -> int:
    """Deliver until asked to stop; the exit status."""
    path = path_of(options.config)
    read = _version(path)
    settings = load(DestinationsSettings, path)
    begun = _enabled(settings)
    clock = SystemClock()
    metrics = Metrics()
    asked = process.asked_to_stop()
    async with AsyncExitStack() as stack:
        # Opened top to bottom, closed bottom to top: the log last, since all others write to it.
        log = await opened(settings, asked)
        if log is None:
            return 0
        stack.push_async_callback(log.close)
        sender = await stack.enter_async_context(Sender())
        told = IndexHappenings(metrics)
        index = Index(settings.delivery, log, clock, told)
        stack.push_async_callback(index.close)

        def hire(plan: Plan) -> Worker:
            return Worker(plan, log, sender, metrics, clock, settings.delivery, index=index)

        crew = Crew(hire, metrics)
        follower = Follower(index, log, clock, told)
        tracer = Tracer(log, index, follower, crew.plans, clock)
        served = web.Application()
        served.add_routes(process.health_routes(metrics, log.ready))
        served.add_routes(admin.routes(settings.delivery, tracer.trace, crew))
        address = await listening(stack, served, settings.delivery.host, settings.delivery.port)
        stack.enter_context(process.little_collecting())
        await crew.work_for(begun)
        print(f"delivering for {len(begun)} destinations; metrics at {address}/metrics", flush=True)
        audit = Audit(log, crew.plans, AuditHappenings(metrics, crew.plans), clock)
        beside = [
            asyncio.create_task(_beside(what, begin))
            for what, begin in (
                ("measures", lambda: _measuring(log, crew, metrics)),
                ("watches the settings", lambda: _watching(path, read, settings, crew)),
                ("follows the log", follower.run),
                ("audits", audit.run),
            )
        ]
        try:
            await asked.wait()
        finally:
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)
            await crew.stop()
    return 0


def _enabled(settings: DestinationsSettings) -> dict[str, Plan]:
    return {name: plan for name, plan in plans(settings).items() if plan.instance.enabled}


async def _beside(what: str, begin: Callable[[], Awaitable[None]]) -> None:
    """Something that goes on beside delivery; when it breaks it is begun again, and told."""
    while True:
        try:
            await begin()
        except Exception as error:
            structlog.get_logger("destinations").error(
                f"what {what} broke; beginning it again", error=type(error).__name__
            )
        await asyncio.sleep(BESIDE_SECONDS)


async def _measuring(log: Log, crew: Crew, metrics: Metrics) -> None:
    """How far each instance is behind, now and then."""
    while True:
        try:
            status = next((s for s in await log.status() if s.stream == EVENTS), None)
            for name in crew.plans:
                Happenings(metrics, name).lags(status.lag(name) if status else 0)
        except LogError:
            pass  # the workers tell that the log is away; a gauge that stands still is enough here
        await asyncio.sleep(LAG_SECONDS)


async def _watching(
    path: Path, seen: Version | None, settings: DestinationsSettings, crew: Crew
) -> None:
    """Follow the settings of the instances as the file changes; a faulty file changes nothing.

    `seen`: the version that `settings` were read of; it may have changed since.

    A destination that was barred is asked again at once when its settings change.
    """
    log = structlog.get_logger("destinations")
    while True:
        await asyncio.sleep(WATCH_SECONDS)
        version = _version(path)
        if version is None or version == seen:
            continue
        seen = version
        try:
            changed = load(DestinationsSettings, path)
            begun = await crew.work_for(_enabled(changed))
        except Misconfigured as error:
            log.error("the settings changed and cannot be used", faults=str(error))
            continue
        log.warning("the settings changed", begun=begun, instances=list(crew.plans))
        if (changed.log, changed.delivery) != (settings.log, settings.delivery):
            log.warning("[log] and [delivery] take effect at the next start")


def _version(path: Path) -> Version | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_size
