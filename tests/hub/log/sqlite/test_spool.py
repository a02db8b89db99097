"""What a file can do as a spool."""

from __future__ import annotations

import math
from pathlib import Path

from hub.clock import FakeClock
from hub.log import EVENTS, REJECTED, Entry
from hub.log.settings import SqliteLog as Settings
from hub.log.sqlite import SqliteLog
from hub.log.sqlite.spool import Holding, drop, holding
from tests.hub.log.scenes import numbered


async def opened(folder: Path, clock: FakeClock | None = None) -> SqliteLog:
    settings = Settings(path=folder / "spool.db", partitions=1, retention_seconds=math.inf)
    return await SqliteLog.open(settings, clock=clock)


async def test_a_spool_says_how_much_it_holds(tmp_path: Path) -> None:
    """Records and bytes of all streams, and the time of the oldest."""
    clock = FakeClock(1_000.0)
    log = await opened(tmp_path, clock)
    empty = await log.ask(holding)
    await log.append(EVENTS, [Entry(b"a", b"x" * 1_000)] * 3)
    clock.advance(5)
    await log.append(REJECTED, [Entry(b"b", b"x" * 500)])
    held = await log.ask(holding)
    await log.close()

    assert Holding(0, 0, math.inf) == empty
    assert (4, 1_000.0) == (held.records, held.oldest)
    assert 3_500 < held.bytes < 3_800


async def test_what_is_dropped_is_gone_and_the_rest_stays(tmp_path: Path) -> None:
    """Up to the offset, of that stream only."""
    log = await opened(tmp_path)
    await log.append(EVENTS, numbered("a", range(10)))
    await log.append(REJECTED, numbered("a", range(10)))
    for upto in (7, 7, 4):
        await log.do(lambda db, upto=upto: drop(db, EVENTS, upto))
    left = [int(one.value) for one in await log.read(EVENTS, 0, 0, 100)]
    others = await log.read(REJECTED, 0, 0, 100)
    held = await log.ask(holding)
    await log.do(lambda db: drop(db, EVENTS, 10))
    await log.do(lambda db: drop(db, REJECTED, 10))
    emptied = await log.ask(holding)
    await log.close()

    assert ([7, 8, 9], 10, 13) == (left, len(others), held.records)
    assert Holding() == emptied


async def test_a_drained_spool_gives_its_disk_back(tmp_path: Path) -> None:
    """But for some pages that are kept for the next outage."""
    log = await opened(tmp_path)
    for _ in range(12):
        await log.append(EVENTS, [Entry(b"a", b"x" * 1_000_000)] * 10)

    def pages(db) -> int:
        return int(db.execute("PRAGMA page_count").fetchone()[0])

    full = await log.ask(pages)
    for upto in range(1, 121):
        await log.do(lambda db, upto=upto: drop(db, EVENTS, upto))
    left = await log.ask(pages)
    await log.close()

    assert left * 8_192 < 80_000_000 < full * 8_192
