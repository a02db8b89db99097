"""The index of one process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import pytest

from destinations.follower import Follower
from destinations.happenings import IndexHappenings
from destinations.index import AGAIN_SECONDS, Index
from destinations.index_file import IndexFile
from destinations.settings import Delivery
from hub.clock import FakeClock
from hub.log import EVENTS, LogUnavailable, Place, Record, Span
from hub.log.memory import MemoryLog
from hub.log.settings import MemoryLog as MemorySettings
from hub.metrics import Metrics
from tests.destinations.scene import entry, sample

DAY = 86_400.0


class Scene:
    """A log of one partition, and indexes of it in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = FakeClock()
        self.log = MemoryLog(MemorySettings(partitions=1), clock=self.clock)
        self.metrics = Metrics()
        self.tells = IndexHappenings(self.metrics)

    def index(self) -> Index:
        delivery = Delivery(index_path=self.folder, dedupe_seconds=DAY)
        return Index(delivery, self.log, self.clock, self.tells)

    async def append(self, *numbers: int) -> Sequence[Record]:
        """Events of these numbers, and so ids, each a second after the other."""
        places: list[Place] = []
        for number in numbers:
            places += await self.log.append(EVENTS, [entry(number, "ada")])
            self.clock.advance(1.0)
        return await self.log.read(EVENTS, 0, places[0].offset, len(places))

    def total(self, name: str) -> float:
        return sample(self.metrics, f"destination_index_{name}")


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path / "index")


@pytest.fixture
async def index(scene: Scene) -> AsyncIterator[Index]:
    made = scene.index()
    yield made
    await made.close()


async def test_twins_are_told(scene: Scene, index: Index) -> None:
    """An id that was accepted twice is told with where it stands first."""
    records = await scene.append(1, 2, 1)

    assert {(0, 2): Place(0, 0)} == await index.judge(records)


async def test_every_reader_gets_the_same_verdict(scene: Scene, index: Index) -> None:
    """Whoever brings records later, and in other portions, is told the same."""
    records = await scene.append(1, 2, 1, 2)
    first = await index.judge(records)
    later = [await index.judge(records[start : start + 2]) for start in (0, 2)]

    assert [{}, first] == later


async def test_readers_at_once(scene: Scene, index: Index) -> None:
    """Instances that bring the same records at the same time are told the same."""
    records = await scene.append(1, 2, 1)
    verdicts = await asyncio.gather(*(index.judge(records) for _ in range(7)))

    assert [{(0, 2): Place(0, 0)}] * 7 == verdicts


async def test_what_lies_before_is_read_first(scene: Scene, index: Index) -> None:
    """A partition that moves here brings its last window along: twins of what others took."""
    await scene.append(1)
    scene.clock.advance(DAY - 100)
    await scene.append(*range(10, 60))
    records = await scene.append(2, 1)

    assert {(0, 52): Place(0, 0)} == await index.judge(records)


async def test_a_gap_is_read(scene: Scene, index: Index) -> None:
    """Between two takes of ours another process may have had the partition."""
    await index.judge(await scene.append(1))
    await scene.append(2)
    records = await scene.append(2)

    assert {(0, 2): Place(0, 1)} == await index.judge(records)


async def test_a_restart_is_warm(scene: Scene) -> None:
    """A process finds the index that it left, and reads nothing again."""
    first = scene.index()
    await first.judge(await scene.append(1))
    await first.close()
    second = scene.index()
    await second.ask(IndexFile.flush)
    known = second.span(EVENTS, 0)
    verdict = await second.judge(await scene.append(1))
    await second.close()

    assert Span(0, 0, 1) == known
    assert {(0, 1): Place(0, 0)} == verdict


async def test_two_processes_have_each_their_own(scene: Scene, index: Index) -> None:
    """Who shares the folder takes the next slot, and judges alike."""
    records = await scene.append(1, 1)
    other = scene.index()
    verdicts = [await one.judge(records) for one in (index, other)]
    await other.close()

    assert [{(0, 1): Place(0, 0)}] * 2 == verdicts
    assert ["0.db", "1.db"] == sorted(path.name for path in scene.folder.glob("*.db"))


