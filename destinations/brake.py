"""Whether to stop and ask a person, instead of burying a topic one by one. Pure.

So many refusals are rarely the events' fault: a mapping was changed, or an account.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

LOOKS_BACK = 1_000
"""Answers over which the ratio is taken; none is taken of fewer than half of it."""


@dataclass(frozen=True, slots=True)
class Policy:
    """`run`: refusals in a row that are too many; `ratio`: refusals among the last answers."""

    run: int = 100
    ratio: float = 0.5


class Brake:
    """Counts what a vendor refuses; once on, it stays on until a person lets go."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self.on = False
        self._run = 0
        self._last: deque[tuple[int, int]] = deque()
        self._refused = 0
        self._rows = 0

    def heard(self, refused: int, taken: int) -> bool:
        """A request's rows as the vendor answered; whether the brake goes on with it."""
        if self.on:
            return False
        self._run = 0 if taken else self._run + refused
        self._last.append((refused, taken))
        self._refused += refused
        self._rows += refused + taken
        while self._rows > LOOKS_BACK and len(self._last) > 1:
            old_refused, old_taken = self._last.popleft()
            self._refused -= old_refused
            self._rows -= old_refused + old_taken
        many = self._rows >= LOOKS_BACK // 2 and self._refused > self._policy.ratio * self._rows
        self.on = many or self._run >= self._policy.run
        return self.on

    def release(self) -> None:
        """Go on, and count anew."""
        self.on = False
        self._run = self._refused = self._rows = 0
        self._last.clear()
