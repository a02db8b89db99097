"""The access token of an instance: asked for early, once at a time, and never written down."""

from __future__ import annotations

import asyncio
from typing import Any

from destinations.courier import MAX_REQUESTS, Sends, redact
from destinations.outcome import Barred, Failed
from destinations.sender import ForbiddenAddress, Unsent
from destinations.spec import Account, Destination
from destinations.talk import Token, Unreadable

EARLY = 0.8
"""The part of a token's life after which it is renewed; vendors ask not to wait for a 401."""


class Tokens:
    """Single flight: while one request asks for a token, all others wait for its answer."""

    def __init__(self, vendor: Destination[Any], account: Account[Any], sender: Sends) -> None:
        self._vendor = vendor
        self._account = account
        self._sender = sender
        self._lock = asyncio.Lock()
        self._asked = 0
        self._trouble: Failed | Barred | None = None
        self._renew_at = 0.0

    @property
    def needed(self) -> bool:
        """Whether this instance's settings call for a token."""
        return self._vendor.token is not None and self._vendor.needs_token(self._account.settings)

    async def fresh(self) -> Failed | Barred | None:
        """See to it that `account.token` is good; what stood in the way, otherwise."""
        if not self.needed or self._good():
            return None
        return await self._once()

    async def spoilt(self, token: str) -> Failed | Barred | None:
        """`token` was not accepted: get another, unless somebody has done so already."""
        if self._account.token != token:
            return None
        return await self._once()

    async def _once(self) -> Failed | Barred | None:
        """Ask, or hear what came of it for the one who is asking already."""
        asked = self._asked
        async with self._lock:
            if self._asked == asked:
                self._trouble = await self._ask()
                self._asked += 1
            return self._trouble

    def _good(self) -> bool:
        return bool(self._account.token) and self._account.now < self._renew_at

    async def _ask(self) -> Failed | Barred | None:
        if self._vendor.token is None:
            return Barred("unauthorised", "the vendor has no way to renew a token")
        talk = self._vendor.token(self._account)
        try:
            request = next(talk)
            for _ in range(MAX_REQUESTS):
                request = talk.send(await self._sender.send(request))
            return Failed("endless_talk")
        except StopIteration as end:
            if isinstance(end.value, Token):
                self._account.token = end.value.value
                self._renew_at = self._account.now + end.value.expires_in * EARLY
                return None
            if isinstance(end.value, Barred):
                return Barred(end.value.code, redact(end.value.reason))
            return end.value if isinstance(end.value, Failed) else Failed("wrong_outcomes")
        except Unsent as error:
            return Failed(error.reason)
        except ForbiddenAddress as error:
            return Barred("forbidden_address", str(error))
        except Unreadable:
            return Failed("unreadable_reply")
        finally:
            talk.close()
