"""The doors: each path to its room, and every answer with what a browser needs to read it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from aiohttp import HttpVersion11, hdrs, web

from hub.clock import Clock
from ingest import cdn, pixel
from ingest.admission import Room, Stay
from ingest.errors import SUCCESS, Answer, refuse
from ingest.happenings import Happenings
from ingest.heads import call_of, cors, preflight, text_of
from ingest.intake import Intake
from ingest.paths import Path, path_of
from ingest.post import Call
from ingest.prepared import prepared
from ingest.receive import Crowded, Gone, Late, Patience, receive
from ingest.settings import Ingest

Answering = Callable[[web.Request], Awaitable[web.StreamResponse]]


class App:
    """Answers every request that is HTTP; never raises for what a client sent.

    `stopping`: clients are asked to come back on another connection.
    """

    def __init__(
        self,
        intake: Intake,
        room: Room,
        happenings: Happenings,
        clock: Clock,
        settings: Ingest,
        health: list[web.RouteDef],
        stopping: asyncio.Event,
    ) -> None:
        self._intake = intake
        self._room = room
        self._happenings = happenings
        self._clock = clock
        self._settings = settings
        self._patience = Patience(settings.body_seconds, settings.body_gap_seconds)
        self._health: Mapping[str, Answering] = {route.path: route.handler for route in health}
        self._stopping = stopping

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """The one door that the server knows."""
        began = self._clock.steady()
        raw_path = request.rel_url.raw_path
        path = path_of(raw_path)
        response: web.StreamResponse
        if path is None and raw_path in self._health and request.method in ("GET", "HEAD"):
            family = "health"
            response = await self._health[raw_path](request)  # type: ignore[arg-type]
            response.headers.update(cors(request.headers))
        else:
            family = path.family if path else "other"
            try:
                answer = await self._answered(request, path)
            except Exception as error:
                self._happenings.failed(error)
                answer = pixel.ANSWER if family == "pixel" else refuse("internal")
            stays = request.keep_alive and request.version == HttpVersion11
            if answer is SUCCESS and stays and self._goes_on(request):
                response = prepared(SUCCESS, cors(request.headers), self._clock.now())
            else:
                response = _response(request, answer)
        if not self._goes_on(request) or response.status == 408:
            request.protocol.close()
            response.force_close()
        self._happenings.answered(family, response.status, self._clock.steady() - began)
        return response

    def _goes_on(self, request: web.BaseRequest) -> bool:
        """Whether the connection may bring another request."""
        return not self._stopping.is_set() and request.content.exception() is None

    async def _answered(self, request: web.BaseRequest, path: Path | None) -> Answer:
        method = request.method
        if method == "OPTIONS":
            return Answer(204, b"", preflight(request.headers))
        if path is None:
            self._happenings.unkept("not_found")
            return refuse("not_found")
        if method != path.method:
            if path.family == "pixel" and method == "HEAD":
                return pixel.ANSWER
            if not (path.family == "settings" and method == "HEAD"):
                self._happenings.unkept("wrong_method")
                return refuse("wrong_method")
        match path.family:
            case "single" | "batch":
                return await self._post(request, path)
            case "pixel":
                return await self._pixel(request, path)
            case "settings":
                return self._cdn(request, path)
            case _:
                # What SDKs tell of themselves; the body is read and dropped by the server.
                return SUCCESS

    async def _post(self, request: web.BaseRequest, path: Path) -> Answer:
        stay = self._room.enter()
        if stay is None:
            return self._overloaded()
        try:
            body = await receive(request, stay, self._patience)
            if not stay.begin():
                return self._overloaded()
            self._happenings.in_flight(self._room.bytes)
            return await self._intake.take(_call(request, path), body, stay)
        except Crowded:
            return self._overloaded()
        except Late:
            self._happenings.unkept("slow_body")
            return refuse("slow_body")
        except Gone:
            self._happenings.unkept("broken_body")
            return refuse("broken_body")
        finally:
            self._left(stay)

    async def _pixel(self, request: web.BaseRequest, path: Path) -> Answer:
        stay = self._room.enter()
        if stay is None or not stay.begin():
            self._overloaded()
        else:
            try:
                query = text_of(request.rel_url.raw_query_string)
                await self._intake.take_address(_call(request, path), query, stay)
            finally:
                self._left(stay)
        return pixel.ANSWER

    def _cdn(self, request: web.BaseRequest, path: Path) -> Answer:
        """The settings need no log and no room: they are there when nothing else is (row 30)."""
        if not self._intake.knows(path.key):
            self._happenings.unkept("unknown_write_key")
            return refuse("unknown_write_key")
        host = request.headers.get(hdrs.HOST)
        return cdn.answer(path.key, self._settings.public_url, host)

    def _overloaded(self) -> Answer:
        self._happenings.limited("", "overloaded")
        return refuse("overloaded", retry_after=1)

    def _left(self, stay: Stay) -> None:
        if not stay.kept:
            stay.leave()
        self._happenings.in_flight(self._room.bytes)


def _call(request: web.BaseRequest, path: Path) -> Call:
    return call_of(path, request.headers, request.remote)


def _response(request: web.BaseRequest, answer: Answer) -> web.Response:
    headers = dict(cors(request.headers))
    headers.update(answer.headers)
    if answer.status != 204:
        headers["Content-Type"] = answer.content_type
    return web.Response(status=answer.status, body=answer.body, headers=headers)
