"""The index is kept up with the log."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from destinations import index as index_module
from destinations.follower import Follower
from destinations.happenings import IndexHappenings
from destinations.index import Index
from destinations.settings import Delivery
from hub.clock import SystemClock
from hub.log import DEAD_LETTERS, DELIVERIES, EVENTS, Entry, Span
from hub.log.memory import MemoryLog
from hub.log.settings import MemoryLog as MemorySettings
from hub.metrics import Metrics
from tests.destinations.scene import accept, entry, sample, until

WINDOW = 86_400.0


class Scene:
    """A log with an index and its follower."""

    def __init__(self, folder: Path, window: float) -> None:
        self.log = MemoryLog(MemorySettings(partitions=2))
        self.metrics = Metrics()
        clock, tells = SystemClock(), IndexHappenings(self.metrics)
        delivery = Delivery(index_path=folder, dedupe_seconds=window)
        self.index = Index(delivery, self.log, clock, tells)
        self.follower = Follower(self.index, self.log, clock, tells)

    def known(self, stream: str = EVENTS) -> int:
        spans = (self.index.span(stream, partition) for partition in range(2))
        return sum(span.end - span.first for span in spans if span is not None)

    @property
    def behind(self) -> float:
        return sample(self.metrics, "destination_index_behind")


@pytest.fixture(params=[WINDOW, 0.0], ids=["upward", "downward"])
async def scene(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Scene]:
    """A window of nothing begins at the end, so that all is history."""
    made = Scene(tmp_path, request.param)
    yield made
    await made.index.close()


async def test_all_streams_are_read(scene: Scene) -> None:
    """Events, the ledger and what lies beside them, from the first record to the last."""
    await accept(scene.log, 1_300)
    headers = (("to", b"crm"), ("low", b"0"), ("high", b"9"))
    await scene.log.append(DELIVERIES, [Entry(b"k", b"{}", headers)])
    await scene.log.append(DEAD_LETTERS, [Entry(b"k", b"{}", (("id", b"m-00007"),))])
    while await scene.follower.look():
        pass

    assert 1_300 == scene.known()
    assert 1 == scene.known(DELIVERIES) == scene.known(DEAD_LETTERS)
    assert 0 == scene.behind
    assert 1 == len(await scene.index.ask(lambda file: file.events("m-01299", 10)) or ())
    assert 1 == len(await scene.index.ask(lambda file: file.others(b"m-00007", 10)) or ())


async def test_what_is_appended_is_followed(scene: Scene) -> None:
    """At work it needs no reader to bring records."""
    task = asyncio.create_task(scene.follower.run())
    await accept(scene.log, 10)
    await until(lambda: scene.known() == 10)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert task.cancelled()


async def test_what_a_reader_is_about_to_bring_is_left_to_it(tmp_path: Path) -> None:
    """Beside a reader at work only history and other streams are read; who asks is not put off."""
    scene = Scene(tmp_path, WINDOW)
    await accept(scene.log, 1_300)
    for partition in range(2):
        await scene.index.judge(await scene.log.read(EVENTS, partition, 100, 50))
    await scene.log.append(DELIVERIES, [Entry(b"k", b"{}")])
    more = await scene.follower.look()
    known = [scene.index.span(EVENTS, partition) for partition in range(2)]
    told = scene.behind, scene.known(DELIVERIES)
    await scene.follower.catch_up(60.0)
    whole = scene.known()
    await scene.index.close()

    assert not more
    assert [Span(0, 0, 150), Span(1, 0, 150)] == known
    assert ((1_000, 1), 1_300) == (told, whole)


@pytest.mark.parametrize(("near", "known"), [(1_000, 200), (10, 1_300)])
async def test_a_follower_that_is_ahead_lets_readers_catch_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, near: int, known: int
) -> None:
    """It begins before they do, and must not stay ahead of all; one that is far behind is slow, and
    is not waited for.
    """
    monkeypatch.setattr(index_module, "NEAR", near)
    scene = Scene(tmp_path, WINDOW)
    await accept(scene.log, 1_300)
    for partition in range(2):
        records = await scene.log.read(EVENTS, partition, 0, 100)
        await scene.index.feed(EVENTS, records, Span(partition, 0, 100))
        await scene.index.judge(records[:50])
    await scene.follower.look()
    found = scene.known()
    await scene.index.close()

    assert known == found


async def test_catching_up_is_bounded(scene: Scene) -> None:
    """Who asks waits no longer than it wants, and is told how much is not known."""
    await accept(scene.log, 2_000)
    missing = await scene.follower.catch_up(0.0)

    assert missing == 2_000 - scene.known()
    assert 0 == await scene.follower.catch_up(60.0)


async def test_an_id_that_moves_to_another_person(scene: Scene) -> None:
    """Twins of different keys, and so partitions, are found although no reader takes both."""
    await scene.log.append(EVENTS, [entry(1, "ada")])
    for person in ("bob", "cleo", "dora", "eve", "fay"):
        await scene.log.append(EVENTS, [entry(1, person)])
    await scene.follower.catch_up(60.0)
    places = await scene.index.ask(lambda file: file.events("m-00001", 10))

    assert 6 == len(places or ())
    assert places is not None
    assert {0, 1} == {place.partition for place in places}
