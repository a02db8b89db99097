"""Serves any vendor's sandbox on a socket, under `/<place>`, with a journal and faults on demand.

A place is a vendor's name, or `orders=webhook` for one more of them. `GET /_sandbox/<place>` tells
what it took; `DELETE` begins anew; `POST` sets a fault, which stays until the next:

    {"status": 503}, {"html": true}, {"body": {...}, "headers": {...}}   another answer
    {"truncate": true}, {"cut": true}                 half a body, as if whole, or breaking off
    {"slow": 2.0}, {"hang": true}, {"close": true}    late, never, hung up on

`times`, `share` and `match` choose who meets it: the next so many requests, such a share of them,
those whose body holds a text.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from email.utils import formatdate
from typing import Any, BinaryIO

import orjson
from aiohttp import web
from msgspec.structs import replace

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

    def __init__(self, place: str, die: Callable[[], float] = random.random) -> None:
        self.name, _, vendor = place.partition("=")
        self.place = place
        self.die = die
        self.sandbox: Sandbox = registry.sandbox(vendor or self.name)
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

    def fault_now(self, body: bytes) -> dict[str, Any]:
        """The fault that this request meets; `times` counts it down."""
        fault = self.fault
        if fault.get("match", "").encode() not in body or self.die() >= fault.get("share", 1.0):
            return {}
        if "times" in fault:
            fault["times"] -= 1
            if fault["times"] <= 0:
                self.fault = {}
        return fault

    def answer(
        self, heard: Request, fault: Mapping[str, Any], now: float
    ) -> tuple[Reply, dict[str, Any]]:
        """What it says, and the journal's line; `took` are our ids of what it took as new."""
        kept = self.sandbox.taken
        before = len(kept)
        reply = _forced(fault) or self.sandbox.answer(heard, now)
        line = {
            "method": heard.method,
            "url": heard.url,
            "status": reply.status,
            "at": now,
            "took": [taken.id for taken in kept[before:]],
        }
        self.journal.append(line)
        self.taken()
        return reply, line


def app(
    places: Iterable[str],
    clock: Clock | None = None,
    journal: BinaryIO | None = None,
    die: Callable[[], float] = random.random,
) -> web.Application:
    """An application that serves a sandbox at each of `places`.

    `journal` is written what each place's journal remembers, a line of JSON for each request, with
    the place's name: it forgets nothing. `die` is thrown for the faults that meet a share.
    """
    clock = clock or SystemClock()
    practices = {made.name: made for made in (Practice(place, die) for place in places)}

    async def told(request: web.Request) -> web.Response:
        practice = _of(practices, request)
        if request.method == "DELETE":
            practice = practices[practice.name] = Practice(practice.place, die)
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
        fault = practice.fault_now(heard.body)
        if fault.get("slow"):
            await asyncio.sleep(float(fault["slow"]))
        if fault.get("hang"):
            await asyncio.sleep(3_600)
        now = clock.now()
        reply, line = practice.answer(heard, fault, now)
        # By the clock that it judges by, as at any vendor's.
        reply = replace(reply, headers={"Date": formatdate(now, usegmt=True), **reply.headers})
        if journal is not None:
            journal.write(dumps({"place": practice.name, **line}) + b"\n")
        return await _sent(request, reply, fault)

    made = web.Application(client_max_size=64 * 1_048_576)
    made.router.add_route("*", "/_sandbox/{vendor}", told)
    made.router.add_route("*", "/{vendor}", answer)
    made.router.add_route("*", "/{vendor}/{rest:.*}", answer)
    return made


async def _sent(request: web.Request, reply: Reply, fault: Mapping[str, Any]) -> web.StreamResponse:
    """The reply as it is sent: whole, or as the fault leaves it."""
    half = reply.body[: len(reply.body) // 2]
    hangs_up = fault.get("close") or fault.get("cut")
    if not hangs_up:
        body = half if fault.get("truncate") else reply.body
        return web.Response(status=reply.status, body=body, headers=dict(reply.headers))
    begun = web.StreamResponse(status=reply.status, headers=dict(reply.headers))
    if fault.get("cut"):
        begun.content_length = len(reply.body) + 1  # so that an empty body breaks off, too
        await begun.prepare(request)
        await begun.write(half)
    if request.transport is not None:
        request.transport.close()
    return begun


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
