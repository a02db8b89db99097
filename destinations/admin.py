"""What a person may ask a running process, by HTTP beside /metrics, with the admin token."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web
from pydantic import SecretStr

from destinations.settings import Delivery
from hub.encoding import dumps
from hub.log import LogError

Trace = Callable[[str], Awaitable[dict[str, Any]]]


def routes(delivery: Delivery, trace: Trace) -> list[web.RouteDef]:
    """GET /admin/trace/{message_id}. Without a token in the settings there is nothing there."""

    async def traced(request: web.Request) -> web.Response:
        if (refusal := refused(request, delivery.admin_token)) is not None:
            return refusal
        try:
            told = await trace(request.match_info["message_id"])
        except LogError as error:
            return _said(503, {"error": f"the log cannot be read: {type(error).__name__}"})
        return _said(200, told)

    return [web.get("/admin/trace/{message_id:.+}", traced)]


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
