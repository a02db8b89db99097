"""The spool: on the disk, in order, bounded, and shared by the processes of a machine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from hub.clock import FakeClock
from hub.log import EVENTS, REJECTED, Entry
from hub.settings import Misconfigured
from ingest.settings import SpoolSettings
from ingest.spool import Spool, SpoolFull, Way

Opening = Callable[..., Awaitable[Spool]]


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncIterator[Opening]:
    """Open the spool of this test as one more process would."""
    async with AsyncExitStack() as stack:

        async def one_more(clock: FakeClock | None = None, **settings: float) -> Spool:
            asked = SpoolSettings.model_validate(settings)
            opening = Spool.opened(asked, tmp_path / "spool", clock or FakeClock())
            return await stack.enter_async_context(opening)

        yield one_more


def entries(*numbers: int) -> list[Entry]:
    return [Entry(b"key", b"%d" % number, (("id", b"%d" % number),)) for number in numbers]


async def spooled(spool: Spool, stream: str = EVENTS) -> list[int]:
    return [int(record.value) for record in await spool.first(stream, 10_000)]


async def test_what_is_spooled_comes_out_as_it_was(opened: Opening) -> None:
    """Key, value, headers and order; each stream by itself."""
    spool = await opened()
    await spool.append(EVENTS, entries(1, 2))
    await spool.append(REJECTED, entries(3))
    await spool.append(EVENTS, entries(4))
    found = await spool.first(EVENTS, 2)

    assert entries(1, 2) == [Entry(one.key, one.value, one.headers) for one in found]
    assert ([1, 2, 4], [3]) == (await spooled(spool), await spooled(spool, REJECTED))


async def test_a_new_spool_is_out_of_the_way(opened: Opening) -> None:
    """Appends go straight until one goes into it."""
    spool = await opened()
    before = spool.way
    await spool.append(EVENTS, entries(1))

    assert (Way.STRAIGHT, Way.ROUND) == (before, spool.way)


async def test_all_processes_see_the_way_at_once(opened: Opening) -> None:
    """Who begins after another was answered goes the same way."""
    one, other = await opened(), await opened()
    await one.append(EVENTS, entries(1))
    round_ = other.way
    other.wait()

    assert (Way.ROUND, Way.WAIT) == (round_, one.way)


async def test_a_spool_that_was_left_is_found(opened: Opening, tmp_path: Path) -> None:
    """Also when the byte was lost, as in a power cut: what lies in the file decides."""
    spool = await opened()
    await spool.append(EVENTS, entries(1))
    (tmp_path / "spool" / "way").write_bytes(b"\0")
    again = await opened()

    assert (Way.ROUND, [1]) == (again.way, await spooled(again))


async def test_the_way_is_free_when_nothing_is_left(opened: Opening) -> None:
    """Not before: of no stream and of no process."""
    one, other = await opened(), await opened()
    await one.append(EVENTS, entries(1))
    await other.append(REJECTED, entries(2))
    answers = [await one.emptied()]
    for stream in (EVENTS, REJECTED):
        one.drained((await one.first(stream, 10))[-1])
        answers.append(await one.emptied())

    assert [False, False, True] == answers
    assert (Way.STRAIGHT, Way.STRAIGHT) == (one.way, other.way)


async def test_nothing_is_left_behind_when_the_way_becomes_free(opened: Opening) -> None:
    """However appends and drains fall: what was answered is drained, or the way says so."""
    spools = [await opened() for _ in range(3)]
    drainer = spools[0]

    async def appending(spool: Spool, numbers: range) -> None:
        for number in numbers:
            await spool.append(EVENTS, entries(number))
            if spool.way is Way.STRAIGHT:
                assert [] == [one for one in await spooled(spool) if one == number]

    async def draining() -> None:
        while True:
            for record in await drainer.first(EVENTS, 5):
                drainer.drained(record)
            await drainer.emptied()

    task = asyncio.create_task(draining())
    await asyncio.gather(
        *(appending(spool, range(n * 100, n * 100 + 60)) for n, spool in enumerate(spools))
    )
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert (await drainer.weigh()).records == 0 or drainer.way is not Way.STRAIGHT


async def test_what_is_drained_is_not_given_again(opened: Opening) -> None:
    """Nor deleted before it is time: a full disk does not let anyone delete."""
    spool, after = await opened(), await opened()
    await spool.append(EVENTS, entries(1, 2, 3))
    spool.drained((await spool.first(EVENTS, 2))[-1])
    left = await spooled(spool)

    assert ([3], [1, 2, 3]) == (left, await spooled(after))
    assert not await spool.emptied()
    assert [3] == await spooled(after)


async def test_bytes_are_bounded_until_some_are_drained(opened: Opening) -> None:
    """What does not fit is refused whole, and nothing of it is kept."""
    spool = await opened(max_bytes=1_000)
    await spool.append(EVENTS, entries(1, 2))
    with pytest.raises(SpoolFull):
        await spool.append(EVENTS, [Entry(b"key", b"x" * 900)])
    with pytest.raises(SpoolFull):
        await spool.append(EVENTS, entries(*range(10)))
    await spool.append(EVENTS, entries(3))

    kept = await spooled(spool)
    spool.drained((await spool.first(EVENTS, 10))[-1])
    await spool.emptied()
    await spool.weigh()
    await spool.append(EVENTS, entries(4, 5))

    assert ([1, 2, 3], [4, 5]) == (kept, await spooled(spool))


async def test_bytes_are_bounded_over_all_processes(opened: Opening) -> None:
    """One file, one bound: each learns of the others when it weighs."""
    one, other = await opened(max_bytes=1_000), await opened(max_bytes=1_000)
    large = [Entry(b"key", b"x" * 500)]
    await one.append(EVENTS, large)
    await other.weigh()

    with pytest.raises(SpoolFull):
        await other.append(EVENTS, large)


async def test_age_is_bounded(opened: Opening) -> None:
    """An event that lies there for too long closes the spool until it is drained."""
    clock = FakeClock()
    spool = await opened(clock, max_seconds=60)
    await spool.append(EVENTS, entries(1))
    await spool.weigh()
    clock.advance(60)
    await spool.append(EVENTS, entries(2))
    clock.advance(1)

    with pytest.raises(SpoolFull):
        await spool.append(EVENTS, entries(3))
    with pytest.raises(SpoolFull):
        await spool.ready()


async def test_one_process_drains_and_the_next_when_it_ends(
    opened: Opening, tmp_path: Path
) -> None:
    """The turn stays with who has it, and is free again with its end."""
    other = await opened()
    async with Spool.opened(SpoolSettings(), tmp_path / "spool", FakeClock()) as one:
        turns = [one.take_turn(), one.take_turn(), other.take_turn()]

    assert [True, True, False, True] == [*turns, other.take_turn()]


async def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    """As wrong settings, by the name of the setting: a person must act."""
    (tmp_path / "file").write_text("")

    with pytest.raises(Misconfigured, match=r"ingest\.spool\.path: .*file"):
        async with Spool.opened(SpoolSettings(), tmp_path / "file" / "spool", FakeClock()):
            pass
