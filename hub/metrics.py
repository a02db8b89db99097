"""Every metric of the house: its name, sentence, unit and labels, declared once."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Final, TypeVar

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.multiprocess import MultiProcessCollector

from hub.tallies import TallyCounter, TallyGauge, TallyHistogram

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

# Seconds, from a warm SQLite commit to ingest's deadline.
_REQUEST: Final = (
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
    30.0,
)
# Seconds, from a live hub to a vendor's outage over a weekend.
_DELAY: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30, 120, 900, 3_600, 21_600, 86_400)
_ROWS: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_500)


Metric = TypeVar("Metric", bound=MetricWrapperBase)


class ByLabel(dict[str, Metric]):
    """A metric's children by their second label, for one value of the first; each looked up once.

    A child found by its labels costs a lock and a lookup for each event.
    """

    def __init__(self, metric: Metric, first: str) -> None:
        self._metric = metric
        self._first = first

    def __missing__(self, label: str) -> Metric:
        child = self[label] = self._metric.labels(self._first, label)
        return child


class Metrics:
    """The metrics of one process, in a registry of their own.

    Labels are bounded: sources, instances and codes come from settings and tables, not events.
    """

    def __init__(self) -> None:
        # A `_created` series beside each counter doubles what is stored, and nobody asks for it.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        self._of_many = "PROMETHEUS_MULTIPROC_DIR" in os.environ

        # How events get in
        self.ingest_requests = self._counter(
            "ingest_requests_total",
            "Requests answered, by route family and status.",
            ("route", "status"),
        )
        self.ingest_request_seconds = self._histogram(
            "ingest_request_seconds", "Time to answer a request, in seconds.", ("route",), _REQUEST
        )
        self.ingest_request_bytes = self._counter(
            "ingest_request_bytes_total", "Bytes of bodies received, before inflation.", ("source",)
        )
        self.ingest_accepted = self._counter(
            "ingest_accepted_total", "Events durably accepted.", ("source", "type")
        )
        self.ingest_refused = self._counter(
            "ingest_refused_total",
            "Events refused and kept in the rejected stream, by reason code.",
            ("source", "code"),
        )
        self.ingest_unkept = self._counter(
            "ingest_unkept_total",
            "Requests that no source can be charged with (no or unknown key, not HTTP), by code.",
            ("code",),
        )
        self.ingest_duplicates = self._counter(
            "ingest_duplicates_total",
            "Events answered 200 whose messageId was accepted lately.",
            ("source",),
        )
        self.ingest_violations = self._counter(
            "ingest_violations_total",
            "Accepted events that break a schema that is only reported, by kind of schema.",
            ("source", "kind"),
        )
        self.ingest_limited = self._counter(
            "ingest_limited_total",
            "Requests answered 429 or 503 instead of a promise, by cause.",
            ("source", "cause"),
        )
        self.ingest_client_retries = self._counter(
            "ingest_client_retries_total",
            "Requests whose X-Retry-Count says that the client tries again.",
            ("source",),
        )
        self.ingest_late = self._counter(
            "ingest_late_total",
            "Accepted events whose own time is more than a day before their receipt.",
            ("source",),
        )
        self.ingest_in_flight_bytes = self._gauge(
            "ingest_in_flight_bytes", "Bytes of bodies being worked on now.", ()
        )
        self.ingest_append_seconds = self._histogram(
            "ingest_append_seconds", "Time until an append is durable, in seconds.", (), _REQUEST
        )

        self.ingest_log_away = self._gauge(
            "ingest_log_away",
            "1 while the log is away and events are spooled, else 0; of workers, how many say so.",
            (),
        )
        self.ingest_spooled = self._counter(
            "ingest_spooled_total", "Records that the spool took while the log was away.", ()
        )
        self.ingest_spool_drained = self._counter(
            "ingest_spool_drained_total", "Records that went from the spool to the log.", ()
        )
        self.ingest_spool_records = self._gauge(
            "ingest_spool_records", "Records in the machine's spool, told by who drains it.", ()
        )
        self.ingest_spool_bytes = self._gauge(
            "ingest_spool_bytes", "Bytes of the records in the machine's spool.", ()
        )
        self.ingest_spool_oldest_seconds = self._gauge(
            "ingest_spool_oldest_seconds",
            "Age of the oldest record in the machine's spool, in seconds; 0 when it is empty.",
            (),
        )

        # How events get out; `destination` is the instance's name
        self.destination_accepted = self._counter(
            "destination_accepted_total",
            "Events that an instance took from the log and means to deliver.",
            ("destination",),
        )
        self.destination_filtered = self._counter(
            "destination_filtered_total",
            "Events that an instance is not to deliver, by reason.",
            ("destination", "reason"),
        )
        self.destination_delivered = self._counter(
            "destination_delivered_total", "Events the vendor took.", ("destination", "action")
        )
        self.destination_retried = self._counter(
            "destination_retried_total",
            "Attempts that failed and will be made again, by reason code.",
            ("destination", "code"),
        )
        self.destination_refused = self._counter(
            "destination_refused_total",
            "Events that the vendor or its rules refused, by code.",
            ("destination", "code"),
        )
        self.destination_dead_lettered = self._counter(
            "destination_dead_lettered_total",
            "Events buried as dead letters, by code.",
            ("destination", "code"),
        )
        self.destination_barred = self._gauge(
            "destination_barred",
            "1 while the vendor does not let us in (credentials, permission, version), else 0.",
            ("destination",),
        )
        self.destination_braked = self._gauge(
            "destination_braked",
            "1 while nothing is sent because the vendor refused too much, until a person lets go.",
            ("destination",),
        )
        self.destination_still_seconds = self._gauge(
            "destination_still_seconds",
            "Seconds since anything moved, while something waits; by what it waits for.",
            ("destination", "reason"),
        )
        self.destination_parked = self._gauge(
            "destination_parked", "Events set aside because their key fails.", ("destination",)
        )
        self.destination_parked_lanes = self._gauge(
            "destination_parked_lanes",
            "Keys whose events are set aside because they fail.",
            ("destination",),
        )
        self.destination_bars = self._counter(
            "destination_bars_total",
            "Times that a vendor barred an instance.",
            ("destination", "code"),
        )
        self.destination_in_flight = self._gauge(
            "destination_in_flight", "Events in requests that wait for an answer.", ("destination",)
        )
        self.destination_lanes = self._gauge(
            "destination_lanes", "Keys that have events waiting.", ("destination",)
        )
        self.destination_backlog = self._gauge(
            "destination_backlog", "Events taken from the log and not finished.", ("destination",)
        )
        self.destination_breaker_state = self._gauge(
            "destination_breaker_state", "0 closed, 1 half open, 2 open.", ("destination",)
        )
        self.destination_limited_seconds = self._counter(
            "destination_limited_seconds_total",
            "Seconds that requests waited for the vendor's limits, by which it was.",
            ("destination", "reason"),
        )
        self.destination_request_seconds = self._histogram(
            "destination_request_seconds",
            "Time of one request to the vendor, in seconds.",
            ("destination", "action"),
            _REQUEST,
        )
        self.destination_batch_rows = self._histogram(
            "destination_batch_rows", "Events that rode in one request.", ("destination",), _ROWS
        )
        self.destination_delay_seconds = self._histogram(
            "destination_delay_seconds",
            "Time from accepted by ingest to delivered, in seconds.",
            ("destination",),
            _DELAY,
        )
        self.destination_oldest_seconds = self._gauge(
            "destination_oldest_seconds",
            "Age of the oldest event that was taken and is not finished, in seconds; 0 when none.",
            ("destination",),
        )
        self.destination_lag = self._gauge(
            "destination_lag",
            "Records of the log that the instance has not finished.",
            ("destination",),
        )

        # What became of events
        self.destination_index_behind = self._gauge(
            "destination_index_behind", "Records of the log that the index does not know.", ()
        )
        self.destination_index_unjudged = self._counter(
            "destination_index_unjudged_total",
            "Events that went on while the index could not tell whether they are twins.",
            (),
        )
        self.destination_index_breaks = self._counter(
            "destination_index_breaks_total", "Times that the index could not be used.", ()
        )
        self.destination_ledger_difference = self._gauge(
            "destination_ledger_difference",
            "Events that an instance has passed since the start without a word in the ledger; 0.",
            ("destination",),
        )

    def exposition(self) -> bytes:
        """The text that Prometheus scrapes; of all workers when they share a folder for it."""
        if self._of_many:
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
            return generate_latest(registry)
        return generate_latest(self.registry)

    def _counter(self, name: str, sentence: str, labels: Sequence[str]) -> Counter:
        kind = Counter if self._of_many else TallyCounter
        return kind(name, sentence, labels, registry=self.registry)

    def _gauge(self, name: str, sentence: str, labels: Sequence[str]) -> Gauge:
        kind = Gauge if self._of_many else TallyGauge
        return kind(name, sentence, labels, registry=self.registry, multiprocess_mode="livesum")

    def _histogram(
        self, name: str, sentence: str, labels: Sequence[str], buckets: Sequence[float]
    ) -> Histogram:
        kind = Histogram if self._of_many else TallyHistogram
        return kind(name, sentence, labels, buckets=buckets, registry=self.registry)
