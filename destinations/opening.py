"""What a process of ours opens first: the log, waited for, and a port to be asked at."""

from __future__ import annotations

import asyncio
import contextlib
from contextlib import AsyncExitStack
from typing import Any

import structlog
from aiohttp import web

from destinations.settings import DestinationsSettings
from hub.log import Log, LogMisconfigured, LogUnavailable
from hub.log.opening import open_log
from hub.settings import Fault, Misconfigured

AGAIN_SECONDS = 5.0
"""Pause before a log that is away is asked again."""


async def opened(settings: DestinationsSettings, asked: asyncio.Event) -> Log | None:
    """The log, as soon as it is there; None when we are asked to stop before.

    Raises Misconfigured when waiting would not help.
    """
    while not asked.is_set():
        try:
            return await open_log(settings.log)
        except LogMisconfigured as error:
            raise Misconfigured([Fault("log", str(error))]) from None
        except LogUnavailable as error:
            structlog.get_logger("destinations").warning("the log is away", reason=str(error))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(AGAIN_SECONDS):
                    await asked.wait()
    return None


async def listening(stack: AsyncExitStack, app: web.Application, host: str, port: int) -> str:
    """Serve until the stack closes; the address, with the port that was taken. Or Misconfigured."""
    runner: Any = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        raise Misconfigured([Fault("port", f"cannot listen on {host}:{port}: {error}")]) from None
    return f"http://{host}:{runner.addresses[0][1]}"
