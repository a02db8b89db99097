"""An event on its way through one destination: where it came from, and what was tried."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from destinations.lanes import Lane
from destinations.plan import Boarding
from destinations.progress import Progress
from destinations.spec import Action, Row
from destinations.talk import Reply
from hub.event import Event


@dataclass(eq=False, slots=True)
class Item:
    """An event in a lane. It has an action and a row only while it is on board."""

    event: Event
    progress: Progress
    attempts: int = 0
    bounces: int = 0
    first_at: float | None = None
    boarding: Boarding | None = None
    accepted: bool = False
    lane: Lane[Item] = field(init=False)

    @property
    def action(self) -> Action[Any]:
        return self._boarded().action

    @property
    def row(self) -> Row:
        return self._boarded().row

    def alight(self) -> None:
        """Forget what boarding parsed: a backlog that waits must stay small."""
        self.boarding = None
        self.event = Event.of(self.event.record)

    def _boarded(self) -> Boarding:
        if self.boarding is None:
            raise AssertionError("an item has a row only while it is on board")
        return self.boarding


@dataclass(frozen=True, slots=True)
class Doomed:
    """An item that becomes a dead letter, and why."""

    item: Item
    code: str
    reason: str
    reply: Reply | None = None
