"""What a person may ask a running process."""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from destinations.admin import routes
from destinations.settings import Delivery
from hub.log import LogUnavailable

TOKEN = "a-token-of-some-length"


async def _trace(message_id: str) -> dict[str, Any]:
    return {"id": message_id}


async def _away(_: str) -> dict[str, Any]:
    raise LogUnavailable("the broker at 10.0.0.1 is away")


class Standing:
    """A crew of one, whose brake is on."""

    def standing(self) -> dict[str, dict[str, Any]]:
        return {"crm": {"state": "braked"}}

    def release(self, name: str) -> bool | None:
        return True if name == "crm" else None


async def _asked(
    authorization: str | None, token: str | None = TOKEN, trace: Any = _trace, path: str = "m-1"
) -> tuple[int, Any]:
    app = web.Application()
    app.add_routes(routes(Delivery.model_validate({"admin_token": token}), trace, Standing()))
    headers = {"Authorization": authorization} if authorization else {}
    async with TestClient(TestServer(app)) as client:
        answer = await client.get(f"/admin/trace/{path}", headers=headers)
        return answer.status, await answer.json()


@pytest.mark.parametrize("authorization", [f"Bearer {TOKEN}", f"bearer  {TOKEN} "])
async def test_who_shows_the_token_is_answered(authorization: str) -> None:
    """The scheme in any case, as HTTP has it."""
    assert (200, {"id": "m-1"}) == await _asked(authorization)


@pytest.mark.parametrize(
    "authorization", [None, "Bearer", "Bearer wrong", f"Basic {TOKEN}", TOKEN, "Bearer \udcff\xff"]
)
async def test_who_does_not_is_refused(authorization: str | None) -> None:
    """No token, another, or in another scheme: 401."""
    status, told = await _asked(authorization)

    assert (401, ["error"]) == (status, list(told))


async def test_without_a_token_nobody_may_ask() -> None:
    """Nothing is there before somebody decides who may ask."""
    status, told = await _asked(f"Bearer {TOKEN}", token=None)

    assert 404 == status
    assert "delivery.admin_token" in told["error"]


async def test_an_id_may_hold_anything() -> None:
    """A messageId is the sender's: slashes and blanks belong to it."""
    assert (200, {"id": "a/b c%"}) == await _asked(f"Bearer {TOKEN}", path="a/b%20c%25")


async def test_a_log_that_is_away_is_told() -> None:
    """A 503, without the words of our own network."""
    status, told = await _asked(f"Bearer {TOKEN}", trace=_away)

    assert (503, {"error": "the log cannot be read: LogUnavailable"}) == (status, told)


async def test_how_instances_stand_and_the_brake_are_behind_the_token() -> None:
    """A person sees why an instance waits, and lets go; who is nobody does neither."""
    app = web.Application()
    app.add_routes(routes(Delivery.model_validate({"admin_token": TOKEN}), _trace, Standing()))
    mine = {"Authorization": f"Bearer {TOKEN}"}
    async with TestClient(TestServer(app)) as client:
        stands = await (await client.get("/admin/destinations", headers=mine)).json()
        let_go = await (await client.post("/admin/destinations/crm/release", headers=mine)).json()
        unknown = await client.post("/admin/destinations/nobody/release", headers=mine)
        nobody = [
            await client.get("/admin/destinations"),
            await client.post("/admin/destinations/crm/release"),
        ]

    assert ({"crm": {"state": "braked"}}, {"released": True}) == (stands, let_go)
    assert (404, [401, 401]) == (unknown.status, [one.status for one in nobody])
