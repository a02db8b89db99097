"""A member that reads from the file."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
from collections.abc import Awaitable, Callable, Collection
from pathlib import Path
from typing import TypeVar

import pytest

from hub.log import EVENTS, Entry
from hub.log.settings import SqliteLog as Settings
from hub.log.sqlite import SqliteLog
from hub.log.sqlite import log as log_module
from hub.log.sqlite.doorbell import folder_of
from hub.log.sqlite.members import Member
from hub.log.sqlite.reader import SqliteReader
from hub.log.sqlite.rounds import Found, Wish
from tests.hub.log.child import child
from tests.hub.log.scenes import PATIENCE, by_key, numbered, settled, take_all, take_until, until

T = TypeVar("T")


class HeldFile:
    """A log's file whose next answer can be held back; all else goes its way."""

    def __init__(self, log: SqliteLog) -> None:
        self._log = log
        self._held: asyncio.Event | None = None
        self.holds = asyncio.Event()

    def hold(self) -> asyncio.Event:
        """Hold the next answer until the event that is returned."""
        self._held = asyncio.Event()
        return self._held

    def now(self) -> float:
        return self._log.now()

    def name(self) -> str:
        return self._log.name()

    async def ask(self, question: Callable[[sqlite3.Connection], T]) -> T:
        return await self._log.ask(question)

    async def fetch(self, wish: Wish) -> Found:
        held, self._held = self._held, None
        answer = await self._log.fetch(wish)
        if held is not None:
            self.holds.set()
            await held.wait()
        return answer

    def do(
        self, deed: Callable[[sqlite3.Connection], T], topics: Collection[str] = ()
    ) -> Awaitable[T]:
        return self._log.do(deed, topics)

    def forget(self, reader: SqliteReader) -> None:
        self._log.forget(reader)


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

    given = await log.fetch(Wish(stale, {0: 0}, 10))
    await reader.close()
    await log.close()

    assert Found(frozenset(), {}) == given


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


async def test_a_take_wakes_without_bells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where processes cannot ring, a waiting take is given what another process appends; the look
    at the file finds it, and needs no sign of life to come round.
    """
    monkeypatch.setattr(log_module, "BEAT", 1e6)
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


@pytest.mark.parametrize("when", ["while it leaves", "after it left"])
async def test_a_take_gives_nothing_of_a_partition_that_leaves(tmp_path: Path, when: str) -> None:
    """What was read of a partition before it began to leave is not given any more: `on_revoke`
    could not commit it. The next member is given all of it.
    """
    log = await SqliteLog.open(Settings(path=tmp_path / "hub.db", partitions=2))
    await log.append(EVENTS, [Entry(b"%d" % n, b"x") for n in range(40)])
    file, leaves, may_leave = HeldFile(log), asyncio.Event(), asyncio.Event()

    async def on_revoke(_: frozenset[int]) -> None:
        leaves.set()
        await may_leave.wait()

    one = SqliteReader(file, Member("", "p", EVENTS, "g"), on_revoke)
    await one.join()
    release = file.hold()
    async with asyncio.timeout(PATIENCE):
        taking = asyncio.create_task(one.take(100, 0.0))
        await file.holds.wait()
        two = await log.open_reader(EVENTS, "g")
        one.nudge()
        await leaves.wait()
        if when == "after it left":
            may_leave.set()
            await until(lambda: len(one.partitions) == 1)
        release.set()
        taken = await taking
        may_leave.set()
    (theirs,) = await take_until([two], lambda taken: bool(taken[0]) and len(two.partitions) == 1)
    kept, moved = one.partitions, two.partitions
    await one.close()
    await log.close()

    assert kept == {record.partition for record in taken}
    assert moved == {record.partition for record in theirs}
    assert list(range(len(theirs))) == [record.offset for record in theirs]
    assert 40 == len(taken) + len(theirs)


async def test_a_take_gives_nothing_of_a_partition_that_was_paused(tmp_path: Path) -> None:
    """What was read of a partition before it was paused waits until it is resumed."""
    log = await SqliteLog.open(Settings(path=tmp_path / "hub.db", partitions=1))
    await log.append(EVENTS, numbered("a", range(3)))
    file = HeldFile(log)
    reader = SqliteReader(file, Member("", "p", EVENTS, "g"), None)
    await reader.join()
    release = file.hold()
    taking = asyncio.create_task(reader.take(100, 0.0))
    await file.holds.wait()
    reader.pause([0])
    release.set()
    paused = await taking
    reader.resume([0])
    resumed = await reader.take(100, 0.0)
    await reader.close()
    await log.close()

    assert [] == list(paused)
    assert {b"a": [0, 1, 2]} == by_key(resumed)
