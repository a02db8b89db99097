"""The bare aiohttp client: POSTs events, so many at once, and reads the answers.

Run as a program; prints what it took as one line of JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import time

import aiohttp
import orjson
import uvloop

from tests.bench.events import Events

HEADERS = {"Content-Type": "application/json"}


async def run(url: str, count: int, concurrency: int) -> dict[str, float]:
    """Deliver `count` events; with a concurrency of 1, strictly one after the other."""
    events = Events(1_000)
    left = count

    async def deliver(session: aiohttp.ClientSession) -> None:
        nonlocal left
        while left > 0:
            left -= 1
            async with session.post(url, data=events.event(), headers=HEADERS) as answer:
                await answer.read()

    connector = aiohttp.TCPConnector(limit=concurrency)
    async with aiohttp.ClientSession(connector=connector) as session:
        began, spent = time.monotonic(), time.process_time()
        async with asyncio.TaskGroup() as group:
            for _ in range(concurrency):
                group.create_task(deliver(session))
        return {
            "events": count,
            "seconds": time.monotonic() - began,
            "cpu": time.process_time() - spent,
        }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.client", description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--concurrency", type=int, default=64)
    asked = parser.parse_args()
    told = uvloop.run(run(asked.url, asked.count, asked.concurrency))
    print(orjson.dumps(told).decode())  # noqa: T201 - its result


if __name__ == "__main__":
    main()
