"""Whether a request may leave."""

from __future__ import annotations

import math

from structlog.testing import capture_logs

from destinations.gate import Gate
from destinations.happenings import Happenings
from destinations.outcome import Barred, Delivered, Failed, Refused
from destinations.talk import Reply
from hub.metrics import Metrics
from tests.destinations.invented import NOW, action, plan

HEARD = Reply(200)
SEND, OTHER = action("send"), action("other")


def gate(**told: object) -> Gate:
    """The gate of an instance with two actions."""
    return Gate(plan(SEND, OTHER, **told), Happenings(Metrics(), "crm"))


def test_a_bar_closes_its_action_only() -> None:
    """The vendor answers, so the breaker stays closed; the other action may go."""
    of = gate(breaker_failures=1)
    turn = of.leave(SEND, 0.0, NOW)
    with capture_logs() as logs:
        of.back(SEND, turn, [Barred("scope", "missing")], Reply(403), 1.0, NOW)

    assert (0.0, True) == (of.wait(1.0), of.healthy)
    assert (False, True) == (of.may_go(SEND, 1.0), of.may_go(OTHER, 1.0))
    assert ["send"] == [said["action"] for said in logs]


def test_a_lifted_bar_is_told_by_its_name() -> None:
    """Whoever was held for it may go."""
    of = gate(barred_seconds=10.0)
    of.back(SEND, of.leave(SEND, 0.0, NOW), [Barred("scope", "missing")], Reply(403), 1.0, NOW)
    of.bars.seat("send", 11.0)
    turn = of.leave(SEND, 11.0, NOW)

    assert "send" == of.back(SEND, turn, [Delivered()], HEARD, 12.0, NOW)
    assert of.may_go(SEND, 12.0)


def test_time_without_the_vendor_is_counted() -> None:
    """From the failure that opened the breaker to the answer that closed it."""
    of = gate(breaker_failures=1, breaker_seconds=5.0)
    of.back(SEND, of.leave(SEND, 0.0, NOW), [Failed("timeout")], None, 10.0, NOW)
    during = of.away(40.0), of.away_so_far, of.wait(10.0)
    probe = of.leave(SEND, 50.0, NOW)
    is_probe = of.is_probe(probe)
    of.back(SEND, probe, [Delivered()], HEARD, 60.0, NOW)

    assert (30.0, 0.0, 5.0) == during
    assert is_probe
    assert (50.0, 50.0, 60.0) == (of.away(99.0), of.away_so_far, of.taken_at)


def test_the_brake_stops_all_until_a_person_lets_go() -> None:
    """It is told once, with what to do; refusals of our own making do not count."""
    of = gate(brake_run=3)
    with capture_logs() as logs:
        of.count([Refused("missing_field", "no")] * 9, None)
        before = of.braked
        of.count([Refused("bad", "no")] * 3, HEARD)

    assert (False, True, math.inf) == (before, of.braked, of.wait(0.0))
    assert 1 == len(logs)
    assert of.release()
    assert (False, 0.0) == (of.braked, of.wait(0.0))
    assert not of.release()
