"""The log on a cluster of three brokers, of which some are lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from hub.log import EVENTS, Committed, Entry, LogUnavailable, Reader
from hub.log.kafka import KafkaLog
from tests.hub.log.kafka_scenes import (
    PARTITIONS,
    Appender,
    appending,
    opened,
    settings_at,
    works_again,
)
from tests.hub.log.scenes import (
    PATIENCE,
    by_key,
    key_of_partition,
    read_all,
    settled,
    take_until,
    until,
)
from tests.kafka.broker import Cluster

pytestmark = pytest.mark.kafka

# One in each partition, so that every broker leads some of them.
KEYS = [key_of_partition(partition, PARTITIONS).decode() for partition in range(PARTITIONS)]


@pytest.fixture
async def log(kafka_cluster: Cluster) -> AsyncIterator[KafkaLog]:
    """A log of three copies, of which two must have a record."""
    log = await opened(
        settings_at(
            kafka_cluster.bootstrap_servers,
            replication_factor=3,
            min_insync_replicas=2,
        )
    )
    yield log
    await log.close()


def coordinator_of(reader: Reader) -> int:
    """The broker that keeps the reader's group."""
    node = reader._consumer._coordinator.coordinator_id  # type: ignore[attr-defined]
    assert isinstance(node, int)
    return node


async def go_on(appenders: list[Appender]) -> None:
    """Wait until each appender has had some more answers."""
    before = [len(appender.returned) for appender in appenders]
    await until(
        lambda: all(
            len(appender.returned) >= count + 10
            for appender, count in zip(appenders, before, strict=True)
        )
    )


@pytest.mark.parametrize("way", ["killed", "frozen"])
async def test_a_lost_broker_loses_nothing(kafka_cluster: Cluster, log: KafkaLog, way: str) -> None:
    """Appends and a reader go on when the broker that keeps the group is lost, and once it is back:
    what was appended is there and was read, each key in order.
    """
    reader = await log.open_reader(EVENTS, "g")
    await settled(reader, partitions=PARTITIONS)
    lost = coordinator_of(reader)
    async with asyncio.timeout(2 * PATIENCE), appending(log, *KEYS) as appenders:
        wanted: list[set[int]] = []

        async def harm() -> None:
            await go_on(appenders)
            if way == "killed":
                kafka_cluster.kill(lost)
            else:
                kafka_cluster.freeze(lost)
            await go_on(appenders)
            kafka_cluster.brokers[lost].thaw()
            if way == "killed":
                kafka_cluster.brokers[lost].launch()
                await asyncio.to_thread(kafka_cluster.brokers[lost].wait)
            await go_on(appenders)
            wanted.extend(set(appender.returned) for appender in appenders)

        harming = asyncio.create_task(harm())
        (taken,) = await take_until(
            [reader],
            lambda taken: (
                harming.done()
                and all(
                    numbers <= set(by_key(taken[0]).get(appender.key, ()))
                    for appender, numbers in zip(appenders, wanted, strict=True)
                )
            ),
        )
        await harming
    await reader.close()
    stored = by_key(await read_all(log, EVENTS))

    for appender in appenders:
        read = list(dict.fromkeys(by_key(taken)[appender.key]))
        assert sorted(read) == read
        assert sorted(set(stored[appender.key])) == stored[appender.key]
        assert set(appender.returned) <= set(stored[appender.key])


async def test_a_lost_majority_is_told_and_passes(kafka_cluster: Cluster, log: KafkaLog) -> None:
    """With two of three brokers gone an append raises in time; when they are back, it works."""
    before = await works_again(log, "before")
    kafka_cluster.kill(1)
    kafka_cluster.kill(2)

    async with asyncio.timeout(PATIENCE):
        with pytest.raises(LogUnavailable):
            await log.append(EVENTS, [Entry(b"during", b"0")])
    kafka_cluster.revive()
    after = await works_again(log, "after")
    stored = by_key(await read_all(log, EVENTS))

    assert set(before.returned) <= set(stored[before.key])
    assert set(after.returned) <= set(stored[after.key])


async def test_a_group_whose_keeper_died_begins_where_it_was(
    kafka_cluster: Cluster, log: KafkaLog
) -> None:
    """Commits go on at the next broker, and a member that joins there is given nothing twice."""
    entries = [Entry(key.encode(), b"%d" % number) for number in range(10) for key in KEYS]
    await log.append(EVENTS, entries)
    one = await log.open_reader(EVENTS, "g")
    await take_until([one], lambda taken: len(taken[0]) == len(entries))
    kafka_cluster.kill(coordinator_of(one))

    async def commits() -> bool:
        try:
            await one.commit(dict.fromkeys(range(PARTITIONS), 9), {0: "note"})
        except LogUnavailable:
            return False
        return True

    await until(commits)
    await one.close()
    two = await log.open_reader(EVENTS, "g")
    (taken,) = await take_until([two], lambda taken: len(taken[0]) >= PARTITIONS)
    committed = await two.committed([0])
    await two.close()

    assert {key.encode(): [9] for key in KEYS} == by_key(taken)
    assert {0: Committed(9, "note")} == dict(committed)
