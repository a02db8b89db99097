"""A curve: what an event costs at each of some points along what grows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from tests.bench.reading import Reading

Measure = Callable[[int], Awaitable[Reading]]
"""One round at a point."""


@dataclass(frozen=True, slots=True)
class Curve:
    """What is measured (`ingest, batch of 20`), along what (`users`), and each point's rounds."""

    name: str
    along: str
    points: Mapping[int, Sequence[Reading]]

    @property
    def lost(self) -> int:
        return sum(one.lost + one.refused for rounds in self.points.values() for one in rounds)

    def told(self) -> dict[str, Any]:
        """The curve as JSON keeps it; costs are in CPU-microseconds an event."""
        return {
            "curve": self.name,
            "along": self.along,
            "lost": self.lost,
            "points": [{"at": at, **_told(rounds)} for at, rounds in self.points.items()],
        }


def _told(rounds: Sequence[Reading]) -> dict[str, Any]:
    costs = [1e6 / one.thrift if one.thrift else 0.0 for one in rounds]
    return {
        "us": median(costs),
        "min": min(costs),
        "max": max(costs),
        "values": costs,
        "store_us": median(1e6 * one.store / max(1, one.events) for one in rounds),
        "events_per_second": median(one.rate for one in rounds),
    }


async def curve(
    name: str, along: str, points: Sequence[int], measure: Measure, rounds: int
) -> Curve:
    """Go along all points, round after round, so that each point meets the same machine."""
    readings: dict[int, list[Reading]] = {at: [] for at in points}
    for _ in range(rounds):
        for at in points:
            readings[at].append(await measure(at))
    return Curve(name, along, readings)
