"""What a person asks of running processes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from destinations.admin import routes
from destinations.asking import Unanswered, ask
from destinations.settings import Delivery
from hub.settings import Misconfigured
from tests.destinations.test_main import _say

TOKEN = "a-token-of-some-length"


class Standing:
    """A crew of one that is barred and braked."""

    def standing(self) -> dict[str, dict[str, Any]]:
        bar = {"action": "send", "code": "scope", "reason": "is missing", "seconds": 250.0}
        return {
            "crm": {
                "state": "barred",
                "bars": [bar],
                "partitions": [0, 1],
                "backlog": 7,
                "in_flight": 2,
                "parked": 3,
                "oldest_seconds": 61.5,
            }
        }

    def release(self, name: str) -> bool | None:
        return True if name == "crm" else None


@pytest.fixture
async def address() -> AsyncIterator[str]:
    """Where a process answers."""

    async def nothing(_: str) -> dict[str, Any]:
        return {}

    app = web.Application()
    app.add_routes(routes(Delivery.model_validate({"admin_token": TOKEN}), nothing, Standing()))
    server = TestServer(app)
    await server.start_server()
    yield str(server.make_url("")).rstrip("/")
    await server.close()


def config(folder: Path, token: str = f"admin_token = '{TOKEN}'") -> str:
    path = folder / "hub.toml"
    path.write_text(f"[delivery]\nport = 1\n{token}\n")
    return str(path)


async def test_status_says_why_a_destination_waits(address: str, tmp_path: Path) -> None:
    """In words: its state, what is behind, and the vendor's reason for each bar."""
    status, out = await _say("--config", config(tmp_path), "status", "--at", address + "/")

    assert 0 == status
    assert "crm" in out
    assert "barred" in out
    assert "send is barred (scope): is missing; asked again in 250 s" in out


async def test_release_lets_a_destination_go_on(address: str, tmp_path: Path) -> None:
    """In each process that is asked; a name that nobody knows is told with those there are."""
    told = config(tmp_path)
    status, out = await _say("--config", told, "release", "crm", "--at", address)
    unknown, said = await _say("--config", told, "release", "nobody", "--at", address)

    assert (0, f"crm at {address}: goes on\n") == (status, out)
    assert (1, True) == (unknown, "there are crm" in said)


async def test_nobody_there_is_told(tmp_path: Path) -> None:
    """The address of the settings is asked, and that it does not answer is said."""
    status, out = await _say("--config", config(tmp_path), "status")

    assert (1, True) == (status, "http://127.0.0.1:1: no answer" in out)


async def test_without_a_token_there_is_nothing_to_ask_with(tmp_path: Path) -> None:
    """The setting that is missing is named."""
    status, out = await _say("--config", config(tmp_path, ""), "status")

    assert (2, True) == (status, "delivery.admin_token" in out)
    with pytest.raises(Misconfigured):
        await ask(Delivery(), "GET", "http://127.0.0.1:1", "/")


async def test_an_answer_that_is_none_is_told(address: str) -> None:
    """What is no JSON of ours, or a refusal, is an error that names the address."""
    delivery = Delivery.model_validate({"admin_token": TOKEN})
    with pytest.raises(Unanswered, match=address):
        await ask(delivery, "GET", address, "/nowhere")
