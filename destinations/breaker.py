"""Whether to knock at all: closed, open, half open. Pure.

state      heard            then
CLOSED     n failures       OPEN for `seconds`
OPEN       the time is up   HALF_OPEN: one request goes
HALF_OPEN  an answer        CLOSED
HALF_OPEN  a failure        OPEN for twice as long, up to MOST

While it is not CLOSED only the probe is heard: what left before it opened tells nothing new.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class State(IntEnum):
    """Fixed numbers: dashboards read them."""

    CLOSED = 0
    HALF_OPEN = 1
    OPEN = 2


MOST = 60.0
"""Seconds: the longest that a vendor who fails is left in peace between two probes."""


@dataclass(frozen=True, slots=True)
class Policy:
    """How many failures in a row open it, and for how many seconds at first."""

    failures: int = 10
    seconds: float = 5.0


class Breaker:
    """One instance's breaker. Times are steady seconds."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._failures = 0
        self._seconds = policy.seconds
        self._until = 0.0
        self._probing = False
        self._turn = 0
        self.state = State.CLOSED

    def wait(self, now: float) -> float:
        """Seconds until a request may leave; 0 is now, infinity while a probe is on its way."""
        if self.state is State.CLOSED:
            return 0.0
        if self._probing:
            return float("inf")
        return max(0.0, self._until - now)

    def leave(self) -> int:
        """A request leaves, after an opening as the probe; its turn comes back with it."""
        if self.state is not State.CLOSED:
            self.state = State.HALF_OPEN
            self._probing = True
        return self._turn

    def answered(self, turn: int) -> None:
        """The vendor answered in a way that shows it works."""
        if turn != self._turn:
            return
        self._failures = 0
        self._seconds = self._policy.seconds
        self._probing = False
        self.state = State.CLOSED

    def failed(self, now: float, turn: int) -> None:
        """A request failed."""
        if turn != self._turn:
            return
        self._failures += 1
        if self.state is State.HALF_OPEN:
            self._seconds = max(self._seconds, min(self._seconds * 2, MOST))
        elif self._failures < self._policy.failures:
            return
        self._open(now + self._seconds)

    def is_probe(self, turn: int) -> bool:
        """Whether what left at `turn` is the probe that is on its way."""
        return turn == self._turn and self.state is State.HALF_OPEN

    def undecided(self, turn: int) -> None:
        """A probe came back without a verdict (rate limited, or given up): probe again at once."""
        if turn == self._turn:
            self._probing = False

    def _open(self, until: float) -> None:
        self.state = State.OPEN
        self._probing = False
        self._turn += 1
        self._until = until
