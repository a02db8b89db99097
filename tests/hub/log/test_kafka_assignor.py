"""How members of a Kafka group share: what is claimed stays until it was let go of."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from aiokafka.coordinator.protocol import (
    ConsumerProtocolMemberAssignment,
    ConsumerProtocolMemberMetadata,
)
from hypothesis import given
from hypothesis import strategies as st

from hub.log.kafka_assignor import Assignor, shared

PARTITIONS = 12

# Who claims which partition; some are free, and some members have none.
GROUPS = st.tuples(
    st.lists(st.sampled_from("abcdef"), unique=True, min_size=1),
    st.dictionaries(st.integers(0, PARTITIONS - 1), st.integers(0, 5)),
).map(
    lambda drawn: {
        name: [p for p, owner in drawn[1].items() if owner % len(drawn[0]) == rank]
        for rank, name in enumerate(drawn[0])
    }
)


class Member:
    """Claims what it holds, and keeps what it is told."""

    def __init__(self, *held: int) -> None:
        self.held: Collection[int] = held
        self.told: list[tuple[frozenset[int], frozenset[int]]] = []

    def claims(self) -> Collection[int]:
        return self.held

    def assigned(self, partitions: frozenset[int], wanted: frozenset[int]) -> None:
        self.told.append((partitions, wanted))


class Cluster:
    """Knows one topic, as aiokafka's metadata does."""

    def __init__(self, partitions: int | None) -> None:
        self._partitions = partitions

    def partitions_for_topic(self, _: str) -> set[int] | None:
        return None if self._partitions is None else set(range(self._partitions))


def told(partitions: int | None, **members: Member) -> dict[str, Any]:
    """What each member is told when the first of them leads, over the wire."""
    assignors = {name: Assignor(member) for name, member in members.items()}
    metadata = {
        name: ConsumerProtocolMemberMetadata.decode(assignor.metadata(["t"]).encode())
        for name, assignor in assignors.items()
    }
    leader = next(iter(assignors.values()))
    for name, assignment in leader.assign(Cluster(partitions), metadata).items():
        decoded = ConsumerProtocolMemberAssignment.decode(assignment.encode())
        assignors[name].on_assignment(decoded)
    return {name: member.told for name, member in members.items()}


@given(GROUPS)
def test_every_partition_has_one_member(claims: dict[str, list[int]]) -> None:
    """Each partition is assigned once, whatever is claimed."""
    assigned = sorted(p for owned, _ in shared(claims, PARTITIONS).values() for p in owned)

    assert list(range(PARTITIONS)) == assigned


@given(GROUPS)
def test_what_is_claimed_stays(claims: dict[str, list[int]]) -> None:
    """No partition is taken from who claims it, and only claimed ones are wanted."""
    result = shared(claims, PARTITIONS)

    for member, (owned, wanted) in result.items():
        assert set(claims[member]) <= set(owned)
        assert wanted <= set(claims[member])


@given(GROUPS)
def test_letting_go_once_makes_it_even(claims: dict[str, list[int]]) -> None:
    """When all have let go of what is wanted, the shares are even, and nothing more is wanted."""
    first = shared(claims, PARTITIONS)
    second = shared({m: set(owned) - wanted for m, (owned, wanted) in first.items()}, PARTITIONS)
    sizes = [len(owned) for owned, _ in second.values()]

    assert max(sizes) - min(sizes) <= 1
    assert not any(wanted for _, wanted in second.values())


def test_members_hear_over_the_wire() -> None:
    """A member tells what it claims; a newcomer waits for what another has yet to let go of."""
    everything = frozenset(range(4))

    heard = told(4, old=Member(0, 1, 2, 3), new=Member())

    assert {
        "old": [(everything, frozenset({2, 3}))],
        "new": [(frozenset(), frozenset())],
    } == heard


def test_a_topic_that_is_not_known_gives_nothing() -> None:
    """While the leader does not know the topic, nobody is given anything."""
    assert {"one": [(frozenset(), frozenset())]} == told(None, one=Member())
