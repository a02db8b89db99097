"""What members ask for at the same time is one look at the file."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

from hub.log import EVENTS, LogUnavailable
from hub.log.settings import SqliteLog as Settings
from hub.log.sqlite import SqliteLog
from hub.log.sqlite.members import Member, join
from hub.log.sqlite.rounds import Found, Rounds, Wish
from hub.log.sqlite.shelf import Shelf
from tests.hub.log.scenes import numbered

T = TypeVar("T")


class Scene:
    """A log of one partition with `count` records, and members of a group each."""

    def __init__(self, log: SqliteLog, members: list[Member]) -> None:
        self.members = members
        self.rounds = Rounds(self.ask, Shelf())
        self.looks = 0
        self.away = False
        self._log = log

    async def ask(self, question: Callable[[sqlite3.Connection], T]) -> T:
        """The file's answer, counted."""
        self.looks += 1
        if self.away:
            raise LogUnavailable("away")
        return await self._log.ask(question)

    async def fetch(self, *places: int, limit: int = 100) -> list[Found]:
        """All members ask at once, each from its place on."""
        wishes = [
            Wish(member, {0: place}, limit)
            for member, place in zip(self.members, places, strict=True)
        ]
        return await asyncio.gather(*map(self.rounds.fetch, wishes))

    async def append(self, *numbers: int) -> None:
        await self._log.append(EVENTS, numbered("k", range(*numbers)))

    async def close(self) -> None:
        await self._log.close()


async def opened(path: Path, groups: int) -> Scene:
    """A scene with ten records."""
    log = await SqliteLog.open(Settings(path=path / "hub.db", partitions=1))
    members = [Member(f"m{n}", "p", EVENTS, f"g{n}") for n in range(groups)]
    for member in members:
        await log.do(lambda db, member=member: join(db, member, log.now()))  # type: ignore[misc]
    scene = Scene(log, members)
    await scene.append(10)
    return scene


def numbers(found: Found) -> list[int]:
    """What records of partition 0 say."""
    return [int(record.value) for record in found.records.get(0, ())]


async def test_all_that_ask_at_once_are_one_look(tmp_path: Path) -> None:
    """Each is given what it asked for, wherever it stands, and the records are the same objects."""
    scene = await opened(tmp_path, 3)
    found = await scene.fetch(0, 0, 4)
    await scene.close()

    assert 1 == scene.looks
    assert [list(range(10)), list(range(10)), list(range(4, 10))] == [numbers(one) for one in found]
    first, second, _ = (one.records[0] for one in found)
    assert all(one is other for one, other in zip(first, second, strict=True))


async def test_who_is_behind_is_given_what_is_at_hand_and_what_is_not(tmp_path: Path) -> None:
    """What another read before, and what came since, are given as one run, within the limit."""
    scene = await opened(tmp_path, 2)
    await scene.fetch(0, 10)
    await scene.append(10, 20)
    found = await scene.fetch(10, 2, limit=15)
    await scene.close()

    assert [list(range(10, 20)), list(range(2, 17))] == [numbers(one) for one in found]


async def test_what_is_at_hand_is_given_to_owners_only(tmp_path: Path) -> None:
    """A member that the group has given up is given nothing, whatever is on the shelf."""
    scene = await opened(tmp_path, 1)
    stale = Member("gone", "p", EVENTS, "g0")
    (found,) = await scene.fetch(0)
    denied = await scene.rounds.fetch(Wish(stale, {0: 0}, 100))
    await scene.close()

    assert (frozenset({0}), 10) == (found.owned, len(found.records[0]))
    assert Found(frozenset(), {}) == denied


async def test_a_log_that_is_away_is_told_to_all(tmp_path: Path) -> None:
    """A look that fails fails for all who asked; the next is a new one. Who gave up is passed."""
    scene = await opened(tmp_path, 2)
    scene.away = True
    gone = asyncio.create_task(scene.rounds.fetch(Wish(scene.members[0], {0: 0}, 1)))
    await asyncio.sleep(0)
    gone.cancel()
    with pytest.raises(LogUnavailable):
        await scene.fetch(0, 0)
    scene.away = False
    found = await scene.fetch(0, 9)
    await scene.close()

    assert [list(range(10)), [9]] == [numbers(one) for one in found]
