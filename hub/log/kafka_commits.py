"""What a group's coordinator is told and asked of the group's places, one request at a time.

aiokafka's own question takes an answer that the coordinator has moved for one that nothing was ever
committed (0.14, OffsetFetch from version 2 on), and would read all from the beginning.
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
            return committed_in(await coordinator._send_req(request))
        except errors.KafkaError as error:
            if not error.retriable:
                raise
            if isinstance(error, errors.NotCoordinatorForGroupError):
                coordinator.coordinator_dead()
        await asyncio.sleep(PAUSE)


def committed_in(response: Any) -> dict[int, Committed]:
    """The places of one topic in a coordinator's answer. Raises KafkaError if it is no answer."""
    code = response.error_code
    if code:
        raise errors.for_code(code)()
    found = {}
    for _, partitions in response.topics:
        for partition, offset, note, code in partitions:
            if code:
                raise errors.for_code(code)()
            found[partition] = Committed(None if offset < 0 else offset, note or "")
    return found
