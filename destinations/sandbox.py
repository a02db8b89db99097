"""Serves any vendor's sandbox on a socket, under `/<vendor>`, with a journal and faults on demand.

`GET /_sandbox/<vendor>` tells what it took; `POST` sets faults: `{"status": 503, "times": 3}`,
`{"slow": 2.0}`, `{"hang": true}`, `{"close": true}`, `{"truncate": true}`, `{"html": true}`,
`{"body": {...}, "headers": {...}}`; `DELETE` begins anew.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any

import orjson
from aiohttp import web

from destinations import registry
from destinations.spec import Sandbox, Taken
from destinations.talk import Reply, Request
from hub.clock import Clock, SystemClock
from hub.encoding import dumps

JOURNAL = 1_000
"""Requests that a vendor's journal remembers."""

TAKEN = 100_000
"""Deliveries that a sandbox remembers, so that a demo may run for days; all are counted."""


class Practice:
    """One vendor's sandbox with its journal and the faults that it was asked for."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.sandbox: Sandbox = registry.sandbox(name)
        self.journal: deque[dict[str, Any]] = deque(maxlen=JOURNAL)
        self.requests = 0
        self.forgotten = 0
        self.fault: dict[str, Any] = {}

    def taken(self) -> int:
        """How much it took as delivered; of more than twice TAKEN the oldest are forgotten."""
        kept = self.sandbox.taken
        if len(kept) > 2 * TAKEN:
            self.forgotten += len(kept) - TAKEN
            del kept[:-TAKEN]
        return self.forgotten + len(kept)

    def fault_now(self) -> dict[str, Any]:
        """The fault that this request meets; `times` counts it down."""
        fault = self.fault
        if fault and "times" in fault:
            fault["times"] -= 1
            if fault["times"] <= 0:
                self.fault = {}
        return fault


def app(names: Iterable[str], clock: Clock | None = None) -> web.Application:
    """An application that serves the sandboxes of `names`."""
    clock = clock or SystemClock()
    practices = {name: Practice(name) for name in names}

    async def told(request: web.Request) -> web.Response:
        practice = _of(practices, request)
        if request.method == "DELETE":
            practice = practices[practice.name] = Practice(practice.name)
        elif request.method == "POST":
            practice.fault = dict(orjson.loads(await request.read()))
        elif request.query.get("journal") == "1":
            return _json(list(practice.journal))
        elif request.query.get("taken") == "1":
            names = [field.name for field in fields(Taken)]
            return _json([{n: getattr(t, n) for n in names} for t in practice.sandbox.taken])
        return _json({"requests": practice.requests, "taken": practice.taken()})

    async def answer(request: web.Request) -> web.StreamResponse:
        practice = _of(practices, request)
        heard = Request(
            request.method,
            "/" + request.raw_path.removeprefix(f"/{practice.name}").removeprefix("/"),
            {name.lower(): value for name, value in request.headers.items()},
            await request.read(),
        )
        practice.requests += 1
        fault = practice.fault_now()
        if fault.get("slow"):
            await asyncio.sleep(float(fault["slow"]))
        if fault.get("hang"):
            await asyncio.sleep(3_600)
        forced = _forced(fault)
        reply = forced or practice.sandbox.answer(heard, clock.now())
        practice.taken()
        practice.journal.append(
            {"method": heard.method, "url": heard.url, "status": reply.status, "at": clock.now()}
        )
        if fault.get("close"):
            if request.transport is not None:
                request.transport.close()
            return web.Response()
        body = reply.body[: len(reply.body) // 2] if fault.get("truncate") else reply.body
        return web.Response(status=reply.status, body=body, headers=dict(reply.headers))

    made = web.Application(client_max_size=64 * 1_048_576)
    made.router.add_route("*", "/_sandbox/{vendor}", told)
    made.router.add_route("*", "/{vendor}", answer)
    made.router.add_route("*", "/{vendor}/{rest:.*}", answer)
    return made


def _forced(fault: Mapping[str, Any]) -> Reply | None:
    if fault.get("html"):
        page = b"<html><body>Bad gateway</body></html>"
        return Reply(int(fault.get("status", 502)), {"content-type": "text/html"}, page)
    if "status" in fault or "body" in fault:
        reply = Reply.of(int(fault.get("status", 200)), fault.get("body"))
        return Reply(reply.status, {**reply.headers, **fault.get("headers", {})}, reply.body)
    return None


def _of(practices: Mapping[str, Practice], request: web.Request) -> Practice:
    practice = practices.get(request.match_info["vendor"])
    if practice is None:
        raise web.HTTPNotFound(text=f"there are {', '.join(practices)}")
    return practice


def _json(value: Any) -> web.Response:
    return web.Response(body=dumps(value), content_type="application/json")
