"""Order within a key, company across keys."""

from __future__ import annotations

from collections import defaultdict, deque

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from destinations.lanes import Lane, Lanes, State

KEYS = [b"a", b"b", b"c"]
Item = tuple[bytes, int, int]  # key, number, partition


class AnyInterleaving(RuleBasedStateMachine):
    """Lanes against queues of a naive model, under pushes, boardings, ends, retries and drops."""

    def __init__(self) -> None:
        super().__init__()
        self.lanes: Lanes[Item] = Lanes()
        self.model: dict[bytes, deque[Item]] = defaultdict(deque)
        self.boarded: list[Lane[Item]] = []
        self.lost: list[Lane[Item]] = []
        self.due: dict[bytes, float] = {}
        self.number = 0
        self.now = 0.0

    @rule(key=st.sampled_from(KEYS), partition=st.integers(0, 1))
    def push(self, key: bytes, partition: int) -> None:
        self.number += 1
        item = (key, self.number, partition)
        self.lanes.push(key, item)
        self.model[key].append(item)

    @rule()
    def board(self) -> None:
        lane = self.lanes.board(self.now)
        busy = {lane.key for lane in self.boarded}
        free = {
            key
            for key, items in self.model.items()
            if items and key not in busy and self.due.get(key, 0.0) <= self.now
        }
        if lane is None:
            assert not free
            return
        assert lane.key in free
        assert self.model[lane.key][0] == lane.head
        assert State.BOARDED is lane.state
        self.due.pop(lane.key, None)
        self.boarded.append(lane)

    @precondition(lambda self: self.boarded)
    @rule(data=st.data())
    def finish(self, data: st.DataObject) -> None:
        lane = self.boarded.pop(data.draw(st.integers(0, len(self.boarded) - 1)))
        self.lanes.finish(lane)
        self.model[lane.key].popleft()

    @precondition(lambda self: self.boarded)
    @rule(data=st.data(), seconds=st.integers(0, 5))
    def again(self, data: st.DataObject, seconds: int) -> None:
        lane = self.boarded.pop(data.draw(st.integers(0, len(self.boarded) - 1)))
        self.lanes.again(lane, self.now + seconds)
        self.due[lane.key] = self.now + seconds

    @rule(partition=st.integers(0, 1))
    def drop(self, partition: int) -> None:
        gone = self.lanes.drop(lambda item: item[2] == partition)
        expected = [i for items in self.model.values() for i in items if i[2] == partition]
        for key, items in self.model.items():
            if items and items[0][2] == partition:
                self.due.pop(key, None)
                self.lost += [lane for lane in self.boarded if lane.key == key]
                self.boarded = [lane for lane in self.boarded if lane.key != key]
            self.model[key] = deque(item for item in items if item[2] != partition)
        assert sorted(expected) == sorted(gone)

    @precondition(lambda self: self.lost)
    @rule()
    def a_late_answer_does_nothing(self) -> None:
        lane = self.lost.pop()
        self.lanes.finish(lane)
        self.lanes.again(lane, self.now)

    @rule(seconds=st.integers(1, 3))
    def wait(self, seconds: int) -> None:
        self.now += seconds

    @invariant()
    def counts_are_the_models(self) -> None:
        assert sum(map(len, self.model.values())) == self.lanes.backlog
        assert sum(bool(items) for items in self.model.values()) == len(self.lanes)

    @invariant()
    def the_next_due_is_the_earliest(self) -> None:
        asleep = list(self.due.values())
        next_due = self.lanes.next_due()
        if asleep and min(asleep) > self.now:
            assert min(asleep) == next_due
        if not asleep:
            assert next_due is None


TestAnyInterleaving = AnyInterleaving.TestCase
TestAnyInterleaving.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)


def boarded(lanes: Lanes[int], now: float = 0.0) -> Lane[int]:
    """The lane that boards now."""
    lane = lanes.board(now)
    assert lane is not None
    return lane


def test_keys_take_turns() -> None:
    """A key with a thousand items does not keep a key with one from boarding."""
    lanes: Lanes[int] = Lanes()
    for item in range(1_000):
        lanes.push(b"loud", item)
    lanes.push(b"quiet", -1)
    loud = boarded(lanes)
    lanes.finish(loud)

    assert b"quiet" == boarded(lanes).key


def test_who_is_due_at_once_goes_in_the_order_of_asking() -> None:
    """Of heads due at the same time, the one that asked first boards first."""
    lanes: Lanes[int] = Lanes()
    for key in KEYS:
        lanes.push(key, 1)
    waiting = [boarded(lanes) for _ in KEYS]
    for lane in reversed(waiting):
        lanes.again(lane, 5.0)

    assert lanes.board(4.9) is None
    assert [b"c", b"b", b"a"] == [boarded(lanes, 5.0).key for _ in KEYS]


def test_finished_lanes_are_forgotten() -> None:
    """A million people who came once leave nothing behind."""
    lanes: Lanes[int] = Lanes()
    lanes.push(b"a", 1)
    lane = boarded(lanes)
    lanes.finish(lane)

    assert (0, 0, State.GONE, 0) == (len(lanes), lanes.backlog, lane.state, len(lane.items))
    assert lanes.board(0.0) is None


def test_a_dropped_lane_is_not_kept_by_a_queue() -> None:
    """What was dropped while it waited is neither ready, nor due, nor counted."""
    lanes: Lanes[int] = Lanes()
    for key in KEYS:
        lanes.push(key, 1)
    lanes.again(boarded(lanes), 9.0)
    lanes.drop(lambda _: True)

    assert lanes.board(10.0) is None
    assert lanes.next_due() is None


def test_a_lane_that_was_dropped_does_not_end_its_successor() -> None:
    """An old head's answer leaves the new lane of the same key alone."""
    lanes: Lanes[int] = Lanes()
    lanes.push(b"a", 1)
    old = boarded(lanes)
    lanes.drop(lambda _: True)
    lanes.push(b"a", 2)
    new = boarded(lanes)
    lanes.finish(old)
    lanes.again(old, 0.0)

    assert (1, 2, State.BOARDED) == (lanes.backlog, new.head, new.state)
    assert lanes.board(0.0) is None
