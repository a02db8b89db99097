"""What can happen to an instance, each told once: the metric and the log line are one call.

Normal operation logs nothing, and what happens often is told now and then. No line holds an
event's content, only ids, codes and counts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

import structlog

from destinations.breaker import State
from destinations.limiter import Why
from destinations.outcome import Barred
from destinations.watchdog import Still
from hub.metrics import ByLabel, Metrics


class Happenings:
    """Tells for one instance."""

    def __init__(self, metrics: Metrics, destination: str) -> None:
        self._metrics = metrics
        self._name = destination
        self._log = structlog.get_logger("destinations").bind(destination=destination)
        self._accepted = metrics.destination_accepted.labels(destination)
        self._in_flight = metrics.destination_in_flight.labels(destination)
        self._lanes = metrics.destination_lanes.labels(destination)
        self._backlog = metrics.destination_backlog.labels(destination)
        self._oldest = metrics.destination_oldest_seconds.labels(destination)
        self._lag = metrics.destination_lag.labels(destination)
        self._state = metrics.destination_breaker_state.labels(destination)
        self._braked = metrics.destination_braked.labels(destination)
        self._parked = metrics.destination_parked.labels(destination)
        self._parked_lanes = metrics.destination_parked_lanes.labels(destination)
        self._barred = metrics.destination_barred.labels(destination)
        self._rows = metrics.destination_batch_rows.labels(destination)
        self._delay = metrics.destination_delay_seconds.labels(destination)
        self._delivered = ByLabel(metrics.destination_delivered, destination)
        self._seconds = ByLabel(metrics.destination_request_seconds, destination)
        self._filtered = ByLabel(metrics.destination_filtered, destination)
        self._was = (State.CLOSED, False)
        self._still: str | None = None
        self._lines: Counter[str] = Counter()

    def _worth_a_line(self, kind: str) -> int:
        """How often `kind` has happened if that is to be told, else 0: the first ten times, then
        each hundredth. A million refusals are a metric and a stream, not a million lines.
        """
        self._lines[kind] += 1
        count = self._lines[kind]
        return count if count <= 10 or count % 100 == 0 else 0

    def accepted(self, events: int) -> None:
        """Events were taken from the log and are to be delivered."""
        self._accepted.inc(events)

    def filtered(self, reason: str, events: int = 1) -> None:
        """Events are not for this instance."""
        self._filtered[reason].inc(events)

    def left(self, rows: int) -> None:
        """A request leaves with so many events."""
        self._rows.observe(rows)
        self._in_flight.inc(rows)

    def back(self, action: str, rows: int, seconds: float) -> None:
        """The request came back, or was given up."""
        self._in_flight.dec(rows)
        self._seconds[action].observe(seconds)

    def delivered(self, action: str, delays: Collection[float]) -> None:
        """The vendor took events, each so many seconds after ingest accepted it."""
        self._delivered[action].inc(len(delays))
        for delay in delays:
            self._delay.observe(max(0.0, delay))

    def noted(self, action: str, note: str) -> None:
        """The vendor took an event and dropped a part of it."""
        if count := self._worth_a_line(f"note {action}"):
            self._log.warning("delivered with a note", action=action, note=note, count=count)

    def retried(self, code: str) -> None:
        """An attempt failed and will be made again."""
        self._metrics.destination_retried.labels(self._name, code).inc()

    def refused(self, code: str) -> None:
        """The vendor, or its rules, will never take an event."""
        self._metrics.destination_refused.labels(self._name, code).inc()

    def buried(self, code: str, id: str, reason: str) -> None:  # noqa: A002 - the event's id
        """An event is a dead letter now, durably."""
        self._metrics.destination_dead_lettered.labels(self._name, code).inc()
        if count := self._worth_a_line(f"dead letter {code}"):
            self._log.warning("dead letter", code=code, id=id, reason=reason, count=count)

    def barred(self, action: str, outcome: Barred, probe_in: float) -> None:
        """They do not let us take an action; its events wait."""
        self._metrics.destination_bars.labels(self._name, outcome.code).inc()
        self._log.error(
            "barred: paused until they let us in",
            action=action,
            code=outcome.code,
            reason=outcome.reason,
            probe_in_seconds=round(probe_in, 1),
        )

    def braked(self) -> None:
        """Too much is refused: nothing is sent until a person lets go."""
        self._log.error(
            "braked: too many refusals in a row; see `deadletters list`, mend the cause, and then"
            " `python -m destinations release`"
        )

    def brakes(self, on: bool) -> None:
        """Whether the brake is on."""
        self._braked.set(on)

    def parked(self, lanes: int, events: int) -> None:
        """How much is parked."""
        self._parked_lanes.set(lanes)
        self._parked.set(events)

    def still(self, still: Still | None) -> None:
        """Nothing moves although something waits: told once, for each reason."""
        gauge, was = self._metrics.destination_still_seconds, self._still
        self._still = None if still is None else still.reason
        if was is not None and was != self._still:
            gauge.labels(self._name, was).set(0)
        if still is None:
            return
        gauge.labels(self._name, still.reason).set(still.seconds)
        if was != still.reason:
            self._log.warning("nothing moves", reason=still.reason, seconds=round(still.seconds))

    def limited(self, seconds: float, why: Why) -> None:
        """Requests wait for the vendor's limit."""
        self._metrics.destination_limited_seconds.labels(self._name, why).inc(seconds)

    def stands(
        self, state: State, barred: bool, lanes: int, backlog: int, oldest: float | None
    ) -> None:
        """How things stand; a change of the breaker is told."""
        if (state, barred) != self._was:
            if state is State.CLOSED and not barred:
                self._log.warning("delivering again")
            elif state is not State.CLOSED and self._was[0] is State.CLOSED:
                self._log.warning("failing: left in peace for a while")
            self._was = (state, barred)
        self._state.set(state)
        self._barred.set(barred)
        self._lanes.set(lanes)
        self._backlog.set(backlog)
        self._oldest.set(oldest or 0.0)

    def lags(self, records: int) -> None:
        """Records in the log that are not finished."""
        self._lag.set(records)

    def stumbled(self, what: str, error: Exception) -> None:
        """Something of ours did not work and is tried again; only its kind is told."""
        self._log.warning(what, error=type(error).__name__)

    def broke(self, action: str, error: BaseException) -> None:
        """A talk raised what it should not: a bug of ours, with where it is."""
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        place = (
            f"{trace.tb_frame.f_code.co_filename.rsplit('/', 1)[-1]}:{trace.tb_lineno}"
            if trace
            else "?"
        )
        self._log.error("bug in a talk", action=action, error=type(error).__name__, place=place)


