"""`python -m destinations trace MESSAGE_ID`: what became of an event, asked of whoever knows it."""

from __future__ import annotations

import argparse
import asyncio
import sys
from contextlib import AsyncExitStack
from typing import Any
from urllib.parse import quote

from destinations.asking import Unanswered, ask
from destinations.follower import Follower
from destinations.happenings import IndexHappenings
from destinations.index import Index
from destinations.opening import opened
from destinations.settings import DestinationsSettings, plans
from destinations.trace import Tracer
from destinations.traced import printed
from hub.clock import SystemClock
from hub.encoding import dumps
from hub.log import LogError
from hub.metrics import Metrics
from hub.settings import load, path_of

READ_SECONDS = 60.0
"""How long the log is read for an index of our own; the next question goes on from there."""


def parser(commands: Any) -> None:
    """`trace`."""
    traces = commands.add_parser("trace", help="what became of one event, and what it waits for")
    traces.add_argument("message_id", help="its messageId")
    traces.add_argument("--json", action="store_true", help="as JSON")
    traces.set_defaults(run=trace)


async def trace(options: argparse.Namespace) -> int:
    """Ask the process that runs here, else look into the log; 1 when nothing is found."""
    settings = load(DestinationsSettings, path_of(options.config))
    try:
        told = await _asked(settings, options.message_id) or await _found(
            settings, options.message_id
        )
    except LogError as error:
        print(error, file=sys.stderr)
        return 1
    print(dumps(told).decode() if options.json else printed(told), end="\n" * options.json)
    return 0 if told["events"] or told["rejected"] else 1


async def _asked(settings: DestinationsSettings, message_id: str) -> dict[str, Any] | None:
    """The answer of the process whose port the settings name; its index is warm."""
    delivery = settings.delivery
    if delivery.admin_token is None:
        return None
    url = f"http://{delivery.host}:{delivery.port}"
    try:
        return await ask(delivery, "GET", url, f"/admin/trace/{quote(message_id, safe='')}")
    except Unanswered as error:
        print(f"{error}; looking into the log", file=sys.stderr)
        return None


async def _found(settings: DestinationsSettings, message_id: str) -> dict[str, Any]:
    """What the log tells, by an index of our own."""
    clock, tells = SystemClock(), IndexHappenings(Metrics())
    made = plans(settings)
    async with AsyncExitStack() as stack:
        log = await opened(settings, asyncio.Event())
        if log is None:
            raise AssertionError("nobody has asked us to stop")
        stack.push_async_callback(log.close)
        index = Index(settings.delivery, log, clock, tells)
        stack.push_async_callback(index.close)
        tracer = Tracer(log, index, Follower(index, log, clock, tells), made, clock)
        return await tracer.trace(message_id, READ_SECONDS)
