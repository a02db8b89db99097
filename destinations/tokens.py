"""The access token of an instance: asked for early, once for all processes, and kept in the log."""

from __future__ import annotations

import asyncio
from typing import Any

from destinations.courier import MAX_REQUESTS, Sends, redact
from destinations.outcome import Barred, Failed
from destinations.sender import ForbiddenAddress, Unsent
from destinations.spec import Account, Destination
from destinations.talk import Token, Unreadable
from destinations.vault import Vault
from hub.clock import Clock
from hub.log import Log, LogError

ASK_SECONDS = 20.0
"""Seconds in which a vendor gives a token or does not; other processes wait a little longer."""

AGAIN_SECONDS = 30.0
"""Seconds until an early renewal that failed is tried again, while the token is still good."""


class Tokens:
    """Single flight: while one request asks for a token, all others wait for its answer."""

    def __init__(
        self,
        name: str,
        vendor: Destination[Any],
        account: Account[Any],
        sender: Sends,
        log: Log,
        clock: Clock,
    ) -> None:
        self._vendor = vendor
        self._account = account
        self._sender = sender
        grant = vendor.grant(account.settings)
        self._vault = None if grant is None else Vault(log, name, grant.get_secret_value(), clock)
        self._lock = asyncio.Lock()
        self._asked = 0
        self._trouble: Failed | Barred | None = None
        self._renew_at = 0.0
        self._ends = 0.0

    @property
    def needed(self) -> bool:
        """Whether this instance's settings call for a token."""
        return self._vault is not None

    async def fresh(self) -> Failed | Barred | None:
        """See to it that `account.token` is good; what stood in the way, otherwise."""
        now = self._account.now
        if not self.needed or now < self._renew_at:
            return None
        if now >= self._ends:
            return await self._once()
        # It is early: others go on with the token that there is, also when this fails.
        if not self._lock.locked() and await self._once() is not None:
            self._renew_at = now + AGAIN_SECONDS
        return None

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
                self._trouble = await self._obtained()
                self._asked += 1
            return self._trouble

    async def _obtained(self) -> Failed | Barred | None:
        if self._vault is None:
            return Barred("unauthorised", "the settings have nothing to get another token with")
        try:
            kept = await self._vault.obtain(self._account.token, self._ask)
        except LogError:
            return Failed("log_unavailable")
        if isinstance(kept, Failed | Barred):
            return kept
        self._account.token = kept.token
        self._renew_at, self._ends = kept.renew_at, kept.ends
        return None

    async def _ask(self, grant: str) -> Token | Failed | Barred:
        """What the vendor says to `grant`."""
        if self._vendor.token is None:
            return Barred("unauthorised", "the vendor has no way to renew a token")
        self._account.grant = grant
        talk = self._vendor.token(self._account)
        try:
            async with asyncio.timeout(ASK_SECONDS):
                request = next(talk)
                for _ in range(MAX_REQUESTS):
                    request = talk.send(await self._sender.send(request))
            return Failed("endless_talk")
        except StopIteration as end:
            if isinstance(end.value, Barred):
                return Barred(end.value.code, redact(end.value.reason))
            return end.value if isinstance(end.value, Token | Failed) else Failed("wrong_outcomes")
        except TimeoutError:
            return Failed("timeout")
        except Unsent as error:
            return Failed(error.reason)
        except ForbiddenAddress as error:
            return Barred("forbidden_address", str(error))
        except Unreadable:
            return Failed("unreadable_reply")
        finally:
            talk.close()
