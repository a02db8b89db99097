"""What can happen, told once: a metric and a line in one call."""

from __future__ import annotations

from typing import Any

import pytest
from structlog.testing import capture_logs

from destinations.breaker import State
from destinations.happenings import Happenings
from destinations.outcome import Barred
from hub.metrics import Metrics
from tests.destinations.day import sample


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def tells(metrics: Metrics) -> Happenings:
    return Happenings(metrics, "crm")


@pytest.mark.parametrize(
    ("happening", "said", "metric", "labels", "value"),
    [
        ("accepted", (1,), "accepted_total", {}, 1.0),
        ("filtered", ("by_rules",), "filtered_total", {"reason": "by_rules"}, 1.0),
        ("left", (7,), "batch_rows_sum", {}, 7.0),
        ("left", (7,), "in_flight", {}, 7.0),
        ("back", ("send", 7, 0.5), "in_flight", {}, -7.0),
        ("back", ("send", 7, 0.5), "request_seconds_sum", {"action": "send"}, 0.5),
        ("delivered", ("send", [3.0]), "delivered_total", {"action": "send"}, 1.0),
        ("delivered", ("send", [3.0]), "delay_seconds_sum", {}, 3.0),
        ("delivered", ("send", [-3.0]), "delay_seconds_sum", {}, 0.0),
        ("retried", ("timeout",), "retried_total", {"code": "timeout"}, 1.0),
        ("refused", ("bad",), "refused_total", {"code": "bad"}, 1.0),
        ("buried", ("bad", "m1", "is bad"), "dead_lettered_total", {"code": "bad"}, 1.0),
        ("barred", ("send", Barred("gone", "is gone"), 300.0), "bars_total", {"code": "gone"}, 1.0),
        ("limited", (2.5, "window"), "limited_seconds_total", {"reason": "window"}, 2.5),
        ("lags", (9,), "lag", {}, 9.0),
    ],
)
def test_a_happening_is_counted(
    tells: Happenings,
    metrics: Metrics,
    happening: str,
    said: tuple[Any, ...],
    metric: str,
    labels: dict[str, str],
    value: float,
) -> None:
    """Under the instance's name, in its own metric, by its own labels."""
    getattr(tells, happening)(*said)

    assert value == sample(metrics, f"destination_{metric}", destination="crm", **labels)


def test_normal_operation_logs_nothing(tells: Happenings) -> None:
    """Taking, sending, delivering, retrying and waiting make no line."""
    with capture_logs() as logs:
        tells.accepted(1)
        tells.filtered("by_rules")
        tells.left(1)
        tells.back("send", 1, 0.1)
        tells.delivered("send", [1.0])
        tells.retried("timeout")
        tells.refused("bad")
        tells.limited(1.0, "window")
        tells.lags(1)
        tells.stands(State.CLOSED, False, 1, 1, None)

    assert [] == logs


def test_what_needs_a_person_is_a_line(tells: Happenings) -> None:
    """A dead letter, a bar, a note and a stumble say who, which and why."""
    with capture_logs() as logs:
        tells.buried("bad", "m1", "is bad")
        tells.barred("send", Barred("gone", "is gone"), 299.96)
        tells.noted("send", "a field was dropped")
        tells.stumbled("the log is away", ConnectionError("secret"))

    assert [
        {"event": "dead letter", "code": "bad", "id": "m1", "reason": "is bad", "count": 1},
        {
            "event": "barred: paused until they let us in",
            "action": "send",
            "code": "gone",
            "reason": "is gone",
            "probe_in_seconds": 300.0,
        },
        {
            "event": "delivered with a note",
            "action": "send",
            "note": "a field was dropped",
            "count": 1,
        },
        {"event": "the log is away", "error": "ConnectionError"},
    ] == [{k: v for k, v in s.items() if k not in ("destination", "log_level")} for s in logs]
    assert ["warning", "error", "warning", "warning"] == [said["log_level"] for said in logs]
    assert {"crm"} == {said["destination"] for said in logs}


def test_a_bug_is_told_with_its_place_and_without_its_words(tells: Happenings) -> None:
    """The kind of the error, the file and the line; an error's text may hold a person."""
    try:
        raise ValueError("a@b.example")
    except ValueError as error:
        with capture_logs() as logs:
            tells.broke("send", error)
            tells.broke("send", KeyError("never raised"))

    assert ["ValueError", "KeyError"] == [said["error"] for said in logs]
    assert logs[0]["place"].startswith("test_happenings.py:")
    assert "?" == logs[1]["place"]
    assert "a@b.example" not in str(logs)


def test_how_it_stands(tells: Happenings, metrics: Metrics) -> None:
    """Gauges of the breaker, lanes, backlog and age; no age is 0."""
    tells.stands(State.OPEN, True, 3, 5, 7.5)
    names = ("breaker_state", "barred", "lanes", "backlog", "oldest_seconds")
    first = [sample(metrics, f"destination_{name}") for name in names]
    tells.stands(State.HALF_OPEN, False, 0, 0, None)

    assert [2.0, 1.0, 3.0, 5.0, 7.5] == first
    assert [1.0, 0.0, 0.0, 0.0, 0.0] == [sample(metrics, f"destination_{name}") for name in names]


@pytest.mark.parametrize(
    ("states", "lines"),
    [
        ([(State.OPEN, False)] * 3, ["failing: left in peace for a while"]),
        (
            [(State.HALF_OPEN, False), (State.OPEN, False), (State.CLOSED, False)],
            ["failing: left in peace for a while", "delivering again"],
        ),
        ([(State.CLOSED, True), (State.CLOSED, True)], []),
        ([(State.CLOSED, True), (State.CLOSED, False)], ["delivering again"]),
        ([(State.CLOSED, False)] * 2, []),
    ],
)
def test_a_change_is_told_once(
    tells: Happenings, states: list[tuple[State, bool]], lines: list[str]
) -> None:
    """That it fails, and that it delivers again; that it is barred has its own line."""
    with capture_logs() as logs:
        for state, barred in states:
            tells.stands(state, barred, 0, 0, 0.0)

    assert lines == [said["event"] for said in logs]


def test_what_happens_often_is_told_now_and_then() -> None:
    """A flood of dead letters is counted whole and told a few times, with how many there were."""
    metrics = Metrics()
    with capture_logs() as lines:
        tells = Happenings(metrics, "crm")
        for number in range(1_000):
            tells.buried("bad", f"m{number}", "is bad")
        tells.buried("worse", "m", "is worse")

    assert 1_000 == sample(metrics, "destination_dead_lettered_total", code="bad")
    assert [*range(1, 11), *range(100, 1_001, 100), 1] == [line["count"] for line in lines]
