"""What a group's coordinator is told and asked of the group's places, one request at a time.

aiokafka's own questions take an answer that the coordinator has moved for one that nothing was ever
committed (0.14, OffsetFetch from version 2 on), and a reader would begin again at the beginning.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from typing import Any

from aiokafka import TopicPartition, errors
from aiokafka.protocol.commit import OffsetFetchRequest
from aiokafka.structs import OffsetAndMetadata

from hub.log import Committed

# Seconds between two requests when the coordinator is away, or the group is being rebalanced.
PAUSE = 0.1

# The group goes on without us, or with us under another name.
MOVED = (
    errors.UnknownMemberIdError,
    errors.IllegalGenerationError,
    errors.RebalanceInProgressError,
)


async def commit(coordinator: Any, topic: str, commits: Mapping[int, Committed]) -> bool:
    """Commit once; False when the group or its coordinator was not where it was believed to be.

    Raises KafkaError when asking again is no use.
    """
    offsets = {
        TopicPartition(topic, partition): OffsetAndMetadata(commit.place, commit.note)
        for partition, commit in commits.items()
    }
    try:
        await coordinator._do_commit_offsets(None, offsets)
    except errors.KafkaError as error:
        if not error.retriable and not isinstance(error, MOVED):
            raise
        return False
    return True


async def committed(
    coordinator: Any, topic: str, partitions: Collection[int]
) -> dict[int, Committed]:
    """What the group last committed; asks until the coordinator knows. Raises KafkaError."""
    request = OffsetFetchRequest(coordinator.group_id, [(topic, sorted(partitions))])
    while True:
        await coordinator.ensure_coordinator_known()
        try:
            found = committed_in(await coordinator._send_req(request))
            return {p: found.get(topic, {}).get(p, Committed(None)) for p in partitions}
        except errors.KafkaError as error:
            if not error.retriable:
                raise
            if isinstance(error, errors.NotCoordinatorForGroupError):
                coordinator.coordinator_dead()
        await asyncio.sleep(PAUSE)


async def committed_by(admin: Any, group: str) -> dict[str, dict[int, Committed]]:
    """What a group last committed, by topic and partition, asked once by who is no member of it.

    Raises KafkaError.
    """
    node = await admin.find_coordinator(group)
    return committed_in(await admin._send_request(OffsetFetchRequest(group, None), node))


def committed_in(response: Any) -> dict[str, dict[int, Committed]]:
    """What a coordinator's answer says, by topic and partition. Raises KafkaError if it is none."""
    code = response.error_code
    if code:
        raise errors.for_code(code)()
    found: dict[str, dict[int, Committed]] = {}
    for topic, partitions in response.topics:
        for partition, offset, note, code in partitions:
            if code:
                raise errors.for_code(code)()
            place = None if offset < 0 else offset
            found.setdefault(topic, {})[partition] = Committed(place, note or "")
    return found
