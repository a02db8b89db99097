"""One call per happening: it is counted, and said once in a while."""

from structlog.testing import capture_logs

from hub.clock import FakeClock
from hub.log.sqlite.spool import Holding
from hub.metrics import Metrics
from ingest.happenings import EVERY, Happenings


def test_what_strangers_cause_is_not_said_each_time() -> None:
    """A million unknown keys are a million counts, and a line in ten seconds."""
    metrics, clock = Metrics(), FakeClock()
    with capture_logs() as lines:
        happenings = Happenings(metrics, clock, ["shop"])
        for _ in range(1_000):
            happenings.unkept("unknown_write_key")
        clock.advance(EVERY)
        happenings.unkept("unknown_write_key")

    assert [0, 999] == [line["more"] for line in lines]
    assert b'ingest_unkept_total{code="unknown_write_key"} 1001.0' in metrics.exposition()


def test_codes_of_no_table_are_no_labels() -> None:
    """Labels are bounded, whatever a plan's author writes."""
    metrics = Metrics()
    with capture_logs():
        Happenings(metrics, FakeClock(), ["shop"]).refused("shop", ["invented"])

    assert b'code="schema_violation",source="shop"} 1.0' in metrics.exposition()


def test_an_outage_is_said_at_its_begin_and_its_end() -> None:
    """Once each, however often it is found out; the end with what was done meanwhile."""
    metrics, clock = Metrics(), FakeClock()
    with capture_logs() as lines:
        happenings = Happenings(metrics, clock, [])
        happenings.log_back()
        for why in ("away", "still away"):
            happenings.log_away(why)
        during = metrics.exposition()
        happenings.spooled(3)
        happenings.spool_holds(Holding(1, 100, clock.now()))
        happenings.drained(2)
        clock.advance(7)
        happenings.log_back()
        happenings.log_back()
    begin, end = lines

    assert "away" == begin["why"]
    assert (7, 3, 2) == (end["seconds"], end["spooled"], end["drained"])
    assert b"ingest_log_away 1.0" in during
    assert b"ingest_log_away 0.0" in metrics.exposition()
    assert b"ingest_spool_records 0.0" in metrics.exposition()


def test_the_spool_s_oldest_has_an_age() -> None:
    """In seconds, and none when it is empty."""
    metrics, clock = Metrics(), FakeClock()
    happenings = Happenings(metrics, clock, [])
    happenings.spool_holds(Holding(2, 300, clock.now() - 5))
    full = metrics.exposition()
    happenings.spool_holds(Holding())

    assert b"ingest_spool_oldest_seconds 5.0" in full
    assert b"ingest_spool_bytes 300.0" in full
    assert b"ingest_spool_oldest_seconds 0.0" in metrics.exposition()


def test_a_fault_is_told_by_kind_and_place() -> None:
    """Its words may hold what a client sent."""
    with capture_logs() as lines:
        happenings = Happenings(Metrics(), FakeClock(), [])
        try:
            raise KeyError("ada@example.com")
        except KeyError as error:
            happenings.failed(error)

    assert "KeyError" == lines[0]["error"]
    assert "test_happenings.py" in lines[0]["place"]
    assert "ada" not in str(lines)
