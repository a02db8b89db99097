"""Sees a bus to its vendor and back: a token, the intent where one is needed, and the talk."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from destinations import ledger
from destinations.batcher import Bus
from destinations.book import Book
from destinations.courier import Sends, carry
from destinations.happenings import Happenings
from destinations.item import Item
from destinations.outcome import Barred, Outcome
from destinations.plan import Plan
from destinations.scribe import Scribe
from destinations.spec import Account
from destinations.talk import Reply, all_rows
from destinations.tokens import Tokens


class Conductor:
    """One instance's."""

    def __init__(
        self,
        plan: Plan,
        account: Account[Any],
        tokens: Tokens,
        sender: Sends,
        book: Book,
        scribe: Scribe,
        tells: Happenings,
    ) -> None:
        self._plan = plan
        self._account = account
        self._tokens = tokens
        self._sender = sender
        self._book = book
        self._scribe = scribe
        self._tells = tells

    async def carry(self, bus: Bus[Item]) -> tuple[list[Outcome], Reply | None]:
        """An outcome for each rider; when a token was not accepted, once more with a new one."""
        by_token = self._tokens.needed
        if by_token and (trouble := await self._tokens.fresh()) is not None:
            return all_rows(trouble, bus.riders), None
        now = self._account.now
        for item in bus.riders:
            if item.first_at is None:
                item.first_at = now
        if self._plan.intends(bus.action):
            await self._intend(bus, now)
        token = self._account.token
        outcomes, reply = await self._carry(bus, bus.riders)
        if not by_token:
            return outcomes, reply
        stale = [n for n, outcome in enumerate(outcomes) if _asks_for_token(outcome)]
        if stale:
            if (trouble := await self._tokens.spoilt(token)) is not None:
                again = all_rows(trouble, stale)
            else:
                again, reply = await self._carry(bus, [bus.riders[n] for n in stale])
            for n, outcome in zip(stale, again, strict=True):
                outcomes[n] = outcome
        return outcomes, reply

    async def _intend(self, bus: Bus[Item], now: float) -> None:
        """Note, durably, a call that must not be repeated unknowingly."""
        for item in bus.riders:
            self._book.goes_on(item, ledger.SENDING, action=bus.action.name, at=int(now * 1000))
        await self._scribe.record()

    async def _carry(
        self, bus: Bus[Item], riders: Sequence[Item]
    ) -> tuple[list[Outcome], Reply | None]:
        rows = [item.row for item in riders]
        carried = await carry(bus.action, rows, self._account, self._sender)
        if carried.error is not None:
            self._tells.broke(bus.action.name, carried.error)
        return list(carried.outcomes), carried.reply


def _asks_for_token(outcome: Outcome) -> bool:
    return isinstance(outcome, Barred) and outcome.stale_token
