"""What a group's coordinator is told and asked of the group's places, one request at a time.

aiokafka's own ways (0.14) are not gone, for two reasons. Asked what was committed, it takes "I am
not your coordinator" for "nothing ever was", and a reader would begin again at the beginning. And
when a commit crosses a change of the group, it forgets its membership amid joining: a ghost is left
behind, which the group waits for until its session is over.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any, TypeVar

from aiokafka import errors
from aiokafka.protocol.commit import OffsetCommitRequest, OffsetFetchRequest

from hub.log import Committed

_T = TypeVar("_T")

# Seconds between two requests when the coordinator is away, or the group is being rebalanced.
PAUSE = 0.1

# The coordinator is elsewhere: it is looked up anew.
_ELSEWHERE = errors.NotCoordinatorForGroupError, errors.GroupCoordinatorNotAvailableError

# What a broker says of groups for a while after it started, or took them over from another.
_NOT_YET = (errors.GroupLoadInProgressError, *_ELSEWHERE)

# The group goes on without us, or with us in its next generation; heartbeats tell which.
_CHANGED = (
    errors.UnknownMemberIdError,
    errors.IllegalGenerationError,
    errors.RebalanceInProgressError,
)


async def commit(coordinator: Any, topic: str, commits: Mapping[int, Committed]) -> bool:
    """Commit once; False when it may succeed a moment later. Raises KafkaError when it will not."""
    request = OffsetCommitRequest(
        coordinator.group_id,
        coordinator.generation,
        coordinator.member_id,
        OffsetCommitRequest.DEFAULT_RETENTION_TIME,
        [(topic, [(partition, at.place, at.note) for partition, at in commits.items()])],
    )
    try:
        response = await coordinator._send_req(request)
        for _, partitions in response.topics:
            for _, code in partitions:
                if code:
                    raise errors.for_code(code)(topic)
    except errors.KafkaError as error:
        _look_elsewhere(coordinator, error)
        if not error.retriable and not isinstance(error, _CHANGED):
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
            _look_elsewhere(coordinator, error)
        await asyncio.sleep(PAUSE)


def _look_elsewhere(coordinator: Any, error: errors.KafkaError) -> None:
    if isinstance(error, _ELSEWHERE):
        coordinator.coordinator_dead()


async def committed_by(admin: Any, group: str) -> dict[str, dict[int, Committed]]:
    """What a group last committed, by topic and partition, asked once by who is no member of it.

    Raises KafkaError.
    """
    node = await admin.find_coordinator(group)
    return committed_in(await admin._send_request(OffsetFetchRequest(group, None), node))


async def when_loaded(ask: Callable[[], Awaitable[_T]]) -> _T:
    """What `ask` returns, once the coordinators of what it asks after can tell.

    Who calls bounds the time. Raises what `ask` does besides.
    """
    while True:
        try:
            return await ask()
        except _NOT_YET:
            await asyncio.sleep(PAUSE)


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
