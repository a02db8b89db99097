"""How many events a replay may take now: so many a second, whatever the vendor allows. Pure."""

from __future__ import annotations

from typing import Final

BURST_SECONDS: Final = 0.2
"""So much of a second's events, and one, may go at once."""


class Allowance:
    """`rate` is in events a second. Times are steady seconds."""

    def __init__(self, rate: float, now: float) -> None:
        self._rate = rate
        self._most = 1.0 + rate * BURST_SECONDS
        self._level = 1.0
        self._at = now

    def most(self, limit: int, now: float) -> int:
        """Events that may go now, `limit` at most."""
        self._level = min(self._most, self._level + (now - self._at) * self._rate)
        self._at = now
        return min(limit, int(self._level))

    def take(self, count: int) -> None:
        """So many went."""
        self._level -= count

    def wait(self) -> float:
        """Seconds from when `most` was asked until the next may go."""
        return max(0.001, (1.0 - self._level) / self._rate)