class IndexHappenings:
    """Tells for the index of one process."""

    def __init__(self, metrics: Metrics) -> None:
        self._log = structlog.get_logger("destinations")
        self._behind = metrics.destination_index_behind
        self._unjudged = metrics.destination_index_unjudged
        self._breaks = metrics.destination_index_breaks

    def behind(self, records: int) -> None:
        """Records of the log that the index does not know."""
        self._behind.set(records)

    def unjudged(self, records: int) -> None:
        """Events went on although nobody knows whether they are twins."""
        self._unjudged.inc(records)

    def broke(self, error: Exception) -> None:
        """The index cannot be used; it will be made anew, and delivery goes on."""
        self._breaks.inc()
        self._log.warning("the index broke; events are delivered unjudged", error=str(error))


class AuditHappenings:
    """Tells what the audit of the ledger finds."""

    def __init__(self, metrics: Metrics, destinations: Collection[str]) -> None:
        self._log = structlog.get_logger("destinations")
        self._difference = metrics.destination_ledger_difference
        for destination in destinations:
            self._difference.labels(destination)

    def unaccounted(self, destination: str, events: int, first: str) -> None:
        """An instance has passed events, and the ledger tells nothing of them."""
        self._difference.labels(destination).inc(events)
        self._log.error(
            "passed over, and nobody knows why", destination=destination, events=events, first=first
        )
