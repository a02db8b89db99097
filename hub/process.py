"""The life of a process: logging, the two signals, and the answers /healthz, /readyz and /metrics.

The first SIGTERM or SIGINT asks: nothing new is begun and what is in flight is heard out, up to a
deadline. The second insists: the process ends now; the log keeps the truth.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import logging
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

import orjson
import structlog
import uvloop
from aiohttp import web

from hub.metrics import CONTENT_TYPE, Metrics
from hub.settings import Misconfigured

Ready = Callable[[], Awaitable[str | None]]

COLLECTING: Final = (50_000, 20, 100)
"""New objects until the youngest are looked at, and how often before the older ones are."""

COLLECTED: Final = 1.0
"""Seconds after which the youngest are looked at anyway, few as they may be: what Kafka's client
leaves behind it holds megabytes."""

# Names and numbers of glibc's malloc.h: (M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD), in bytes.
_KEPT: Final = ((-1, 64 * 1_048_576), (-2, 4 * 1_048_576), (-3, 8 * 1_048_576))


def begin_logging() -> None:
    """One line of JSON per happening on standard error, or coloured text on a terminal."""
    shared: list[structlog.typing.Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if sys.stderr.isatty():
        shared.append(
            structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        )
    else:
        # Tracebacks stay: they name lines of code. Locals would name people, and are left out.
        shared += [
            structlog.processors.ExceptionRenderer(
                structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
            ),
            structlog.processors.JSONRenderer(
                serializer=lambda obj, **_: orjson.dumps(obj, default=str).decode()
            ),
        ]
    structlog.configure(
        processors=shared,
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    # Libraries speak when something is wrong. aiokafka says the same error dozens of times a second
    # while a broker is away, which our log and metrics tell once.
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(name)s: %(message)s")
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)


def asked_to_stop() -> asyncio.Event:
    """An event that the first SIGTERM or SIGINT sets; the second ends the process at once."""
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()

    def heard(number: int) -> None:
        if asked.is_set():
            os._exit(128 + number)
        asked.set()

    for sign in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(sign, heard, sign)
    return asked


def run(main: Coroutine[Any, Any, int]) -> int:
    """Run `main` on uvloop; wrong settings are told line by line and end with status 2."""
    keep_memory()
    try:
        return uvloop.run(main)
    except Misconfigured as error:
        for fault in error.faults:
            print(fault, file=sys.stderr)  # noqa: T201 - before logging is of use to anyone
        return 2
    except KeyboardInterrupt:
        return 130


def keep_memory() -> None:
    """Keep up to 64 MB of what was freed, where glibc allocates; elsewhere nothing happens.

    It would give back each large body as soon as it is freed and ask for the same again, a page
    fault for every 4 KB: an eighth of ingest's time at batches of 100.
    """
    with suppress(OSError, AttributeError, TypeError):  # another libc has no mallopt
        mallopt = ctypes.CDLL(None).mallopt
        for name, value in _KEPT:
            mallopt(name, value)


@contextmanager
def little_collecting() -> Iterator[None]:
    """Look for cyclic garbage less often, and only among what came after the start.

    A body of half a megabyte may hold 150,000 lists, and a few thousand events wait for their
    batch. With Python's defaults the collector walks over all that the process has loaded again and
    again while they are made: a second, not 20 ms, for that body, and a third of delivery's time.
    """
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECTING)
    collecting = asyncio.create_task(_collecting())
    try:
        yield
    finally:
        collecting.cancel()
        gc.set_threshold(*before)
        gc.unfreeze()


async def _collecting() -> None:
    while True:
        await asyncio.sleep(COLLECTED)
        gc.collect(0)


def health_routes(metrics: Metrics, ready: Ready) -> list[web.RouteDef]:
    """/healthz: the process turns. /readyz: `ready` returns, perhaps with the state that it is in.
    /metrics: what Prometheus scrapes.
    """

    async def healthz(_: web.Request) -> web.Response:
        return web.json_response({"ok": True})

    async def readyz(_: web.Request) -> web.Response:
        try:
            async with asyncio.timeout(2.0):
                state = await ready()
        except Exception as error:
            return web.json_response({"ok": False, "reason": type(error).__name__}, status=503)
        return web.json_response({"ok": True, "state": state} if state else {"ok": True})

    async def scrape(_: web.Request) -> web.Response:
        return web.Response(body=metrics.exposition(), headers={"Content-Type": CONTENT_TYPE})

    return [web.get("/healthz", healthz), web.get("/readyz", readyz), web.get("/metrics", scrape)]
