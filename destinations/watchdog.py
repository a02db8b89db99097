"""Whether an instance stands still, for how long, and why: it is told, not restarted. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, get_args

from destinations.limiter import Why

Reason = Literal[
    "braked",
    "vendor_away",
    "barred",
    "in_flight",
    "log_away",
    "retrying",
    "no_partitions",
    Why,
    "unknown",
]

REASONS: Final = tuple(name for one in get_args(Reason) for name in (get_args(one) or (one,)))
"""All reasons, as the metric's label says them."""

STILL_SECONDS: Final = 60.0
"""How long nothing may move before that is told."""


@dataclass(frozen=True, slots=True)
class Still:
    """For how many seconds nothing has moved although something waits, and why."""

    seconds: float
    reason: Reason


class Watchdog:
    """Looks at one instance now and then. Times are steady seconds."""

    def __init__(self, now: float) -> None:
        self._since = now
        self._moved = 0

    def look(self, now: float, moved: int, waiting: bool, reason: Reason) -> Still | None:
        """What to tell, if anything; `moved` counts what was taken, sent and answered so far."""
        if moved != self._moved or not waiting:
            self._moved = moved
            self._since = now
        seconds = now - self._since
        return Still(seconds, reason) if seconds >= STILL_SECONDS else None
