"""When it happened: the sender's time, corrected by what it tells of the sender's clock.

    timestamp = receivedAt - (sentAt - originalTimestamp)

It is never later than receivedAt, corrected or not. No correction is made when there is none to
make: no readable `sentAt`; a `sentAt` equal to the event's own time (rudder-go); a client that
tries again with the `sentAt` of its first try.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

# The year 1000: our form of a time has four digits. Before it lies Go's zero time: not set.
_EARLIEST: Final = -30_610_224_000_000
_LATEST: Final = 253_402_300_799_999  # the year 9999

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

# Numbers are seconds, until they are so large that they must be milliseconds, micro-, nano-.
_UNITS: Final = ((1e11, 1_000.0), (1e14, 1.0), (1e17, 1e-3), (math.inf, 1e-6))

# A table, since formatting a number takes as long as the rest of `iso_of`.
_FRACTIONS: Final = tuple(f".{milliseconds:03d}Z" for milliseconds in range(1_000))
_READ: Final = {fraction: number for number, fraction in enumerate(_FRACTIONS)}

# The first 19 characters of a time as most SDKs write it; five more are the fraction.
_SECOND: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", re.ASCII)


def milliseconds_of(value: Any) -> int | None:
    """The moment that a sender wrote, in ms since the epoch; None when it is unset or unreadable.

    Read: ISO 8601 with `Z` or an offset (none is UTC) and any digits of a second's fraction; the
    number of seconds, milli-, micro- or nanoseconds, also as text.
    """
    if isinstance(value, str):
        moment = written_moment(value)
        return _of_text(value.strip()) if moment is None else moment
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return _of_number(value)
    return None


def written_moment(text: str) -> int | None:
    """The moment of a text as `iso_of` writes it, in ms since the epoch; None of any other."""
    if len(text) == 24 and (fraction := _READ.get(text[19:])) is not None:
        second = _start_of(text[:19])
        if second is not None:
            return second + fraction
    return None


def corrected(
    own: int | None, sent: int | None, received: int, *, retried: bool, correct: bool = True
) -> int:
    """The event's time in ms, from its own time, the time of sending, and the time of receipt."""
    if own is None:
        return received
    if sent is not None and sent != own and correct and not retried:
        own = max(received - (sent - own), _EARLIEST)
    return min(own, received)


def iso_of(milliseconds: int) -> str:
    """As Segment writes times: `2026-11-21T10:00:00.000Z`."""
    seconds, rest = divmod(milliseconds, 1_000)
    return _second_of(seconds) + _FRACTIONS[rest]


# Events that arrive together happened together: most seconds are written many times.
@lru_cache(maxsize=4_096)
def _second_of(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()[:19]


@lru_cache(maxsize=4_096)
def _start_of(second: str) -> int | None:
    moment = _of_text(second) if _SECOND.fullmatch(second) else None
    # From Python 3.14 on, 24:00:00 is the next day's 00:00:00.
    return moment if moment is not None and iso_of(moment).startswith(second) else None


def _of_text(text: str) -> int | None:
    if not text or len(text) > 64:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        try:
            return _of_number(float(text))
        except ValueError:
            return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    try:
        past = moment - _EPOCH
    except OverflowError:
        return None
    whole = past.days * 86_400_000 + past.seconds * 1_000 + past.microseconds // 1_000
    return whole if _EARLIEST <= whole <= _LATEST else None


def _of_number(number: float) -> int | None:
    if not 0 < number < 1e22:
        return None
    factor = next(factor for limit, factor in _UNITS if number < limit)
    whole = int(number * factor) if factor != 1.0 else int(number)
    return whole if whole <= _LATEST else None
