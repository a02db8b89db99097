"""How far one instance is in one partition: its events, those it parked, and its ledger. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from destinations.note import Note, written
from destinations.track import Track


@dataclass(frozen=True, slots=True)
class Recovered:
    """What an earlier owner of a partition left: see `destinations/recovery.py`.

    `doubts` are offsets of events whose last call was begun and not known to have ended, each with
    the page of `deliveries` that tells so; `lanes` are its parked events, as (key, offset in
    `parked`), oldest first.
    """

    note: Note = field(default_factory=Note)
    place: int | None = None
    doubts: Mapping[int, int] = field(default_factory=dict)
    lanes: Sequence[tuple[bytes, int]] = ()


@dataclass(eq=False, slots=True)
class Progress:
    """One partition's, from when it was given to us until it is taken away.

    `key`: of one of its events; a page with this key is in the partition's ledger.

    Items keep their Progress, not their partition: an answer that comes after the partition moved
    finishes a Progress that is `gone`, harmlessly.
    """

    partition: int
    events: Track = field(default_factory=Track)
    parked: Track = field(default_factory=Track)
    key: bytes = b""
    gone: bool = False
    doubts: set[int] = field(default_factory=set)
    kept: int = 0
    _ledger: int = 0
    _intents: dict[int, int] = field(default_factory=dict)

    @classmethod
    def of(cls, partition: int, left: Recovered) -> Progress:
        """The progress of a partition that is ours from now on."""
        note = left.note
        made = cls(
            partition,
            Track(left.place, note.finished),
            Track(note.parked, note.parked_finished),
            doubts=set(left.doubts),
        )
        made._intents = dict(left.doubts)
        made._ledger = made.kept = note.ledger
        return made

    @property
    def awaits(self) -> bool:
        """Whether there are intents of which nothing more is written."""
        return bool(self._intents)

    def intends(self, offset: int, page: int) -> None:
        """The intent to send the event at `offset` stands at `page` of `deliveries`."""
        self._intents.setdefault(offset, page)

    def heard(self, offsets: Iterable[int]) -> None:
        """What came of these intents, if there were any, is written, too."""
        for offset in offsets:
            self._intents.pop(offset, None)

    def paged(self, page: int) -> None:
        """All up to `page` of `deliveries` is in this progress."""
        self._ledger = max(self._ledger, page + 1)

    def written(self, now: float) -> tuple[int, str] | None:
        """The place and the note to commit at `now`; None before there is a place.

        A note that is too long is replaced by where the ledger must be read from instead: `kept`,
        which is where the last one that fitted ends.
        """
        place = self.events.place
        if place is None:
            return None
        parked = self.parked.place or 0
        # An intent without an outcome must be found again.
        ledger = min(self._intents.values(), default=self._ledger)
        text = written(
            Note(now, ledger, self.events.beyond(), parked, self.parked.beyond()),
            place,
        )
        if text is None:
            text = written(Note(now, self.kept, (), parked), place) or ""
        else:
            self.kept = ledger
        return place, text

    @property
    def state(self) -> tuple[object, ...]:
        """What a commit would say; the same again need not be committed."""
        return self.events.place, self._ledger, len(self._intents), self.parked.place
