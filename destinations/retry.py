"""When to try again: exponential backoff with full jitter, and patience that is an age. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Policy:
    """All in seconds: the first backoff, the longest, and the age at which patience ends."""

    first: float = 1.0
    most: float = 300.0
    patience: float = 86_400.0

    def delay(self, attempt: int, die: float, wish: float | None = None) -> float:
        """Seconds until attempt number `attempt` + 1; `die` is 0 to 1, `wish` the vendor's.

        Full jitter spreads those who failed together. A floor of a tenth keeps a lucky die from
        knocking at once. A wish is heeded, and never shortens the backoff.
        """
        longest = min(self.first * 2.0 ** min(attempt - 1, 30), self.most)
        return max(longest * (0.1 + 0.9 * die), wish or 0.0)

    def exhausted(self, age: float) -> bool:
        """Whether an event of this age has been tried long enough."""
        return age > self.patience