@pytest.mark.parametrize("count", [0, 1, 3])
async def test_an_index_of_another_log_is_forgotten(scene: Scene, count: int) -> None:
    """A log that begins anew has other events at the same places; none is lost as their twin."""
    first = scene.index()
    await first.judge(await scene.append(1))
    await first.close()
    scene.log = MemoryLog(MemorySettings(partitions=1), clock=scene.clock)
    if count:
        await scene.append(*range(2, 2 + count))
    second = scene.index()
    verdict = await second.judge(await scene.append(1))
    await second.close()

    assert {} == verdict


async def test_a_spoilt_file_is_made_anew(scene: Scene) -> None:
    """Delivery goes on unjudged, that is told, and a minute later there is an index again."""
    scene.folder.mkdir()
    (scene.folder / "0.db").write_bytes(b"not a database" * 1_000)
    records = await scene.append(1, 1)
    index = scene.index()
    spoilt = await index.judge(records)
    scene.clock.advance(AGAIN_SECONDS)
    mended = await index.judge(records)
    await index.close()

    assert {} == spoilt
    assert 1 == scene.total("breaks_total")
    assert 2 == scene.total("unjudged_total")
    assert {(0, 1): Place(0, 0)} == mended


async def test_a_file_that_breaks_at_work(scene: Scene, index: Index) -> None:
    """An error of SQLite's while events are taken in costs their verdict, and no more."""
    records = await scene.append(1, 1)
    await index.judge(records[:1])
    await index.ask(IndexFile.abandon)
    verdict = await index.judge(records[1:])

    assert {} == verdict
    assert 1 == scene.total("breaks_total")
    assert 1 == scene.total("unjudged_total")


async def test_a_folder_that_cannot_be(scene: Scene, index: Index) -> None:
    """Without a place for the index, events go on."""
    scene.folder.write_text("a file where a folder should be")
    verdict = await index.judge(await scene.append(1, 1))

    assert {} == verdict
    assert 1 == scene.total("breaks_total")


class SlowLog(MemoryLog):
    """A log whose reads can be made to hang or to fail."""

    how: Callable[[], object] = staticmethod(lambda: None)

    async def read(self, stream: str, partition: int, offset: int, limit: int) -> Sequence[Record]:
        waits = self.how()
        if isinstance(waits, asyncio.Event):
            await waits.wait()
        return await super().read(stream, partition, offset, limit)


def _fails() -> None:
    raise LogUnavailable("away")


@pytest.mark.parametrize("how", [asyncio.Event, _fails])
async def test_events_do_not_wait_for_the_index(scene: Scene, how: Callable[[], object]) -> None:
    """What cannot be read in time is not waited for; later the verdict is there."""
    scene.log = log = SlowLog(MemorySettings(partitions=1), clock=scene.clock)
    index = scene.index()
    await scene.append(1)
    records = await scene.append(1)
    await index.ask(IndexFile.flush)
    log.how = how
    late = await index.judge(records)
    log.how = lambda: None
    soon = await index.judge(records)
    await index.close()

    assert {} == late
    assert 1 == scene.total("unjudged_total")
    assert {(0, 1): Place(0, 0)} == soon


async def test_what_is_older_than_known_goes_unjudged(scene: Scene, index: Index) -> None:
    """An instance that lags by more than the window waits for no history; it may come twice."""
    records = (await scene.append(1, 1, 2))[:2]
    scene.clock.advance(DAY + 10)
    await index.judge(await scene.append(3))
    before = await index.judge(records)
    await Follower(index, scene.log, scene.clock, scene.tells).catch_up(60.0)
    after = await index.judge(records)

    assert {} == before
    assert 2 == scene.total("unjudged_total")
    assert {(0, 1): Place(0, 0)} == after
