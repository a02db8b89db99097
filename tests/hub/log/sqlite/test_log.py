"""The SQLite log as a whole: what it says of its file, when it is full, and once it is closed."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hub.log import EVENTS, STREAMS, Entry, LogMisconfigured, LogUnavailable, Span
from hub.log.settings import SqliteLog as Settings
from hub.log.sqlite import SqliteLog
from hub.log.sqlite import log as log_module
from hub.log.sqlite.doorbell import folder_of
from tests.hub.log.scenes import by_key, key_of_partition, numbered, read_all, take_all, until

PARTITIONS = 2
KEY = key_of_partition(1, PARTITIONS).decode()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings of an empty log."""
    return Settings(path=tmp_path / "hub.db", partitions=PARTITIONS)


@pytest.fixture
async def log(settings: Settings) -> AsyncIterator[SqliteLog]:
    """An open log."""
    log = await SqliteLog.open(settings)
    yield log
    await log.close()


async def test_a_file_of_other_partitions_is_not_opened(log: SqliteLog, settings: Settings) -> None:
    """Settings that differ from the file are told with the number to set; the file goes on."""
    other = settings.model_copy(update={"partitions": 3})

    with pytest.raises(LogMisconfigured, match="set partitions = 2"):
        await SqliteLog.open(other)
    assert 1 == len(await log.append(EVENTS, numbered("a", range(1))))


async def test_a_place_without_a_write_ahead_log_is_not_opened() -> None:
    """Where WAL cannot be kept, as on a network disk, nothing is opened."""
    with pytest.raises(LogMisconfigured, match="write-ahead log"):
        await SqliteLog.open(Settings(path=Path(":memory:")))


async def test_a_stream_that_is_not_there_is_named(log: SqliteLog) -> None:
    """Whatever is asked of an unknown stream is answered with its name and those there are."""
    for asked in (
        log.append("orders", numbered("a", range(1))),
        log.open_reader("orders", "g"),
        log.read("orders", 0, 0, 1),
        log.offset_at("orders", 0, 0.0),
    ):
        with pytest.raises(LogMisconfigured, match="no stream 'orders'; there are events"):
            await asked


async def test_a_partition_that_is_not_there_is_named(log: SqliteLog) -> None:
    """Who asks for a partition too high is told so."""
    for asked in (log.read(EVENTS, PARTITIONS, 0, 1), log.offset_at(EVENTS, PARTITIONS, 0.0)):
        with pytest.raises(LogMisconfigured, match="no partition 2"):
            await asked


async def test_status_tells_all_streams_and_groups(log: SqliteLog) -> None:
    """Each stream is there with its spans; a group is there once it has joined, with its places."""
    await log.append(EVENTS, numbered(KEY, range(5)))
    reader = await log.open_reader(EVENTS, "mail")
    before = {status.stream: status.groups for status in await log.status()}
    await reader.commit({1: 3})
    statuses = {status.stream: status for status in await log.status()}

    assert list(STREAMS) == list(statuses)
    assert (Span(0, 0, 0), Span(1, 0, 5)) == statuses[EVENTS].spans
    assert {name: {"mail": {}} if name == EVENTS else {} for name in STREAMS} == before
    assert {"mail": {1: 3}} == statuses[EVENTS].groups
    assert (2, 5) == (statuses[EVENTS].lag("mail"), statuses[EVENTS].lag("other"))


async def test_a_full_file_refuses_and_recovers(log: SqliteLog) -> None:
    """An append for which there is no room raises and leaves nothing; the next that fits is there.

    (Of a disk that is full in earnest: `test_writer`.)
    """
    await log.append(EVENTS, numbered(KEY, range(1)))
    await log.do(lambda db: db.execute("PRAGMA max_page_count = 20").fetchall())

    with pytest.raises(LogUnavailable, match="full"):
        await log.append(EVENTS, [Entry(KEY.encode(), b"v" * 1_000_000)])
    await log.append(EVENTS, numbered(KEY, range(1, 2)))

    assert {KEY.encode(): [0, 1]} == by_key(await read_all(log, EVENTS))


async def test_a_closed_log_says_so(log: SqliteLog) -> None:
    """After `close` every call says that the log is closed; closing again is no harm."""
    reader = await log.open_reader(EVENTS, "g")
    await log.close()
    await log.close()

    for asked in (
        log.append(EVENTS, numbered("a", range(1))),
        log.open_reader(EVENTS, "g"),
        log.read(EVENTS, 0, 0, 1),
        log.offset_at(EVENTS, 0, 0.0),
        log.status(),
        log.ready(),
        reader.take(1, 0.0),
    ):
        with pytest.raises(LogUnavailable, match="closed"):
            await asked


async def test_close_finishes_what_is_in_flight(log: SqliteLog, settings: Settings) -> None:
    """Appends that were begun before `close` are written, however many close at once."""
    tasks = [
        asyncio.create_task(log.append(EVENTS, numbered(KEY, range(n, n + 1)))) for n in range(50)
    ]
    await asyncio.sleep(0)  # each has handed its entry in
    await asyncio.gather(log.close(), log.close())
    places = [place for task in tasks for place in task.result()]
    again = await SqliteLog.open(settings)
    found = by_key(await read_all(again, EVENTS))
    await again.close()

    assert list(range(50)) == [place.offset for place in places]
    assert {KEY.encode(): list(range(50))} == found


async def test_close_leaves_nothing_behind(log: SqliteLog, settings: Settings) -> None:
    """A log that was closed has left its groups and taken its bell down: who comes next reads at
    once, from the commit.
    """
    await log.append(EVENTS, numbered(KEY, range(3)))
    await (await log.open_reader(EVENTS, "g")).commit({1: 1})
    await log.close()
    bells = list(folder_of(settings.path).iterdir())
    again = await SqliteLog.open(settings)
    reader = await again.open_reader(EVENTS, "g")
    held = reader.partitions
    taken = await take_all(reader, 2)
    await again.close()

    assert [] == bells
    assert frozenset(range(PARTITIONS)) == held
    assert {KEY.encode(): [1, 2]} == by_key(taken)


async def test_a_reader_knows_that_it_gave_no_sign_of_life(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a file cannot be written, its readers may be taken for dead: they say so until they
    were heard again.
    """
    monkeypatch.setattr(log_module, "BEAT", 0.05)
    log = await SqliteLog.open(settings, lease=0.3)
    reader = await log.open_reader(EVENTS, "g")
    assert reader.in_touch
    other = sqlite3.connect(settings.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    await until(lambda: not reader.in_touch)
    other.execute("COMMIT")
    other.close()
    await until(lambda: reader.in_touch)
    await reader.close()
    await log.close()
