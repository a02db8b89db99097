"""How the members of a Kafka group share a topic's partitions: few move, and none before its time.

aiokafka knows only the eager protocol: at every change each member is told anew what it has. What
makes it gentle is said in the messages: a member claims what it reads, and the leader leaves that
with it, marked as wanted where another should have it. Who has let go asks the group to share
again, and claims it no more. So a partition that stays is never interrupted, and one that moves is
free only after its last commit.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Protocol

import orjson
from aiokafka.coordinator.protocol import (
    ConsumerProtocolMemberAssignment,
    ConsumerProtocolMemberMetadata,
)

from hub.log.sharing import share

_VERSION = 0


class Holder(Protocol):
    """A member, as its assignor knows it."""

    def claims(self) -> Collection[int]:
        """The partitions that it reads, or has yet to let go of."""

    def assigned(self, partitions: frozenset[int], wanted: frozenset[int]) -> None:
        """The group counts `partitions` as its own from now on, and waits for those `wanted`."""


class Assignor:
    """What aiokafka asks about one member's claims and, where it leads the group, everybody's."""

    name = "event-hub"  # members that share in another way cannot be in the same group
    version = _VERSION

    def __init__(self, holder: Holder) -> None:
        self._holder = holder

    def metadata(self, topics: Iterable[str]) -> Any:
        """What this member tells the leader."""
        claims = orjson.dumps(sorted(self._holder.claims()))
        return ConsumerProtocolMemberMetadata(_VERSION, list(topics), claims)

    def assign(self, cluster: Any, members: Mapping[str, Any]) -> dict[str, Any]:
        """What the leader tells each member; all read the same single topic."""
        (topic,) = {topic for member in members.values() for topic in member.subscription}
        # None while the topic is unknown: everybody is asked again once it is known.
        partitions = len(cluster.partitions_for_topic(topic) or ())
        claims = {name: orjson.loads(member.user_data) for name, member in members.items()}
        return {
            name: ConsumerProtocolMemberAssignment(
                _VERSION, [(topic, owned)], orjson.dumps(sorted(wanted))
            )
            for name, (owned, wanted) in shared(claims, partitions).items()
        }

    def on_assignment(self, assignment: Any) -> None:
        """What the leader told this member."""
        partitions = frozenset(place.partition for place in assignment.partitions())
        self._holder.assigned(partitions, frozenset(orjson.loads(assignment.user_data)))


def shared(
    claims: Mapping[str, Collection[int]], partitions: int
) -> dict[str, tuple[list[int], set[int]]]:
    """The partitions of each member, and which of them it should let go of."""
    owners: dict[int, str | None] = {
        partition: member for member, claimed in claims.items() for partition in claimed
    }
    result: dict[str, tuple[list[int], set[int]]] = {member: ([], set()) for member in claims}
    for partition, heir in sorted(share(sorted(claims), owners, partitions).items()):
        owner = owners.get(partition) or heir
        owned, wanted = result[owner]
        owned.append(partition)
        if owner != heir:
            wanted.add(partition)
    return result
