"""The time, as a value that can be handed in: seconds since the epoch, and a steady counter."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Tells the time; everything that waits is given one."""

    def now(self) -> float:
        """Seconds since the epoch, UTC; may step when the machine's clock is set."""

    def steady(self) -> float:
        """Seconds that only grow; for waits, ages of requests, and limits."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> float:
        return time.time()

    def steady(self) -> float:
        return time.monotonic()


class FakeClock:
    """A clock that moves when it is told to; both readings move together."""

    def __init__(self, now: float = 1_795_255_200.0) -> None:
        self._now = now

    def now(self) -> float:
        return self._now

    def steady(self) -> float:
        return self._now

    def advance(self, seconds: float) -> None:
        self._now += seconds


def iso(seconds: float) -> str:
    """Seconds since the epoch as Segment writes times: `2026-11-21T10:00:00.000Z`."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def until_tick(seconds: float, now: float) -> float:
    """Seconds from `now` to the next multiple of `seconds`, on which all wake who wait by it."""
    return seconds - now % seconds
