"""Makes durable what became of events: pages of the ledger, dead letters, and what is parked."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from destinations import deadletters
from destinations.happenings import Happenings
from destinations.item import Doomed, Item
from destinations.plan import Plan
from destinations.station import Station
from hub.clock import Clock
from hub.log import DEAD_LETTERS, DELIVERIES, PARKED, Entry, Log, LogError, Place

AGAIN_SECONDS = 1.0
"""Pause before the log is asked again after it was away."""


LATE_SECONDS = 0.5
"""How long an append to the ledger may take before nothing more is sent; it takes milliseconds."""


class Scribe:
    """One instance's. What cannot be written is tried until the log has it: nothing counts before.

    How much waits is bounded by the backlog, of which it is a part.
    """

    def __init__(
        self, plan: Plan, log: Log, station: Station, tells: Happenings, clock: Clock
    ) -> None:
        self._plan = plan
        self._log = log
        self._station = station
        self._tells = tells
        self._clock = clock
        self._pen = asyncio.Lock()
        self._cart = asyncio.Lock()
        self._began: float | None = None
        self.stuck = False

    @property
    def late(self) -> bool:
        """Whether the ledger is so far behind that nothing more should be sent: it could only be
        sent again, if this process ended now.
        """
        return self._began is not None and self._clock.steady() - self._began > LATE_SECONDS

    async def record(self) -> None:
        """Return when all that is in the book now is in the ledger."""
        async with self._pen:
            book = self._station.book
            if book.empty:
                return
            leaves = book.leaves()
            now = self._clock.now()
            entries = [book.entry(leaf, now) for leaf in leaves]
            told = [entry for entry in entries if entry is not None]
            self._began = self._clock.steady()
            try:
                places = iter(await self._append(DELIVERIES, told))
            except BaseException:
                # Given up for now, as when a partition must be let go: nothing may be forgotten.
                book.put_back(leaves)
                raise
            finally:
                self._began = None
            for leaf, entry in zip(leaves, entries, strict=True):
                book.durable(leaf, None if entry is None else next(places).offset)

    async def bury(self, doomed: Sequence[Doomed]) -> None:
        """Dead letters first, and then their lines."""
        now = self._clock.now()
        ours = [dead for dead in doomed if not dead.item.progress.gone]
        entries = [
            deadletters.entry_of(
                self._plan,
                dead.item.event,
                action=dead.item.boarding.action.name if dead.item.boarding else None,
                code=dead.code,
                reason=dead.reason,
                attempts=dead.item.attempts,
                first_at=dead.item.first_at or now,
                died_at=now,
                reply=dead.reply,
                replay=self._station.book.replay,
            )
            for dead in ours
        ]
        await self._append(DEAD_LETTERS, entries)
        for dead in ours:
            self._tells.buried(dead.code, dead.item.event.id, dead.reason)
            self._station.buried(dead, self._clock.now())

    async def park(self) -> None:
        """Events whose key waits too long, in their order: one append after the other."""
        async with self._cart:
            parking = self._station.parking
            items: list[Item] = []
            for item in parking.leaving():
                if item.progress.gone:
                    parking.abandoned(item)
                else:
                    items.append(item)
            try:
                places = await self._append(PARKED, [parking.entry(item) for item in items])
            except BaseException:
                parking.put_back(items)
                raise
            for item, place in zip(items, places, strict=True):
                parking.arrived(item, place)

    async def _append(self, stream: str, entries: Sequence[Entry]) -> Sequence[Place]:
        while entries:
            try:
                places = await self._log.append(stream, entries)
                self.stuck = False
                return places
            except LogError as error:
                self.stuck = True
                self._tells.stumbled(f"{stream} cannot be written; trying again", error)
                await asyncio.sleep(AGAIN_SECONDS)
        return []
