"""What a run measured, and what a line of the table makes of its rounds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any


@dataclass(frozen=True, slots=True)
class Reading:
    """One run of one contender. Times are in seconds; `cpu` is that of the contender's processes,
    `store` the broker's, `load` that of who sends to it or receives from it. Lost is what was
    answered 200 and is not in the log, or is in the log and never came to the vendor. Memory is in
    bytes, at the end; commits are SQLite's transactions.
    """

    events: int
    seconds: float
    cpu: float
    store: float = 0.0
    load: float = 0.0
    lost: int = 0
    refused: int = 0
    memory: int = 0
    commits: int = 0
    delays: Mapping[str, float] = field(default_factory=dict)

    @property
    def rate(self) -> float:
        """Events a second."""
        return self.events / self.seconds if self.seconds else 0.0

    @property
    def thrift(self) -> float:
        """Events a CPU-second of the contender's processes."""
        return self.events / self.cpu if self.cpu else 0.0


@dataclass(frozen=True, slots=True)
class Goal:
    """Where the median is to be: at least, or at most, `limit`, in `unit`."""

    limit: float
    unit: str
    at_most: bool = False

    def met(self, value: float) -> bool:
        return value <= self.limit if self.at_most else value >= self.limit

    def __str__(self) -> str:
        return f"{'<=' if self.at_most else '>='} {self.limit:g} {self.unit}"


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the table: a value for each round, and the readings that they are made of."""

    name: str
    beside: str
    goal: Goal
    values: tuple[float, ...]
    ours: tuple[Reading, ...]
    theirs: tuple[Reading, ...] = ()
    durable: str = ""
    note: str = ""

    @property
    def value(self) -> float:
        return median(self.values)

    @property
    def met(self) -> bool:
        return self.goal.met(self.value)

    @property
    def lost(self) -> int:
        """Over all rounds; anything but 0 is a broken hub, whatever its speed."""
        return sum(reading.lost for reading in self.ours)

    def told(self) -> dict[str, Any]:
        """The line as JSON keeps it: medians, and the values they are the medians of."""
        return {
            "line": self.name,
            "beside": self.beside,
            "goal": str(self.goal),
            "median": self.value,
            "min": min(self.values),
            "max": max(self.values),
            "values": list(self.values),
            "met": self.met,
            "lost": self.lost,
            "ours": summary(self.ours),
            "theirs": summary(self.theirs),
            "durable": self.durable,
            "note": self.note,
        }


def summary(readings: Sequence[Reading]) -> dict[str, float]:
    """The medians of some readings; empty if there are none."""
    if not readings:
        return {}
    return {
        "events": median(one.events for one in readings),
        "events_per_second": median(one.rate for one in readings),
        "events_per_cpu_second": median(one.thrift for one in readings),
        "store_us_per_event": median(1e6 * one.store / max(1, one.events) for one in readings),
        "load_us_per_event": median(1e6 * one.load / max(1, one.events) for one in readings),
        "refused": sum(one.refused for one in readings),
    }


def ratios(
    ours: Sequence[Reading],
    theirs: Sequence[Reading],
    of: Callable[[Reading], float] = lambda reading: reading.thrift,
) -> tuple[float, ...]:
    """Ours by theirs in each round; rounds alternate, so that both met the same machine."""
    return tuple(of(mine) / (of(other) or 1.0) for mine, other in zip(ours, theirs, strict=True))
