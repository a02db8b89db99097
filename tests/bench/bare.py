"""The ceiling: aiohttp on uvloop that reads a body, parses it, and says 200.

Run as a program: a port. It is aiohttp's low-level server, without routes or middlewares.
"""

from __future__ import annotations

import asyncio
import sys

import orjson
import uvloop
from aiohttp import web


async def answer(request: web.BaseRequest) -> web.Response:
    """Read, parse, forget."""
    body = await request.read()
    if body:
        orjson.loads(body)
    return web.Response(body=b'{"success":true}', content_type="application/json")


async def serve(port: int) -> None:
    """Serve until the process is ended."""
    runner = web.ServerRunner(web.Server(answer))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, backlog=1_024).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
