"""Metrics that one thread changes: a number is added to at once, and handed over when it is read.

prometheus-client takes a lock and some seventy steps of Python for each change, of which a request
makes five and a delivery ten. Not for workers: another process reads their numbers at any time.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping

from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.samples import Sample


class TallyCounter(Counter):
    """A counter; what was added since it was last read is a plain number."""

    def _metric_init(self) -> None:
        super()._metric_init()
        self._added = 0.0

    def inc(self, amount: float = 1, exemplar: Mapping[str, str] | None = None) -> None:  # noqa: ARG002 -- none is kept
        """Add."""
        if amount < 0:
            raise ValueError("a counter only grows")
        self._added += amount

    def _child_samples(self) -> Iterable[Sample]:
        added, self._added = self._added, 0.0
        self._value.inc(added)
        return super()._child_samples()


class TallyGauge(Gauge):
    """A gauge; its value is a plain number until it is read."""

    def _metric_init(self) -> None:
        super()._metric_init()
        self._level = 0.0

    def inc(self, amount: float = 1) -> None:
        """Add."""
        self._level += amount

    def dec(self, amount: float = 1) -> None:
        """Take away."""
        self._level -= amount

    def set(self, value: float) -> None:
        """Be so much from now on."""
        self._level = value

    def _child_samples(self) -> Iterable[Sample]:
        self._value.set(float(self._level))
        return super()._child_samples()


class TallyHistogram(Histogram):
    """A histogram; what was observed since it was last read is counted by bucket."""

    def _metric_init(self) -> None:
        super()._metric_init()
        self._observed = [0] * len(self._upper_bounds)
        self._total = 0.0

    def observe(self, amount: float, exemplar: Mapping[str, str] | None = None) -> None:  # noqa: ARG002 -- none is kept
        """Count it."""
        self._observed[bisect_left(self._upper_bounds, amount)] += 1
        self._total += amount

    def _child_samples(self) -> Iterable[Sample]:
        total, self._total = self._total, 0.0
        self._sum.inc(total)
        for place, count in enumerate(self._observed):
            self._buckets[place].inc(count)
            self._observed[place] = 0
        return super()._child_samples()
