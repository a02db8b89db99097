"""What a person may ask a running process, by HTTP beside /metrics, with the admin token."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from aiohttp import web
from pydantic import SecretStr

from destinations.settings import Delivery
from hub.encoding import dumps
from hub.log import LogError

Trace = Callable[[str], Awaitable[dict[str, Any]]]
Answering = Callable[[web.Request], Awaitable[web.Response]]


class Stands(Protocol):
    """Who can tell how the instances stand, and let go of a brake: the crew."""

    def standing(self) -> dict[str, dict[str, Any]]: ...

    def release(self, name: str) -> bool | None: ...


def routes(delivery: Delivery, trace: Trace, crew: Stands) -> list[web.RouteDef]:
    """What is there under /admin: nothing, without a token in the settings.

    GET destinations: how each stands. POST destinations/{name}/release: let go of its brake.
    GET trace/{message_id}: what became of an event.
    """

    def guarded(answer: Answering) -> Answering:
        async def guard(request: web.Request) -> web.Response:
            refusal = refused(request, delivery.admin_token)
            return await answer(request) if refusal is None else refusal

        return guard

    async def traced(request: web.Request) -> web.Response:
        try:
            told = await trace(request.match_info["message_id"])
        except LogError as error:
            return _said(503, {"error": f"the log cannot be read: {type(error).__name__}"})
        return _said(200, told)

    async def standing(_: web.Request) -> web.Response:
        return _said(200, crew.standing())

    async def released(request: web.Request) -> web.Response:
        was = crew.release(request.match_info["name"])
        if was is None:
            return _said(404, {"error": f"there are {', '.join(crew.standing()) or 'none'}"})
        return _said(200, {"released": was})

    return [
        web.get("/admin/destinations", guarded(standing)),
        web.post("/admin/destinations/{name}/release", guarded(released)),
        web.get("/admin/trace/{message_id:.+}", guarded(traced)),
    ]


def refused(request: web.Request, token: SecretStr | None) -> web.Response | None:
    """A 404 when nobody may ask under /admin, a 401 when the token is not shown; else None."""
    if token is None:
        return _said(404, {"error": "set delivery.admin_token to ask under /admin"})
    kind, _, shown = request.headers.get("Authorization", "").partition(" ")
    # Compared in constant time, as bytes: what is shown may be any text.
    good = hmac.compare_digest(
        shown.strip().encode(errors="replace"), token.get_secret_value().encode()
    )
    if kind.lower() == "bearer" and good:
        return None
    refusal = _said(401, {"error": "show delivery.admin_token as Authorization: Bearer"})
    refusal.headers["WWW-Authenticate"] = "Bearer"
    return refusal


def _said(status: int, told: dict[str, Any]) -> web.Response:
    return web.Response(status=status, body=dumps(told), content_type="application/json")
