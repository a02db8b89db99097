"""The writing thread: who is answered what when the disk, the lock or the room is not there."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest

from hub.clock import FakeClock
from hub.log import EVENTS, Entry, LogUnavailable
from hub.log.settings import SqliteLog as Settings
from hub.log.sqlite import SqliteLog
from hub.log.sqlite.file import connect
from hub.log.sqlite.writer import WAITING_BYTES
from tests.hub.log.child import child
from tests.hub.log.scenes import PATIENCE, numbered, read_all


async def test_a_full_disk_refuses_and_recovers(tmp_path: Path) -> None:
    """When the disk is full, appends are refused, and what was refused is not there; with room
    again they are written. What was told to be appended is there, in order.
    """
    settings = Settings(path=tmp_path / "hub.db", partitions=1)
    async with asyncio.timeout(PATIENCE), child("fill", settings) as filler:
        told = await filler.told_all()
    log = await SqliteLog.open(settings)
    found = [int(record.value[:6]) for record in await read_all(log, EVENTS)]
    await log.close()

    assert ["done"] == told.pop()
    assert 3 == [words[0] for words in told].count("refused")
    assert [int(number) for word, number in told if word == "appended"] == found


async def test_appends_wait_for_another_processes_lock(tmp_path: Path) -> None:
    """While another connection writes, appends wait; then all of them are answered."""
    settings = Settings(path=tmp_path / "hub.db", partitions=1)
    log = await SqliteLog.open(settings)
    other = connect(settings.path)
    other.execute("BEGIN IMMEDIATE")
    tasks = [asyncio.create_task(log.append(EVENTS, numbered("a", range(1)))) for _ in range(5)]
    await asyncio.wait(tasks, timeout=0.05)
    early = [task.done() for task in tasks]
    other.execute("COMMIT")
    places = [place for places in await asyncio.gather(*tasks) for place in places]
    other.close()
    await log.close()

    assert [False] * 5 == early
    assert list(range(5)) == [place.offset for place in places]


async def test_what_waits_is_bounded(tmp_path: Path) -> None:
    """When too many bytes wait for the disk, the next append is refused at once, and the ones that
    wait are written.
    """
    settings = Settings(path=tmp_path / "hub.db", partitions=1)
    log = await SqliteLog.open(settings)
    other = connect(settings.path)
    other.execute("BEGIN IMMEDIATE")
    large = [Entry(b"a", b"x" * 1_000_000)]
    count = WAITING_BYTES // 1_000_200
    tasks = [asyncio.create_task(log.append(EVENTS, large)) for _ in range(count)]
    await asyncio.sleep(0)
    too_many = [asyncio.create_task(log.append(EVENTS, large)) for _ in range(3)]
    await asyncio.wait(too_many, return_when=asyncio.FIRST_COMPLETED)
    refused = [task.exception() for task in too_many if task.done()]
    other.execute("COMMIT")
    written = await asyncio.gather(*tasks)
    await asyncio.gather(*too_many, return_exceptions=True)
    again = await log.append(EVENTS, numbered("a", range(1)))
    other.close()
    await log.close()

    assert {LogUnavailable} == {type(error) for error in refused}
    assert count == len(written)
    assert 1 == len(again)


async def test_offsets_follow_those_of_another_process(tmp_path: Path) -> None:
    """Two logs on one file append in turns, and no offset is given twice."""
    settings = Settings(path=tmp_path / "hub.db", partitions=1)
    logs = [await SqliteLog.open(settings) for _ in range(2)]
    places = [
        place
        for number in range(20)
        for place in await logs[number % 2].append(EVENTS, numbered("a", range(3)))
    ]
    for log in logs:
        await log.close()

    assert list(range(60)) == [place.offset for place in places]


async def test_times_do_not_step_back(tmp_path: Path) -> None:
    """When the clock is set back, a partition's times stand still, so that they can be searched."""
    clock = FakeClock(1_000.0)
    log = await SqliteLog.open(Settings(path=tmp_path / "hub.db", partitions=1), clock=clock)
    await log.append(EVENTS, numbered("a", range(1)))
    clock.advance(-100)
    await log.append(EVENTS, numbered("a", range(1)))
    times = [record.at for record in await read_all(log, EVENTS)]
    await log.close()

    assert [1_000.0, 1_000.0] == times


async def test_a_deed_that_fails_harms_nobody_later(tmp_path: Path) -> None:
    """A fault in one transaction is told to those in it; the next one is as if it never was."""
    log = await SqliteLog.open(Settings(path=tmp_path / "hub.db", partitions=1))

    def fail(db: sqlite3.Connection) -> None:
        db.execute("DELETE FROM partitions")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await log.do(fail)
    (place,) = await log.append(EVENTS, numbered("a", range(1)))
    await log.close()

    assert 0 == place.offset
