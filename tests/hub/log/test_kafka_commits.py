"""What a coordinator answers about a group's places."""

from __future__ import annotations

import pytest
from aiokafka import errors
from aiokafka.protocol.commit import OffsetFetchResponse_v3

from hub.log import EVENTS, Committed
from hub.log.kafka import KafkaLog
from hub.log.kafka_commits import commit, committed_in, when_loaded
from tests.hub.log.kafka_scenes import PARTITIONS, opened, settings_at
from tests.hub.log.scenes import settled
from tests.kafka.broker import Cluster


def test_places_are_read_from_an_answer() -> None:
    """A place comes with its note; -1 and a missing note mean that there is none."""
    places = [(0, 7, "n", 0), (1, -1, "", 0), (2, 3, None, 0)]
    answer = OffsetFetchResponse_v3(0, [("t", places), ("u", [(0, 1, "", 0)])], 0)

    assert {
        "t": {0: Committed(7, "n"), 1: Committed(None), 2: Committed(3)},
        "u": {0: Committed(1)},
    } == committed_in(answer)


@pytest.mark.parametrize(
    ("partitions", "code"), [([], 16), ([], 14), ([("t", [(0, -1, "", 3)])], 0)]
)
def test_an_error_is_no_answer(partitions: list[object], code: int) -> None:
    """A coordinator that has moved, or is loading, does not say that nothing was committed."""
    with pytest.raises(errors.KafkaError):
        committed_in(OffsetFetchResponse_v3(0, partitions, code))


async def test_groups_that_are_being_loaded_are_asked_after_again() -> None:
    """A broker that just started knows its groups a moment later; other errors are the answer."""
    answers = iter([errors.GroupLoadInProgressError, errors.NotCoordinatorForGroupError, None])

    async def ask() -> str:
        error = next(answers)
        if error is not None:
            raise error
        return "known"

    async def denied() -> str:
        raise errors.GroupAuthorizationFailedError

    assert "known" == await when_loaded(ask)
    with pytest.raises(errors.GroupAuthorizationFailedError):
        await when_loaded(denied)


@pytest.mark.kafka
async def test_a_commit_that_crosses_a_change_of_the_group_leaves_the_member(
    kafka_log: KafkaLog,
) -> None:
    """A commit of another generation is not done, and the membership is as it was."""
    reader = await kafka_log.open_reader(EVENTS, "g")
    await settled(reader, partitions=PARTITIONS)
    coordinator = reader._consumer._coordinator
    member, generation = coordinator.member_id, coordinator.generation
    coordinator.generation = generation - 1
    done = await commit(coordinator, kafka_log._topics[EVENTS].name, {0: Committed(1)})
    after = coordinator.member_id, coordinator.generation
    coordinator.generation = generation
    committed = await reader.committed([0])
    await reader.close()

    assert not done
    assert (member, generation - 1) == after
    assert {0: Committed(None)} == dict(committed)


@pytest.mark.kafka
async def test_a_coordinator_that_moved_is_found(kafka_cluster: Cluster) -> None:
    """Who asks or tells the wrong broker goes on to the right one."""
    settings = settings_at(
        kafka_cluster.bootstrap_servers, replication_factor=3, min_insync_replicas=2
    )
    log = await opened(settings)
    reader = await log.open_reader(EVENTS, "g")
    await settled(reader, partitions=PARTITIONS)
    coordinator = reader._consumer._coordinator
    right = coordinator.coordinator_id
    found = []
    for number, wrong in enumerate(sorted({1, 2, 3} - {right})):
        coordinator.coordinator_id = wrong
        await reader.commit({0: number}, {0: f"note {number}"})
        coordinator.coordinator_id = wrong
        found.append(dict(await reader.committed([0, 1])))
    await reader.close()
    await log.close()

    assert [{0: Committed(n, f"note {n}"), 1: Committed(None)} for n in range(2)] == found
