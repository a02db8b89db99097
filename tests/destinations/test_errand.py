"""Records that are given out once and at a pace."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence

import pytest

from destinations.errand import Errand
from hub.clock import FakeClock
from hub.log import LogUnavailable, Record
from tests.destinations.invented import NOW, record


class Scene:
    """An errand of pages of records, each known by its messageId."""

    def __init__(self, *pages: Sequence[Record], rate: float = 1_000.0) -> None:
        self.clock = FakeClock(NOW)
        self.finished: list[str] = []
        self.away = False
        self.closed = False
        self.errand = Errand("spring", self._given(pages), self._finish, self.clock, rate)

    async def _given(
        self, pages: Sequence[Sequence[Record]]
    ) -> AsyncGenerator[Sequence[tuple[Record, str]], None]:
        try:
            for page in pages:
                yield [(one, dict(one.headers)["id"].decode()) for one in page]
        finally:
            self.closed = True

    async def _finish(self, signs: Sequence[str]) -> None:
        if self.away:
            raise LogUnavailable("the log is away")
        self.finished += signs

    async def take(self, limit: int = 100) -> list[int]:
        """Offsets of what is given a second later."""
        self.clock.advance(1.0)
        return [one.offset for one in await self.errand.take(limit, 0.0)]


async def test_it_gives_all_and_is_done_when_all_is_finished() -> None:
    """Page by page, empty ones too; done after the last commit, not after the last record."""
    scene = Scene([record(0), record(1)], [], [record(2)])
    given = [await scene.take() for _ in range(5)]
    await scene.errand.commit({0: 2})
    before = scene.errand.done.is_set(), scene.errand.open
    await scene.errand.commit({0: 3})

    assert [[0, 1], [], [2], [], []] == given
    assert (False, 1) == before
    assert scene.errand.done.is_set()
    assert ["m0-0", "m0-1", "m0-2"] == scene.finished


async def test_nothing_to_do_is_done_at_once() -> None:
    """An errand without records ends when that is known."""
    scene = Scene()
    await scene.take()

    assert scene.errand.done.is_set()


async def test_it_keeps_to_its_pace() -> None:
    """Ten in a second, whatever the limit of who takes."""
    scene = Scene([record(offset) for offset in range(100)], rate=5.0)
    given = [len(await scene.take()) for _ in range(10)]

    assert sum(given) <= 5 * 10
    assert max(given) <= 2


async def test_partitions_are_those_that_something_was_given_of() -> None:
    """Each is finished by its own place."""
    scene = Scene([record(5), record(0, partition=3), record(6)])
    none = scene.errand.partitions
    await scene.take()
    await scene.errand.commit({3: 1, 0: 6})

    assert frozenset() == none
    assert frozenset({0, 3}) == scene.errand.partitions
    assert ["m3-0", "m0-5"] == scene.finished


async def test_nothing_is_given_while_paused() -> None:
    """Who has no room for more gets none."""
    scene = Scene([record(0)])
    scene.errand.pause(frozenset())
    paused = await scene.take()
    scene.errand.resume(frozenset())

    assert [] == paused
    assert [0] == await scene.take()


async def test_what_could_not_be_finished_is_finished_later() -> None:
    """A log that is away forgets nothing: the next commit covers it."""
    scene = Scene([record(0)])
    await scene.take()
    scene.away = True
    with pytest.raises(LogUnavailable):
        await scene.errand.commit({0: 1})
    scene.away = False
    await scene.errand.commit({0: 1})

    assert ["m0-0"] == scene.finished


async def test_its_source_is_closed_with_it() -> None:
    """Who stops early leaves nothing open."""
    scene = Scene([record(0)], [record(1)])
    await scene.take()
    await scene.errand.close()

    assert scene.closed


async def test_doubts_are_told_by_partition() -> None:
    """What was begun before is known where it is read again; a group has committed nothing."""
    scene = Scene()
    errand = Errand("spring", scene._given([]), scene._finish, scene.clock, 1.0, {2: {7: 1}})
    committed = await errand.committed([2])

    assert {7: 1} == errand.left(2).doubts
    assert {} == errand.left(1).doubts
    assert committed[2].place is None
    await errand.close()
