"""Whether to knock at all."""

from __future__ import annotations

import math

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from destinations.breaker import MOST, Breaker, Policy, State

POLICY = Policy(failures=3, seconds=5.0)


def opened(policy: Policy = POLICY) -> Breaker:
    """A breaker that has just opened, at 0."""
    breaker = Breaker(policy)
    for _ in range(policy.failures):
        breaker.failed(0.0, breaker.leave())
    return breaker


def test_failures_in_a_row_open_it() -> None:
    """The last of `failures` failures opens it, for `seconds`."""
    breaker = Breaker(POLICY)
    for _ in range(2):
        breaker.failed(0.0, breaker.leave())
    before = breaker.state
    breaker.failed(1.0, breaker.leave())

    assert (State.CLOSED, State.OPEN) == (before, breaker.state)
    assert [5.0, 2.0, 0.0, 0.0] == [breaker.wait(1.0 + s) for s in (0, 3, 5, 6)]


def test_an_answer_breaks_the_row() -> None:
    """Failures with an answer between them are no row."""
    breaker = Breaker(POLICY)
    for _ in range(10):
        breaker.failed(0.0, breaker.leave())
        breaker.failed(0.0, breaker.leave())
        breaker.answered(breaker.leave())

    assert (State.CLOSED, 0.0) == (breaker.state, breaker.wait(0.0))


def test_one_probe_goes_alone() -> None:
    """After an opening one request leaves; the others wait for its answer."""
    breaker = opened()
    waits = [breaker.wait(4.0), breaker.wait(5.0)]
    turn = breaker.leave()
    half = breaker.state, breaker.wait(1_000.0)
    breaker.answered(turn)

    assert [1.0, 0.0] == waits
    assert (State.HALF_OPEN, math.inf) == half
    assert (State.CLOSED, 0.0) == (breaker.state, breaker.wait(5.0))


def test_a_failed_probe_doubles_the_peace_up_to_a_minute() -> None:
    """5, 10, 20, 40, 60, 60 seconds; an answer brings back 5."""
    breaker, now, waits = opened(), 0.0, []
    for _ in range(6):
        waits.append(breaker.wait(now))
        now += waits[-1]
        breaker.failed(now, breaker.leave())
    now += breaker.wait(now)
    breaker.answered(breaker.leave())
    for _ in range(3):
        breaker.failed(now, breaker.leave())

    assert [5.0, 10.0, 20.0, 40.0, MOST, MOST] == waits
    assert 5.0 == pytest.approx(breaker.wait(now))


def test_a_peace_that_begins_longer_than_a_minute_is_not_shortened() -> None:
    """A configured 90 s stays 90 s after a failed probe."""
    breaker = opened(Policy(failures=1, seconds=90.0))
    breaker.failed(90.0, breaker.leave())

    assert 90.0 == breaker.wait(90.0)


def test_a_probe_without_a_verdict_goes_again() -> None:
    """A rate limit answers a probe with neither yes nor no: another probe may leave at once."""
    breaker = opened()
    breaker.undecided(breaker.leave())

    assert (State.HALF_OPEN, 0.0) == (breaker.state, breaker.wait(5.0))


@pytest.mark.parametrize("what", ["answered", "failed", "undecided"])
@pytest.mark.parametrize("probing", [False, True])
def test_who_left_before_it_opened_tells_nothing_new(what: str, probing: bool) -> None:
    """Answers of requests that left before neither close it, nor prolong it, nor probe."""
    breaker = Breaker(POLICY)
    late = breaker.leave()
    for _ in range(3):
        breaker.failed(0.0, breaker.leave())
    if probing:
        breaker.leave()
    before = breaker.state, breaker.wait(100.0)
    match what:
        case "answered":
            breaker.answered(late)
        case "failed":
            breaker.failed(100.0, late)
        case _:
            breaker.undecided(late)

    assert not breaker.is_probe(late)
    assert before == (breaker.state, breaker.wait(100.0))


def test_a_probe_is_known_by_its_turn() -> None:
    """Only what left after it opened, and is awaited, is the probe."""
    breaker = Breaker(POLICY)
    closed = breaker.is_probe(breaker.leave())
    for _ in range(3):
        breaker.failed(0.0, breaker.leave())
    probe = breaker.leave()

    assert (False, True) == (closed, breaker.is_probe(probe))


class AnyOrder(RuleBasedStateMachine):
    """Whatever comes back in whatever order, one probe at most is on the road while not closed."""

    def __init__(self) -> None:
        super().__init__()
        self.breaker = Breaker(Policy(2, 5.0))
        self.road: list[tuple[int, bool]] = []
        self.now = 0.0

    @precondition(lambda self: self.breaker.wait(self.now) == 0)
    @rule()
    def leave(self) -> None:
        probe = self.breaker.state is not State.CLOSED
        self.road.append((self.breaker.leave(), probe))

    @precondition(lambda self: self.road)
    @rule(data=st.data(), what=st.sampled_from(["answered", "failed", "undecided"]))
    def back(self, data: st.DataObject, what: str) -> None:
        turn, _ = self.road.pop(data.draw(st.integers(0, len(self.road) - 1)))
        match what:
            case "answered":
                self.breaker.answered(turn)
            case "failed":
                self.breaker.failed(self.now, turn)
            case _:
                self.breaker.undecided(turn)

    @rule(seconds=st.sampled_from([1.0, 5.0, 30.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @invariant()
    def one_probe_at_most(self) -> None:
        if self.breaker.state is not State.HALF_OPEN:
            return
        probes = [turn for turn, probe in self.road if probe and turn == self.breaker._turn]
        assert len(probes) <= 1
        assert bool(probes) == math.isinf(self.breaker.wait(self.now))

    @invariant()
    def it_never_waits_for_nothing(self) -> None:
        if not self.road:
            assert self.breaker.wait(self.now) < math.inf


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)


def test_the_numbers_are_fixed() -> None:
    """Dashboards read 0 closed, 1 half open, 2 open."""
    assert {"CLOSED": 0, "HALF_OPEN": 1, "OPEN": 2} == {s.name: s.value for s in State}
