"""What a log deletes, and what comes of it."""

from __future__ import annotations

import contextlib
import math
from pathlib import Path

from hub.clock import FakeClock
from hub.log import EVENTS, TOKENS, Entry, Span
from hub.log.settings import DAY
from hub.log.settings import SqliteLog as Settings
from hub.log.sqlite import SqliteLog, retention
from hub.log.sqlite.file import connect, one
from tests.hub.log.scenes import by_key, numbered, read_all, take_all, until


async def span_of(log: SqliteLog) -> Span:
    """What partition 0 of the events holds."""
    return next(s for s in await log.status() if s.stream == EVENTS).spans[0]


async def delete(log: SqliteLog, oldest: float, most_bytes: int | None = None) -> int:
    """Delete all there is to delete; returns the steps."""
    steps = 1
    while await log.do(lambda db: retention.step(db, oldest, most_bytes)):
        steps += 1
    return steps


async def test_the_old_is_deleted(tmp_path: Path) -> None:
    """Records older than asked go, a bounded number a step; what is as old as asked stays."""
    clock = FakeClock(1_000.0)
    log = await SqliteLog.open(Settings(path=tmp_path / "hub.db", partitions=1), clock=clock)
    await log.append(EVENTS, numbered("a", range(1_200)))
    clock.advance(10)
    await log.append(EVENTS, numbered("a", range(1_200, 1_300)))
    steps = await delete(log, oldest=1_010.0)
    span = await span_of(log)
    await log.close()

    assert Span(0, 1_200, 1_300) == span
    assert steps >= 3


async def test_what_is_too_much_is_deleted(tmp_path: Path) -> None:
    """The oldest go until the partition has no more bytes than asked."""
    log = await SqliteLog.open(Settings(path=tmp_path / "hub.db", partitions=1))
    await log.append(EVENTS, [Entry(b"a", b"x" * 10_000)] * 100)
    await delete(log, oldest=0.0, most_bytes=255_000)
    span = await span_of(log)
    await log.close()

    assert Span(0, 75, 100) == span


async def test_offsets_go_on_after_everything_was_deleted(tmp_path: Path) -> None:
    """An emptied partition gives no offset twice, also to a log that is opened again."""
    settings = Settings(path=tmp_path / "hub.db", partitions=1)
    log = await SqliteLog.open(settings)
    await log.append(EVENTS, numbered("a", range(10)))
    await delete(log, oldest=float("inf"))
    await log.close()
    log = await SqliteLog.open(settings)
    emptied = await span_of(log)
    (place,) = await log.append(EVENTS, numbered("a", range(1)))
    await log.close()

    assert Span(0, 10, 10) == emptied
    assert 10 == place.offset


async def test_a_reader_goes_on_at_the_first_that_is_kept(tmp_path: Path) -> None:
    """A member whose place was deleted, and a read of a deleted offset, begin at the first kept."""
    log = await SqliteLog.open(Settings(path=tmp_path / "hub.db", partitions=1))
    await log.append(EVENTS, [Entry(b"a", b"%d" % n) for n in range(10)])
    reader = await log.open_reader(EVENTS, "g")
    await log.do(lambda db: db.execute("DELETE FROM records_1 WHERE offset < 6").rowcount)
    await log.do(
        lambda db: db.execute("UPDATE partitions SET first = 6 WHERE stream = 'events'").rowcount
    )

    taken = await take_all(reader, 4)
    read = await log.read(EVENTS, 0, 2, 2)
    await log.close()

    assert {b"a": [6, 7, 8, 9]} == by_key(taken)
    assert [6, 7] == [record.offset for record in read]


async def test_it_is_done_in_the_background(tmp_path: Path) -> None:
    """A log in use deletes by its settings, without being asked."""
    settings = Settings(path=tmp_path / "hub.db", partitions=1, retention_seconds=DAY)
    clock = FakeClock()
    log = await SqliteLog.open(settings, clock=clock)
    await log.append(EVENTS, numbered("a", range(10)))
    await log.close()
    clock.advance(2 * DAY)
    log = await SqliteLog.open(settings, clock=clock)
    await log.append(EVENTS, numbered("a", range(1)))

    async def gone() -> bool:
        return (await span_of(log)).first == 10

    await until(gone)
    await log.close()


async def test_space_is_used_again_and_given_back(tmp_path: Path) -> None:
    """What deleted records took is given back to the disk but for some to write on."""
    settings = Settings(path=tmp_path / "hub.db", partitions=1)
    log = await SqliteLog.open(settings)
    for _ in range(30):
        await log.append(EVENTS, [Entry(b"a", b"x" * 1_000_000)] * 4)
    await delete(log, oldest=float("inf"))
    await log.close()
    with contextlib.closing(connect(settings.path)) as db:
        pages, spare = one(db, "PRAGMA page_count"), one(db, "PRAGMA freelist_count")

    assert pages * 8_192 < 70_000_000
    assert spare > 1_000


async def with_superseded_tokens(path: Path, clock: FakeClock) -> SqliteLog:
    """A log whose tokens of one key came once a second, after one of another key, and were
    compacted: 0 and 1,200 are left.
    """
    log = await SqliteLog.open(Settings(path=path, partitions=1), clock=clock)
    await log.append(TOKENS, numbered("rare", range(1)))
    for number in range(1, 1_201):
        clock.advance(1.0)
        await log.append(TOKENS, numbered("often", range(number, number + 1)))
    await delete(log, oldest=clock.now() + 1.0, most_bytes=1)
    return log


async def test_the_last_token_of_a_key_is_kept(tmp_path: Path) -> None:
    """Tokens are neither too old nor too many: only what a later one of its key supersedes goes."""
    log = await with_superseded_tokens(tmp_path / "hub.db", FakeClock(1_000.0))
    left = [(record.offset, record.value) for record in await read_all(log, TOKENS)]
    again = await log.append(TOKENS, numbered("often", range(1_201, 1_202)))
    await log.close()

    assert [(0, b"0"), (1_200, b"1200")] == left
    assert 1_201 == again[0].offset


async def test_few_tokens_are_left_alone(tmp_path: Path) -> None:
    """Until there are many, nothing is looked at and nothing goes."""
    log = await SqliteLog.open(Settings(path=tmp_path / "hub.db", partitions=1))
    await log.append(TOKENS, numbered("often", range(1_000)))
    await delete(log, oldest=math.inf)
    left = await read_all(log, TOKENS)
    await log.close()

    assert 1_000 == len(left)


async def test_what_was_compacted_is_no_end(tmp_path: Path) -> None:
    """Readers and searches for a time go on behind a gap."""
    log = await with_superseded_tokens(tmp_path / "hub.db", FakeClock(1_000.0))
    reader = await log.open_reader(TOKENS, "g")
    taken = [record.offset for _ in range(2) for record in await reader.take(1, 1.0)]
    read = [record.offset for record in await log.read(TOKENS, 0, 1, 10)]
    found = [await log.offset_at(TOKENS, 0, 1_000.0 + second) for second in (0, 1, 1_200, 1_201)]
    behind = [[record.offset for record in await log.read(TOKENS, 0, at, 1)] for at in found]
    await log.close()

    assert [0, 1_200] == taken
    assert [1_200] == read
    assert [[0], [1_200], [1_200], []] == behind
