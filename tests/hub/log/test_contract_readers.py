"""The promises of every log to the members of a group, on each of them."""

from __future__ import annotations

import asyncio

from hub.log import (
    EVENTS,
    Entry,
    Log,
    Reader,
    Record,
)
from hub.log.opening import open_log
from hub.log.settings import LogSettings
from tests.hub.log.conftest import PARTITIONS
from tests.hub.log.scenes import (
    PATIENCE,
    after,
    by_key,
    key_of_partition,
    numbered,
    places_of,
    settled,
    take_all,
    take_until,
)

KEYS = [key_of_partition(partition, PARTITIONS) for partition in range(PARTITIONS)]


def one_each(value: bytes = b"0") -> list[Entry]:
    """One entry for each partition."""
    return [Entry(key, value) for key in KEYS]


async def test_a_new_group_begins_at_the_first_record(log: Log) -> None:
    """A group that never committed is given everything, also what came before it."""
    await log.append(EVENTS, one_each(b"0"))
    reader = await log.open_reader(EVENTS, "g")
    await log.append(EVENTS, one_each(b"1"))

    taken = await take_all(reader, 2 * PARTITIONS)
    await reader.close()

    assert {key: [0, 1] for key in KEYS} == by_key(taken)


async def test_a_reader_that_reads_is_in_touch(log: Log) -> None:
    """Nobody else has what the only member of a group just took."""
    await log.append(EVENTS, one_each(b"0"))
    reader = await log.open_reader(EVENTS, "g")
    await take_all(reader, PARTITIONS)
    in_touch = reader.in_touch
    await reader.close()

    assert in_touch


async def test_every_group_is_given_everything(log: Log) -> None:
    """Readers of different groups do not take records from one another."""
    await log.append(EVENTS, [entry for n in range(30) for entry in one_each(b"%d" % n)])
    readers = [await log.open_reader(EVENTS, f"g{n}") for n in range(3)]

    taken = await take_until(readers, lambda taken: min(map(len, taken)) >= 30 * PARTITIONS)
    for reader in readers:
        await reader.close()

    assert [{key: list(range(30)) for key in KEYS}] * 3 == [by_key(each) for each in taken]


async def test_take_gives_up_to_its_limit(log: Log) -> None:
    """`take` gives no more than it was asked for, and goes on where it was."""
    await log.append(EVENTS, numbered("a", range(10)))
    reader = await log.open_reader(EVENTS, "g")

    first = await take_until([reader], lambda taken: len(taken[0]) > 0)
    sizes = []
    rest = list(first[0])
    while len(rest) < 10:
        some = await reader.take(3, 1.0)
        sizes.append(len(some))
        rest += some
    await reader.close()

    assert all(size <= 3 for size in sizes)
    assert {b"a": list(range(10))} == by_key(rest)


async def test_take_returns_empty_when_nothing_comes(log: Log) -> None:
    """`take` waits as long as it was told, and then gives nothing."""
    reader = await log.open_reader(EVENTS, "g")
    await settled(reader, partitions=PARTITIONS)

    taken = await reader.take(10, 0.01)
    await reader.close()

    assert [] == list(taken)


async def test_take_wakes_on_an_append(log: Log) -> None:
    """A `take` that waits is given what is appended meanwhile, long before its time is over."""
    reader = await log.open_reader(EVENTS, "g")
    await settled(reader, partitions=PARTITIONS)
    async with asyncio.timeout(PATIENCE):
        waiting = asyncio.create_task(reader.take(10, 10 * PATIENCE))
        await log.append(EVENTS, numbered("a", range(1)))
        taken = await waiting
    await reader.close()

    assert {b"a": [0]} == by_key(taken)


async def test_a_cancelled_take_loses_nothing(log: Log) -> None:
    """Records that a cancelled `take` might have given are given by the next."""
    reader = await log.open_reader(EVENTS, "g")
    await settled(reader, partitions=PARTITIONS)
    taken: list[Record] = []
    for number in range(20):
        waiting = asyncio.create_task(reader.take(10, PATIENCE))
        await log.append(EVENTS, numbered("a", range(number, number + 1)))
        waiting.cancel()
        (answer,) = await asyncio.gather(waiting, return_exceptions=True)
        taken += [] if isinstance(answer, BaseException) else answer
    taken += await take_all(reader, 20 - len(taken))
    await reader.close()

    assert {b"a": list(range(20))} == by_key(taken)


async def test_the_next_member_begins_at_the_committed_place(log: Log) -> None:
    """What was committed is not given again; what was taken and not committed is."""
    await log.append(EVENTS, numbered("a", range(10)))
    first = await log.open_reader(EVENTS, "g")
    taken = await take_all(first, 10)
    await first.commit(after(taken[:4]))
    await first.close()

    second = await log.open_reader(EVENTS, "g")
    again = await take_all(second, 6)
    await second.close()

    assert {b"a": list(range(4, 10))} == by_key(again)


async def test_a_commit_outlives_the_log(shared_settings: LogSettings) -> None:
    """A log that is opened again knows the records and the committed places."""
    log = await open_log(shared_settings)
    await log.append(EVENTS, numbered("a", range(10)))
    reader = await log.open_reader(EVENTS, "g")
    await reader.commit(after((await take_all(reader, 10))[:7]))
    await reader.close()
    await log.close()

    log = await open_log(shared_settings)
    reader = await log.open_reader(EVENTS, "g")
    again = await take_all(reader, 3)
    await reader.close()
    await log.close()

    assert {b"a": [7, 8, 9]} == by_key(again)


