"""An event on its way through one destination: where it came from, and what was tried."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from destinations.lanes import Lane
from destinations.plan import Boarding
from destinations.progress import Progress
from destinations.spec import Action, Row
from destinations.talk import Reply
from destinations.yard import ParkedLane
from hub.event import Event
from hub.log import EVENTS, Record

_ASHORE: Final = "an item has a row only while it is on board"


class Item(Struct, eq=False):
    """An event in a lane. It has an action and a row only while it is on board.

    `offset` is what its reader must finish; its event may stand elsewhere (a dead letter's does).
    `parked`: its offset in the stream `parked`, and `yard` its lane there, if it was parked.
    `away`: for how many seconds the vendor had been away when it was taken. `first_at`: when it was
    first sent, in seconds since the epoch. `in_doubt`: a call about it may have reached the vendor,
    and its answer is not known.
    """

    event: Event
    progress: Progress
    offset: int
    attempts: int = 0
    bounces: int = 0
    away: float = 0.0
    first_at: float | None = None
    in_doubt: bool = False
    boarding: Boarding | None = None
    accepted: bool = False
    parked: int | None = None
    yard: ParkedLane | None = None
    lane: Lane[Item] = None  # type: ignore[assignment]  # until its first seat

    @property
    def action(self) -> Action[Any]:
        if self.boarding is None:
            raise AssertionError(_ASHORE)
        return self.boarding.action

    @property
    def row(self) -> Row:
        if self.boarding is None:
            raise AssertionError(_ASHORE)
        return self.boarding.row

    @property
    def fresh(self) -> bool:
        """Whether nothing has happened to it yet that the ledger would have to tell."""
        return not self.attempts and not self.in_doubt and self.parked is None

    def alight(self) -> None:
        """Forget what boarding made: a backlog that waits must stay small."""
        self.boarding = None


@dataclass(frozen=True, slots=True)
class Doomed:
    """An item that becomes a dead letter, and why."""

    item: Item
    code: str
    reason: str
    reply: Reply | None = None


def origin(record: Record) -> Record:
    """The record as it stood in `events`, if its header `place` says that it was taken from there.

    What is parked, and what is sent again, keeps the place by which the ledger knows it.
    """
    for name, value in record.headers:
        if name == "place":
            partition, _, offset = value.partition(b":")
            return replace(record, stream=EVENTS, partition=int(partition), offset=int(offset))
    return record
