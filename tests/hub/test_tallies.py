"""Tallies: what is read of them is what prometheus-client's own metrics say."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from hub.tallies import TallyCounter, TallyGauge, TallyHistogram

BOUNDS = (0.5, 1, 2.5)
AMOUNTS = st.sampled_from([0, 0.25, 0.5, 0.75, 1, 2.5, 3, 1e9])
STEPS = st.tuples(st.sampled_from(["inc", "up", "down", "set", "observe", "read"]), AMOUNTS)


class Scene:
    """A counter, a gauge and a histogram, each with a label and without, in one registry."""

    def __init__(self, *kinds: Any) -> None:
        self.registry = CollectorRegistry()
        counter, gauge, histogram = kinds
        labels: tuple[str, ...]
        self.metrics = []
        for name, labels in (("plain", ()), ("labelled", ("who",))):
            made = (
                counter(f"{name}_counts", "Counts.", labels, registry=self.registry),
                gauge(f"{name}_level", "A level.", labels, registry=self.registry),
                histogram(f"{name}_sizes", "S.", labels, buckets=BOUNDS, registry=self.registry),
            )
            self.metrics.append([one.labels("me") if labels else one for one in made])

    def take(self, step: str, amount: float) -> bytes:
        """Do it to each, and say what is read if it is a reading."""
        for counter, gauge, histogram in self.metrics:
            match step:
                case "inc":
                    counter.inc(amount)
                case "up":
                    gauge.inc(amount)
                case "down":
                    gauge.dec(amount)
                case "set":
                    gauge.set(amount)
                case "observe":
                    histogram.observe(amount)
        return generate_latest(self.registry) if step == "read" else b""


@given(st.lists(STEPS, max_size=30))
def test_read_as_the_library_reads(steps: list[tuple[str, float]]) -> None:
    """However often they are changed, and read in between."""
    ours = Scene(TallyCounter, TallyGauge, TallyHistogram)
    theirs = Scene(Counter, Gauge, Histogram)

    for step, amount in [*steps, ("read", 0)]:
        expected, told = theirs.take(step, amount), ours.take(step, amount)

        stamps = [
            [line for line in text.decode().splitlines() if "_created" not in line]
            for text in (expected, told)
        ]
        assert stamps[0] == stamps[1]


def test_a_counter_only_grows() -> None:
    """As the library's own, it refuses less than nothing."""
    counter = TallyCounter("falls", "Falls.", registry=None)

    with pytest.raises(ValueError, match="only grows"):
        counter.inc(-1)
