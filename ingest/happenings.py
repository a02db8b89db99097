"""What happens at ingest, each told by one call: the metric and the line of log together.

Normal operation logs nothing. No line holds a write key, an event, or anything of a person; a
happening that any stranger can cause is logged once in a while, with how often it was.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import structlog
from prometheus_client import Counter, Histogram

from hub.clock import Clock
from hub.log import LogError
from hub.log.sqlite.spool import Holding
from hub.metrics import ByLabel, Metrics
from ingest.errors import REFUSALS
from ingest.validate import TYPES

EVERY: Final = 10.0
"""Seconds between two lines about the same thing."""


@dataclass(slots=True)
class _Quiet:
    """When something was last said, and how often it happened since."""

    until: float = 0.0
    unsaid: int = 0


@dataclass(slots=True)
class _Outage:
    """A time in which the log was away: since when, and what this process did about it."""

    since: float
    spooled: int = 0
    drained: int = 0


@dataclass(frozen=True, slots=True)
class _Meters:
    """One source's counters, looked up once: finding a label's child costs more than counting."""

    accepted: dict[str, Counter]
    bytes: Counter
    duplicates: Counter
    retries: Counter
    late: Counter
    refused: ByLabel[Counter]
    violated: ByLabel[Counter]


class Happenings:
    """Tells what happens, in metrics and in the log."""

    def __init__(self, metrics: Metrics, clock: Clock, sources: Iterable[str]) -> None:
        self._metrics = metrics
        self._clock = clock
        self._log = structlog.get_logger("ingest")
        self._quiet: dict[tuple[str, str], _Quiet] = {}
        self._meters = {name: self._meters_of(name) for name in sources}
        self._answers: dict[tuple[str, int], tuple[Counter, Histogram]] = {}
        self._append_seconds = metrics.ingest_append_seconds
        self._in_flight = metrics.ingest_in_flight_bytes
        self._outage: _Outage | None = None

    def answered(self, route: str, status: int, seconds: float) -> None:
        """A request was answered."""
        meters = self._answers.get((route, status))
        if meters is None:
            meters = (
                self._metrics.ingest_requests.labels(route, str(status)),
                self._metrics.ingest_request_seconds.labels(route),
            )
            self._answers[route, status] = meters
        meters[0].inc()
        meters[1].observe(seconds)

    def received(self, source: str, size: int, *, retried: bool) -> None:
        """A request of a source arrived; `size` is its bytes before inflation."""
        meters = self._meters[source]
        meters.bytes.inc(size)
        if retried:
            meters.retries.inc()

    def accepted(self, source: str, types: Mapping[str, int], late: int) -> None:
        """Events are durable, so many of each type."""
        meters = self._meters[source]
        for type_, events in types.items():
            meters.accepted[type_].inc(events)
        if late:
            meters.late.inc(late)

    def appended(self, seconds: float) -> None:
        """An append returned."""
        self._append_seconds.observe(seconds)

    def in_flight(self, size: int) -> None:
        """So many bytes are being worked on."""
        self._in_flight.set(size)

    def duplicated(self, source: str, events: int) -> None:
        """Events came that had been accepted lately."""
        self._meters[source].duplicates.inc(events)

    def violated(self, source: str, kinds: Iterable[str]) -> None:
        """An accepted event breaks schemas that are only reported."""
        violated = self._meters[source].violated
        for kind in kinds:
            violated[kind].inc()

    def refused(self, source: str, codes: Iterable[str]) -> None:
        """Events were refused, and are kept."""
        meters = self._meters[source]
        for code in codes:
            label = code if code in REFUSALS else "schema_violation"
            meters.refused[label].inc()
            self._seldom("events refused", f"{source} {label}", source=source, code=label)

    def unkept(self, code: str) -> None:
        """A request was refused that no source can be charged with."""
        self._metrics.ingest_unkept.labels(code).inc()
        self._seldom("request of nobody refused", code, code=code)

    def limited(self, source: str, cause: str) -> None:
        """A request was answered 429 or 503: nothing is promised."""
        self._metrics.ingest_limited.labels(source, cause).inc()
        self._seldom("request put off", f"{source} {cause}", source=source, cause=cause)

    def log_away(self, why: str) -> None:
        """The log does not take events, the spool does; said once, until it is back."""
        if self._outage is None:
            self._outage = _Outage(self._clock.steady())
            self._metrics.ingest_log_away.set(1)
            self._log.warning("log away, events are spooled", why=why)

    def log_back(self) -> None:
        """The spool is empty, and the log takes events again."""
        if self._outage is not None:
            outage, self._outage = self._outage, None
            self._metrics.ingest_log_away.set(0)
            self.spool_holds(Holding())
            self._log.warning(
                "log back, the spool is drained",
                seconds=round(self._clock.steady() - outage.since, 3),
                spooled=outage.spooled,
                drained=outage.drained,
            )

    def spooled(self, records: int) -> None:
        """The spool took records, events and refused ones."""
        self._metrics.ingest_spooled.inc(records)
        if self._outage is not None:
            self._outage.spooled += records

    def drained(self, records: int) -> None:
        """Records went from the spool to the log."""
        self._metrics.ingest_spool_drained.inc(records)
        if self._outage is not None:
            self._outage.drained += records

    def spool_holds(self, held: Holding) -> None:
        """What lies in the spool, of all processes."""
        self._metrics.ingest_spool_records.set(held.records)
        self._metrics.ingest_spool_bytes.set(held.bytes)
        age = self._clock.now() - held.oldest if held.records else 0.0
        self._metrics.ingest_spool_oldest_seconds.set(age)

    def undrained(self, error: LogError) -> None:
        """The log is there and refuses what is spooled: a person must act."""
        kind = type(error).__name__
        self._seldom("log refuses what is spooled", kind, error=kind, why=str(error))

    def failed(self, error: BaseException) -> None:
        """A fault of ours: its kind and its place; its words might hold what a client sent."""
        frames = traceback.extract_tb(error.__traceback__)
        place = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else ""
        self._log.error("fault in ingest", error=type(error).__name__, place=place)

    def began(self, port: int, sources: int) -> None:
        """The process listens."""
        self._log.info("ingest listens", port=port, sources=sources)

    def stopping(self) -> None:
        """The process was asked to stop."""
        self._log.info("ingest stops")

    def _seldom(self, line: str, key: str, **fields: str) -> None:
        quiet = self._quiet.setdefault((line, key), _Quiet())
        now = self._clock.steady()
        if now < quiet.until:
            quiet.unsaid += 1
            return
        self._log.warning(line, **fields, more=quiet.unsaid)
        quiet.until = now + EVERY
        quiet.unsaid = 0

    def _meters_of(self, source: str) -> _Meters:
        metrics = self._metrics
        return _Meters(
            {type_: metrics.ingest_accepted.labels(source, type_) for type_ in TYPES},
            metrics.ingest_request_bytes.labels(source),
            metrics.ingest_duplicates.labels(source),
            metrics.ingest_client_retries.labels(source),
            metrics.ingest_late.labels(source),
            ByLabel(metrics.ingest_refused, source),
            ByLabel(metrics.ingest_violations, source),
        )
