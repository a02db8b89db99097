"""The promises of every log about what a group committed, on each of them."""

from __future__ import annotations

import pytest

from hub.log import EVENTS, NOTE_CHARACTERS, Committed, Entry, Log, Reader
from hub.log.opening import open_log
from hub.log.settings import LogSettings
from tests.hub.log.conftest import PARTITIONS
from tests.hub.log.scenes import key_of_partition, settled, take_all

KEYS = [key_of_partition(partition, PARTITIONS) for partition in range(PARTITIONS)]


async def reader_of_ten(log: Log) -> Reader:
    """The one member of a group that has taken ten records of each partition."""
    await log.append(EVENTS, [Entry(key, b"%d" % n) for n in range(10) for key in KEYS])
    reader = await log.open_reader(EVENTS, "g")
    await take_all(reader, 10 * PARTITIONS)
    return reader


async def test_nothing_was_committed_at_first(log: Log) -> None:
    """Of a partition that its group never committed there is no place and no note."""
    reader = await log.open_reader(EVENTS, "g")

    found = await reader.committed(range(PARTITIONS))
    await reader.close()

    assert dict.fromkeys(range(PARTITIONS), Committed(None)) == dict(found)


async def test_a_note_is_read_back(log: Log) -> None:
    """A member is told the place and the note that it committed, for the partitions it asks."""
    reader = await reader_of_ten(log)
    await reader.commit({0: 3, 1: 4, 2: 5}, {0: "5-7", 1: '{"a":"b\\"c"}'})

    found = await reader.committed([0, 1, 2])
    await reader.close()

    expected = {0: Committed(3, "5-7"), 1: Committed(4, '{"a":"b\\"c"}'), 2: Committed(5)}
    assert expected == dict(found)


async def test_a_commit_without_a_note_leaves_none(log: Log) -> None:
    """A note belongs to its commit: the next one that brings none clears it."""
    reader = await reader_of_ten(log)
    await reader.commit({0: 3}, {0: "5-7"})
    await reader.commit({0: 8})

    found = await reader.committed([0])
    await reader.close()

    assert {0: Committed(8)} == dict(found)


async def test_the_next_member_is_told_the_note(log: Log) -> None:
    """A member that comes after another has closed reads what that one committed."""
    first = await reader_of_ten(log)
    await first.commit({0: 3, 1: 10}, {0: "5-7"})
    await first.close()

    second = await log.open_reader(EVENTS, "g")
    found = await second.committed([0, 1])
    await second.close()

    assert {0: Committed(3, "5-7"), 1: Committed(10)} == dict(found)


async def test_a_note_outlives_the_log(shared_settings: LogSettings) -> None:
    """A log that is opened again knows the notes."""
    log = await open_log(shared_settings)
    reader = await reader_of_ten(log)
    await reader.commit({0: 3}, {0: "5-7"})
    await reader.close()
    await log.close()

    log = await open_log(shared_settings)
    reader = await log.open_reader(EVENTS, "g")
    found = await reader.committed([0])
    await reader.close()
    await log.close()

    assert {0: Committed(3, "5-7")} == dict(found)


async def test_the_longest_note_is_kept(log: Log) -> None:
    """All partitions may have a note of full length in one commit."""
    reader = await reader_of_ten(log)
    notes = {partition: f"{partition}" * NOTE_CHARACTERS for partition in range(PARTITIONS)}
    await reader.commit(dict.fromkeys(notes, 7), notes)

    found = await reader.committed(range(PARTITIONS))
    await reader.close()

    assert {partition: Committed(7, note) for partition, note in notes.items()} == dict(found)


@pytest.mark.parametrize("note", ["n" * (NOTE_CHARACTERS + 1), "é"], ids=["long", "not-ascii"])
async def test_a_note_that_cannot_be_kept_commits_nothing(log: Log, note: str) -> None:
    """A note too long or not ASCII raises ValueError, and no partition is committed."""
    reader = await reader_of_ten(log)

    with pytest.raises(ValueError, match="note of partition 1"):
        await reader.commit({0: 3, 1: 3}, {1: note})
    found = await reader.committed([0, 1])
    await reader.close()

    assert dict.fromkeys([0, 1], Committed(None)) == dict(found)


async def test_a_note_goes_with_its_partition(log: Log) -> None:
    """Who is given a partition reads the note that its last owner committed while it let go."""
    one: Reader

    async def on_revoke(partitions: frozenset[int]) -> None:
        await one.commit(dict.fromkeys(partitions, 6), {p: f"note {p}" for p in partitions})

    one = await log.open_reader(EVENTS, "g", on_revoke=on_revoke)
    await log.append(EVENTS, [Entry(key, b"%d" % n) for n in range(10) for key in KEYS])
    await take_all(one, 10 * PARTITIONS)
    two = await log.open_reader(EVENTS, "g")
    await settled(one, two, partitions=PARTITIONS)
    moved = two.partitions

    found = await two.committed(moved)
    await one.close()
    await two.close()

    assert {p: Committed(6, f"note {p}") for p in moved} == dict(found)


async def test_a_note_of_a_partition_that_moved_is_skipped(log: Log) -> None:
    """A member leaves no note at a partition that it lost, and those it kept have theirs."""
    one = await reader_of_ten(log)
    two = await log.open_reader(EVENTS, "g")
    await settled(one, two, partitions=PARTITIONS)
    kept, moved = one.partitions, two.partitions
    await two.commit(dict.fromkeys(moved, 6), dict.fromkeys(moved, "theirs"))

    everything = range(PARTITIONS)
    await one.commit(dict.fromkeys(everything, 3), dict.fromkeys(everything, "ours"))
    found = await two.committed(everything)
    await one.close()
    await two.close()

    theirs = dict.fromkeys(moved, Committed(6, "theirs"))
    assert theirs | dict.fromkeys(kept, Committed(3, "ours")) == dict(found)