async def test_members_share_partitions(log: Log) -> None:
    """Two members of a group read all partitions, none of them both, and about as many each."""
    one = await log.open_reader(EVENTS, "g")
    two = await log.open_reader(EVENTS, "g")

    await settled(one, two, partitions=PARTITIONS)
    shares = [one.partitions, two.partitions]
    await one.close()
    await two.close()

    assert frozenset(range(PARTITIONS)) == shares[0] | shares[1]
    assert [PARTITIONS // 2] * 2 == [len(share) for share in shares]


async def test_a_partition_is_committed_before_it_moves(log: Log) -> None:
    """`on_revoke` can commit; the new member begins there, so nothing is done twice."""
    done: dict[int, int] = {}
    revoked: set[int] = set()
    one: Reader

    async def on_revoke(partitions: frozenset[int]) -> None:
        revoked.update(partitions)
        await one.commit({p: done[p] for p in partitions if p in done})

    one = await log.open_reader(EVENTS, "g", on_revoke=on_revoke)
    await log.append(EVENTS, [entry for n in range(10) for entry in one_each(b"%d" % n)])
    done.update(after(await take_all(one, 10 * PARTITIONS)))
    two = await log.open_reader(EVENTS, "g")
    before = await settled(one, two, partitions=PARTITIONS)
    await log.append(EVENTS, one_each(b"10"))
    later = await take_until([one, two], lambda taken: sum(map(len, taken)) >= PARTITIONS)
    moved = two.partitions
    await one.close()
    await two.close()

    assert moved <= revoked
    assert [[], []] == before
    assert {key: [10] for key in KEYS} == by_key(later[0] + later[1])


async def test_a_member_that_leaves_hands_over(log: Log) -> None:
    """When a member closes, the other reads all, and what was not committed again."""
    await log.append(EVENTS, [entry for n in range(10) for entry in one_each(b"%d" % n)])
    one = await log.open_reader(EVENTS, "g")
    two = await log.open_reader(EVENTS, "g")
    await settled(one, two, partitions=PARTITIONS)
    left = one.partitions
    await one.close()

    rest = await take_until(
        [two],
        lambda taken: {r.partition for r in taken[0] if r.value == b"9"} >= left,
    )
    held = two.partitions
    await two.close()

    assert frozenset(range(PARTITIONS)) == held
    assert {KEYS[p]: list(range(10)) for p in left} == {
        key: values for key, values in by_key(rest[0]).items() if key in {KEYS[p] for p in left}
    }


async def test_a_commit_of_a_partition_that_moved_is_skipped(log: Log) -> None:
    """A member cannot commit for the new owner; its other partitions are committed."""
    await log.append(EVENTS, [entry for n in range(10) for entry in one_each(b"%d" % n)])
    one = await log.open_reader(EVENTS, "g")
    await take_all(one, 10 * PARTITIONS)
    two = await log.open_reader(EVENTS, "g")
    await settled(one, two, partitions=PARTITIONS)
    kept = one.partitions

    await one.commit(dict.fromkeys(range(PARTITIONS), 5))
    places = await places_of(log, EVENTS, "g")
    await one.close()
    await two.close()

    assert dict.fromkeys(kept, 5) == places


async def test_paused_partitions_give_nothing_until_resumed(log: Log) -> None:
    """A paused partition keeps its place; the others go on."""
    reader = await log.open_reader(EVENTS, "g")
    await settled(reader, partitions=PARTITIONS)
    reader.pause([0, 1])
    await log.append(EVENTS, one_each())

    open_ones = await take_all(reader, PARTITIONS - 2)
    reader.resume([0, 1])
    resumed = await take_all(reader, 2)
    await reader.close()

    assert [2, 3] == sorted(record.partition for record in open_ones)
    assert [0, 1] == sorted(record.partition for record in resumed)


async def test_resume_wakes_a_take(log: Log) -> None:
    """A `take` that waits with everything paused is given records once they are resumed."""
    reader = await log.open_reader(EVENTS, "g")
    await settled(reader, partitions=PARTITIONS)
    reader.pause(range(PARTITIONS))
    await log.append(EVENTS, one_each())
    async with asyncio.timeout(PATIENCE):
        waiting = asyncio.create_task(reader.take(10, 10 * PATIENCE))
        await asyncio.sleep(0)
        reader.resume(range(PARTITIONS))
        taken = list(await waiting)
    taken += await take_all(reader, PARTITIONS - len(taken))
    await reader.close()

    assert {key: [0] for key in KEYS} == by_key(taken)


async def test_a_partition_that_comes_back_is_not_paused(log: Log) -> None:
    """A pause ends when the partition moves away: who reads it again starts afresh."""
    one = await log.open_reader(EVENTS, "g")
    await settled(one, partitions=PARTITIONS)
    one.pause(range(PARTITIONS))
    two = await log.open_reader(EVENTS, "g")
    await settled(one, two, partitions=PARTITIONS)
    moved = two.partitions
    await two.close()
    await log.append(EVENTS, one_each())

    (taken,) = await take_until([one], lambda taken: {r.partition for r in taken[0]} >= moved)
    await one.close()

    assert moved <= {record.partition for record in taken}


async def test_a_member_that_paused_everything_stays(log: Log) -> None:
    """`take` with everything paused gives nothing and keeps the partitions."""
    await log.append(EVENTS, one_each())
    reader = await log.open_reader(EVENTS, "g")
    await take_all(reader, PARTITIONS)
    reader.pause(range(PARTITIONS))
    await log.append(EVENTS, one_each())

    taken = [await reader.take(10, 0.01) for _ in range(5)]
    held = reader.partitions
    await reader.close()

    assert [] == [record for some in taken for record in some]
    assert frozenset(range(PARTITIONS)) == held
