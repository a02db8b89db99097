"""What is committed beside the place: what is finished beyond it, and where the rest is told. Pure.

A place alone would have all that is finished beyond it sent again after a restart. The note holds
those offsets, as far as they fit; what came after the commit, and what did not fit, stands in the
ledger from `ledger` on (`destinations/recovery.py` reads it).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import orjson

from destinations.ranges import Range, packed, unpacked
from hub.log import NOTE_CHARACTERS


@dataclass(frozen=True, slots=True)
class Note:
    """What one instance remembers of one partition of `events`, and of `parked`.

    `finished` are offsets of `events` at or beyond the committed place. `ledger`: the offset in
    `deliveries` from which this note does not know what was written. `parked`: the place in
    `parked` before which nothing of ours waits; `parked_finished` lies beyond it. `at`: when it was
    written, in seconds since the epoch.
    """

    at: float = 0.0
    ledger: int = 0
    finished: Sequence[Range] = ()
    parked: int = 0
    parked_finished: Sequence[Range] = ()


def written(note: Note, place: int) -> str | None:
    """The note beside `place` as text; None when it is longer than a log takes."""
    text = orjson.dumps(
        {
            "v": 1,
            "at": round(note.at, 3),
            "ledger": note.ledger,
            "finished": packed(note.finished, place),
            "parked": note.parked,
            "parked_finished": packed(note.parked_finished, note.parked),
        }
    ).decode()
    return text if len(text) <= NOTE_CHARACTERS else None


def read(text: str, place: int) -> Note:
    """The note that stood beside `place`; an empty one for what is none.

    Another tool may have reset the group's offsets, and writes what it likes beside them.
    """
    try:
        told = orjson.loads(text)
        return Note(
            float(told["at"]),
            int(told["ledger"]),
            unpacked(told["finished"], place),
            int(told["parked"]),
            unpacked(told["parked_finished"], int(told["parked"])),
        )
    except (ValueError, KeyError, TypeError):
        return Note()
