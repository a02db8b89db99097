"""A time as a person says it of the log: its start, so long ago, or an ISO 8601 time. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

START: Final = 0.0
"""Seconds since the epoch that stand for the first record, whenever it was appended."""

_UNITS: Final = {"s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}


def moment(text: str, now: float) -> float:
    """Seconds since the epoch of `start`, `15m` ago, or an ISO 8601 time (UTC unless it says).

    Raises ValueError when it is none of these.
    """
    if text == "start":
        return START
    if ago := re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])", text):
        return now - float(ago[1]) * _UNITS[ago[2]]
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(
            f"{text!r} is no time; write start, 15m, 2h, 7d, or 2026-11-21T10:00:00Z"
        ) from None
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
