"""A member that reads from the file."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import pytest

from hub.log import EVENTS, Entry
from hub.log.settings import SqliteLog as Settings
from hub.log.sqlite import SqliteLog
from hub.log.sqlite.doorbell import folder_of
from hub.log.sqlite.members import Member
from hub.log.sqlite.reader import fetch
from tests.hub.log.child import child
from tests.hub.log.scenes import PATIENCE, by_key, numbered, settled, take_all, take_until, until


async def test_a_member_given_up_for_dead_comes_back(tmp_path: Path) -> None:
    """A member that was expelled is told what it lost, joins again, and reads from the commit."""
    log = await SqliteLog.open(Settings(path=tmp_path / "hub.db", partitions=2))
    revoked: list[frozenset[int]] = []

    async def on_revoke(partitions: frozenset[int]) -> None:
        revoked.append(partitions)

    await log.append(EVENTS, numbered("a", range(10)))
    reader = await log.open_reader(EVENTS, "g", on_revoke=on_revoke)
    taken = await take_all(reader, 10)
    await reader.commit({taken[0].partition: 4})
    await log.do(lambda db: db.execute("DELETE FROM members").rowcount)
    await log.do(lambda db: db.execute("UPDATE claims SET owner = NULL").rowcount, ["@events"])

    again = await take_all(reader, 6)
    await log.close()

    assert [frozenset({0, 1})] == revoked
    assert {b"a": list(range(4, 10))} == by_key(again)


async def test_a_fault_of_on_revoke_is_told(tmp_path: Path) -> None:
    """What `on_revoke` raises is raised by the next `take`, and the partitions move anyway."""
    log = await SqliteLog.open(Settings(path=tmp_path / "hub.db", partitions=2))

    async def on_revoke(_: frozenset[int]) -> None:
        raise ZeroDivisionError

    one = await log.open_reader(EVENTS, "g", on_revoke=on_revoke)
    two = await log.open_reader(EVENTS, "g")
    await take_until([two], lambda _: len(two.partitions) == 1)
    with pytest.raises(ZeroDivisionError):
        await one.take(1, 0.0)
    held = one.partitions
    await log.close()

    assert 1 == len(held)


async def test_a_stopped_process_is_followed(tmp_path: Path) -> None:
    """The partitions of a process that hangs are taken over after its lease; when it wakes, the two
    share again.
    """
    settings = Settings(path=tmp_path / "hub.db", partitions=2)
    log = await SqliteLog.open(settings, lease=1.0)
    reader = await log.open_reader(EVENTS, "g")
    async with asyncio.timeout(PATIENCE), child("hold", settings, "g") as other:
        await take_until([reader], lambda _: len(reader.partitions) == 1)
        other.signal(signal.SIGSTOP)
        await take_until([reader], lambda _: len(reader.partitions) == 2)
        other.signal(signal.SIGCONT)
        await take_until([reader], lambda _: len(reader.partitions) == 1)
    await log.close()


async def test_a_killed_process_is_followed_before_its_lease(tmp_path: Path) -> None:
    """A process that was killed is known to be dead by its bell, however long the lease is."""
    settings = Settings(path=tmp_path / "hub.db", partitions=2)
    log = await SqliteLog.open(settings, lease=1e6)
    reader = await log.open_reader(EVENTS, "g")
    async with asyncio.timeout(PATIENCE), child("hold", settings, "g") as other:
        await take_until([reader], lambda _: len(reader.partitions) == 1)
        await other.kill()
        await take_until([reader], lambda _: len(reader.partitions) == 2)
    await log.close()


async def test_a_member_is_given_nothing_that_it_does_not_own(tmp_path: Path) -> None:
    """What a member asks for is given only as far as the file says that it is the member's."""
    log = await SqliteLog.open(Settings(path=tmp_path / "hub.db", partitions=1))
    await log.append(EVENTS, numbered("a", range(3)))
    reader = await log.open_reader(EVENTS, "g")
    stale = Member("gone", "p", EVENTS, "g")

    given = await log.ask(lambda db: fetch(db, stale, {0: 0}, 10))
    await reader.close()
    await log.close()

    assert (set(), {}) == given


async def test_a_deep_partition_does_not_starve_its_neighbour(tmp_path: Path) -> None:
    """Of two partitions with records, each take has some of both."""
    log = await SqliteLog.open(Settings(path=tmp_path / "hub.db", partitions=2))
    await log.append(EVENTS, [Entry(b"%d" % n, b"x") for n in range(1_000)])
    reader = await log.open_reader(EVENTS, "g")

    taken = await reader.take(10, PATIENCE)
    await log.close()

    assert {0: 5, 1: 5} == {p: [r.partition for r in taken].count(p) for p in (0, 1)}


async def test_a_take_is_bounded_in_bytes(tmp_path: Path) -> None:
    """However many records are asked for, one partition gives some megabytes at a time, and the
    next take goes on.
    """
    log = await SqliteLog.open(Settings(path=tmp_path / "hub.db", partitions=1))
    for _ in range(3):
        await log.append(EVENTS, [Entry(b"a", b"x" * 1_000_000)] * 10)
    reader = await log.open_reader(EVENTS, "g")

    first = await reader.take(1_000, PATIENCE)
    rest = await take_all(reader, 30 - len(first))
    await log.close()

    assert 8 <= len(first) <= 10
    assert list(range(30)) == [record.offset for record in [*first, *rest]]


async def test_a_take_wakes_without_bells(tmp_path: Path) -> None:
    """Where processes cannot ring, a waiting take is given what another process appends."""
    settings = Settings(path=tmp_path / "hub.db", partitions=2)
    folder_of(settings.path).write_text("in the way")
    log = await SqliteLog.open(settings)
    reader = await log.open_reader(EVENTS, "g")
    await settled(reader, partitions=2)
    async with asyncio.timeout(PATIENCE):
        waiting = asyncio.create_task(reader.take(10, 10 * PATIENCE))
        async with child("append_one", settings, "a"):
            taken = await waiting
    await log.close()

    assert {b"a": [0]} == by_key(taken)


async def test_a_cancelled_join_leaves_no_member(tmp_path: Path) -> None:
    """Who is cancelled while joining keeps no partition from the others."""
    log = await SqliteLog.open(Settings(path=tmp_path / "hub.db", partitions=2))
    for delay in (0, 1, 2, 5):
        joining = asyncio.create_task(log.open_reader(EVENTS, "g"))
        for _ in range(delay):
            await asyncio.sleep(0)
        joining.cancel()
        await asyncio.gather(joining, return_exceptions=True)
    reader = await log.open_reader(EVENTS, "g")

    await until(lambda: len(reader.partitions) == 2)
    await log.close()
