"""A sandbox to talk to without a socket."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from destinations.courier import carry
from destinations.hubspot.hubspot import destination
from destinations.hubspot.sandbox import Sandbox
from destinations.hubspot.settings import Settings
from destinations.outcome import Outcome
from destinations.spec import Account, Row
from destinations.talk import Reply, Request
from hub.clock import FakeClock
from tests.destinations.cases import NOW

OAUTH = {
    "client_id": "client-sandbox",
    "client_secret": "secret-sandbox",
    "refresh_token": "refresh-sandbox",
}


class Practice:
    """Sends to a sandbox without a socket, and keeps what was said."""

    def __init__(self, change: Callable[[Request, Reply], Reply] | None = None) -> None:
        self.sandbox = Sandbox()
        self.clock = FakeClock(NOW)
        self.requests: list[Request] = []
        self.change = change

    async def send(self, request: Request) -> Reply:
        self.requests.append(request)
        headers = {name.lower(): value for name, value in request.headers.items()}
        heard = Request(
            request.method, request.url.removeprefix("http://hubspot"), headers, request.body
        )
        reply = self.sandbox.answer(heard, self.clock.now())
        return self.change(request, reply) if self.change else reply

    def account(self, **more: Any) -> Account[Settings]:
        told = {"access_token": "pat-sandbox", "base_url": "http://hubspot", **more}
        return Account(Settings.model_validate(told), self.clock.now)

    async def carry(self, name: str, rows: list[Row], account: Account[Settings]) -> list[Outcome]:
        action = next(action for action in destination.actions if action.name == name)
        carried = await carry(action, rows, account, self)
        if carried.error is not None:
            raise carried.error
        return list(carried.outcomes)

    @property
    def calls(self) -> list[str]:
        return [f"{r.method} {r.url.rpartition('/')[2]}" for r in self.requests]


def contact(number: int, email: str, **traits: Any) -> Row:
    fields = {"email": email, "properties": traits}
    return Row(f"m-{number}", "identify", "", NOW, None, fields, b"{}")
