"""What tests of limits share: a moment, a rate, and somebody greedy."""

from __future__ import annotations

from destinations.limiter import Limiter
from destinations.spec import Rate, Window

WALL = 1_795_255_200.0
"""2026-11-21T10:00:00Z."""

TEN = Rate("all", (Window(100, 10.0),))


def leaving(limiter: Limiter, count: int, now: float) -> int:
    """How many of `count` requests may leave now; they do, and come back at once."""
    left = 0
    while left < count and limiter.wait(now) == 0:
        limiter.leave(now, WALL)
        limiter.back(now, 0.0)
        left += 1
    return left
