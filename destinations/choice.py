"""What a replay does with each event of its range: send it, or leave it for a reason. Pure."""

from __future__ import annotations

import hashlib
from collections import Counter, deque
from collections.abc import Mapping
from typing import Final, Literal

from destinations import verdicts
from destinations.plan import DUPLICATE
from destinations.selection import Selection
from destinations.verdicts import Verdicts
from hub.event import Event
from hub.log import Record

Choice = Literal["sent", "unmeant", "done", "twin", "delivered", "pending", "other_code", "broken"]

SENTENCES: Final[Mapping[Choice, str]] = {
    "sent": "chosen",
    "done": "done by this replay before",
    "delivered": "delivered before; --all sends them too",
    "pending": "still to come in the live lane",
    "twin": "accepted twice, and gone once",
    "other_code": "without the code that is asked for",
    "unmeant": "not asked for",
    "broken": "no event",
}
"""What each choice says to a person, in the order in which they are told."""

MOST_IDS: Final = 1_000_000
"""Message ids that are remembered, of which the second does not go: some hundred megabytes."""


class Chooser:
    """Chooses the events of one replay, each partition's in order.

    `places`: what the instance's group has committed of each partition. What it has not come to is
    not for a replay: its turn comes. `everything`: also what was delivered before.
    """

    def __init__(
        self,
        selection: Selection,
        verdicts: Verdicts,
        places: Mapping[int, int],
        everything: bool = False,
    ) -> None:
        self.verdicts = verdicts
        self.counts: Counter[Choice] = Counter()
        self._selection = selection
        self._places = places
        self._everything = everything
        self._ids: set[bytes] = set()
        self._order: deque[bytes] = deque()

    def choose(self, record: Record) -> Event | None:
        """The event if it is to be sent; the reason is counted otherwise."""
        try:
            event = Event.of(record)
        except (KeyError, ValueError):
            self.counts["broken"] += 1
            return None
        choice = self._choice(event)
        self.counts[choice] += 1
        return event if choice == "sent" else None

    def was_delivered(self, event: Event) -> bool:
        """Whether the ledger says that the instance's vendor took it before."""
        at = event.record
        return self.verdicts.of(at.partition, at.offset) == verdicts.DELIVERED

    def _choice(self, event: Event) -> Choice:
        if not self._selection.means(
            id=event.id, type=event.type, name=event.name, source=event.source
        ):
            return "unmeant"
        seen = self._seen(event)
        at = event.record
        verdict = self.verdicts.of(at.partition, at.offset)
        code = self.verdicts.code(verdict)
        if verdict == verdicts.OURS:
            return "done"
        if seen or (code == DUPLICATE and DUPLICATE not in self._selection.codes):
            return "twin"
        if verdict == verdicts.PARKED or (
            verdict == verdicts.UNTOLD and at.offset >= self._places.get(at.partition, 0)
        ):
            return "pending"
        if self._selection.codes and code not in self._selection.codes:
            return "other_code"
        if verdict == verdicts.DELIVERED and not self._everything:
            return "delivered"
        return "sent"

    def _seen(self, event: Event) -> bool:
        """Whether an event of the same source and messageId went by; from now on it did."""
        said = f"{event.source}\x00{event.id}".encode()
        digest = hashlib.blake2b(said, digest_size=16).digest()
        if digest in self._ids:
            return True
        self._ids.add(digest)
        self._order.append(digest)
        if len(self._order) > MOST_IDS:
            self._ids.discard(self._order.popleft())
        return False
