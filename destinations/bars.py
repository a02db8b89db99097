"""Which actions a vendor does not let us take, and when to ask again. Pure.

A bar (a revoked token, a missing permission, a retired version) is an action's and not the whole
destination's: a permission that one action lacks stops no other. Nothing is buried; after `seconds`
one event of the action goes as a probe, and an answer lifts the bar. What left before the bar lifts
nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from destinations.outcome import Barred


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar as it is told: the vendor's code and sentence, and seconds to the next probe."""

    action: str
    code: str
    reason: str
    seconds: float


@dataclass(slots=True)
class _Bar:
    until: float
    turn: int
    why: Barred
    seated: bool = False
    probing: bool = False


class Bars:
    """One instance's bars, by the action's name. Times are steady seconds."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._bars: dict[str, _Bar] = {}
        self._turn = 0

    def __len__(self) -> int:
        return len(self._bars)

    def on(self, action: str) -> bool:
        """Whether the action is barred."""
        return action in self._bars

    def told(self, now: float) -> list[Bar]:
        """All bars, for who asks."""
        return [
            Bar(name, bar.why.code, bar.why.reason, max(0.0, bar.until - now))
            for name, bar in self._bars.items()
        ]

    def raise_(self, action: str, why: Barred, now: float, turn: int) -> bool:
        """They do not let us in; whether that is news: a word from before the last one is not."""
        bar = self._bars.get(action)
        if bar is not None and bar.turn != turn:
            return False
        self._turn += 1
        self._bars[action] = _Bar(now + self._seconds, self._turn, why)
        return True

    def lift(self, action: str, turn: int) -> bool:
        """The vendor answered; whether that lifted a bar."""
        bar = self._bars.get(action)
        if bar is None or bar.turn != turn:
            return False
        del self._bars[action]
        return True

    def undecided(self, action: str, turn: int) -> None:
        """A probe came back without a verdict: the next may go at once."""
        bar = self._bars.get(action)
        if bar is not None and bar.turn == turn:
            bar.seated = bar.probing = False

    def lost(self) -> None:
        """Who had a seat may have gone with its partition, or grown too old."""
        for bar in self._bars.values():
            bar.seated = bar.probing and bar.seated

    def seat(self, action: str, now: float) -> bool:
        """Whether an event of the action may take a seat: all, or the one that probes."""
        bar = self._bars.get(action)
        if bar is None:
            return True
        if bar.seated or now < bar.until:
            return False
        bar.seated = True
        return True

    def may_go(self, action: str) -> bool:
        """Whether a bus of the action may leave."""
        bar = self._bars.get(action)
        return bar is None or (bar.seated and not bar.probing)

    def leave(self, action: str) -> int:
        """A bus of the action leaves, as the probe if it is barred; its turn comes back with it."""
        bar = self._bars.get(action)
        if bar is None:
            return 0
        bar.probing = True
        return bar.turn

    def due(self, now: float) -> Iterator[str]:
        """Actions that may probe now and have nobody seated to do it."""
        return (name for name, bar in self._bars.items() if not bar.seated and bar.until <= now)

    def next_due(self, now: float, waits: Callable[[str], bool]) -> float:
        """Seconds until an action may probe for which somebody `waits`; infinity when none is."""
        due = (
            max(bar.until - now, 0.0)
            for name, bar in self._bars.items()
            if not bar.seated and waits(name)
        )
        return min(due, default=float("inf"))
