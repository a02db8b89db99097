"""The promises of every log, on each of them."""

from __future__ import annotations

import asyncio

import pytest

from hub.log import (
    DELIVERIES,
    EVENTS,
    STREAMS,
    TOKENS,
    Entry,
    EntryTooLarge,
    Log,
    LogMisconfigured,
    LogUnavailable,
    Place,
)
from hub.log.opening import open_log
from hub.log.partition import partition_of
from hub.log.settings import LogSettings
from hub.log.size import ENTRY_BYTES
from tests.hub.log.conftest import PARTITIONS
from tests.hub.log.scenes import (
    by_key,
    key_of_partition,
    numbered,
    read_all,
    take_all,
)

KEYS = [key_of_partition(partition, PARTITIONS) for partition in range(PARTITIONS)]


def one_each(value: bytes = b"0") -> list[Entry]:
    """One entry for each partition."""
    return [Entry(key, value) for key in KEYS]


async def test_what_was_appended_stands_at_the_returned_places(log: Log) -> None:
    """`append` returns one place per entry, in order; each place holds its entry."""
    entries = [Entry(b"k%d" % n, b"v%d" % n, (("n", b"%d" % n),)) for n in range(50)]

    places = await log.append(EVENTS, entries)
    found = [(await log.read(EVENTS, place.partition, place.offset, 1))[0] for place in places]

    assert [Place(r.partition, r.offset) for r in found] == list(places)
    assert entries == [Entry(record.key, record.value, record.headers) for record in found]
    assert {EVENTS} == {record.stream for record in found}


async def test_the_key_decides_the_partition(log: Log) -> None:
    """A key's partition is the one that Kafka's default partitioner chooses."""
    entries = [Entry(b"key %d" % n, b"") for n in range(50)]

    places = await log.append(EVENTS, entries)

    assert [partition_of(e.key, PARTITIONS) for e in entries] == [p.partition for p in places]


async def test_offsets_are_dense(log: Log) -> None:
    """A partition's offsets begin at 0 and leave nothing out, over several calls."""
    places = [
        place for _ in range(3) for place in await log.append(EVENTS, numbered("a", range(4)))
    ]

    assert list(range(12)) == [place.offset for place in places]


async def test_streams_are_apart(log: Log) -> None:
    """What is appended to one stream is not in another."""
    await log.append(EVENTS, numbered("a", range(3)))
    await log.append(DELIVERIES, numbered("a", range(2)))

    assert [3, 2] == [len(await read_all(log, stream)) for stream in (EVENTS, DELIVERIES)]


async def test_one_call_keeps_the_order_of_a_key(log: Log) -> None:
    """Entries of one call that share a key keep their order."""
    await log.append(EVENTS, [Entry(b"%d" % (n % 7), b"%d" % n) for n in range(700)])

    values = by_key(await read_all(log, EVENTS))

    assert {b"%d" % k: list(range(k, 700, 7)) for k in range(7)} == values


async def test_calls_one_after_the_other_keep_the_order_of_a_key(log: Log) -> None:
    """With many appenders at once, a call that returned before the next began stands before it."""

    async def append(key: str) -> None:
        for number in range(20):
            await log.append(EVENTS, numbered(key, range(number, number + 1)))

    async with asyncio.TaskGroup() as tasks:
        for key in range(16):
            tasks.create_task(append(f"{key}"))

    values = by_key(await read_all(log, EVENTS))

    assert {b"%d" % key: list(range(20)) for key in range(16)} == values


async def test_an_empty_append_is_nothing(log: Log) -> None:
    """Appending no entries returns no places and writes nothing."""
    places = await log.append(EVENTS, [])

    assert [] == list(places)
    assert [] == await read_all(log, EVENTS)


@pytest.mark.parametrize(
    "entry",
    [
        pytest.param(Entry(b"", b""), id="empty"),
        pytest.param(Entry(b"\x00", b"\x00\x00", (("h", b"\x00"),)), id="nul"),
        pytest.param(Entry(b"\xff\xfe", b"\x80\x81", (("h", b"\xff"),)), id="not-utf8"),
        pytest.param(Entry(b"k" * 70_000, b"v" * 900_000), id="large"),
        pytest.param(Entry(b"k", b"v" * 1_000_000, (("h", b"h" * 30_000),)), id="megabyte"),
        pytest.param(
            Entry(b"k", b"v", (("", b""), ("é", b""), ("same", b"1"), ("same", b"2"))), id="headers"
        ),
        pytest.param(Entry("ключ".encode(), b"'; DROP TABLE records; --"), id="quotes"),
    ],
)
async def test_hostile_entries_come_back_as_they_were(log: Log, entry: Entry) -> None:
    """Any bytes in key, value and headers come back unchanged, between neighbours."""
    calm = Entry(entry.key, b"calm")

    await log.append(EVENTS, [calm, entry, calm])
    reader = await log.open_reader(EVENTS, "g")
    taken = await take_all(reader, 3)
    await reader.close()

    assert [calm, entry, calm] == [Entry(r.key, r.value, r.headers) for r in taken]


async def test_an_entry_too_large_writes_nothing(log: Log) -> None:
    """An entry larger than the log takes raises EntryTooLarge; its neighbours are not written."""
    with pytest.raises(EntryTooLarge):
        await log.append(EVENTS, [Entry(b"a", b"fine"), Entry(b"a", b"v" * ENTRY_BYTES)])

    assert [] == await read_all(log, EVENTS)


async def test_a_stream_that_is_not_there_is_named(log: Log) -> None:
    """Appending to or reading an unknown stream raises LogMisconfigured with its name."""
    with pytest.raises(LogMisconfigured, match="nowhere"):
        await log.append("nowhere", numbered("a", range(1)))
    with pytest.raises(LogMisconfigured, match="nowhere"):
        await log.open_reader("nowhere", "g")
    with pytest.raises(LogMisconfigured, match="nowhere"):
        await log.read("nowhere", 0, 0, 1)
    with pytest.raises(LogMisconfigured, match="nowhere"):
        await log.offset_at("nowhere", 0, 0.0)


async def test_a_cancelled_append_leaves_the_others_alone(log: Log) -> None:
    """Appends that run at the same time as one that is cancelled are answered."""
    tasks = [
        asyncio.create_task(log.append(EVENTS, numbered(f"{n}", range(10)))) for n in range(20)
    ]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await log.append(EVENTS, numbered("after", range(1)))

    found = by_key(await read_all(log, EVENTS))

    assert [list(range(10))] * 10 == [found[b"%d" % n] for n in range(1, 20, 2)]
    assert [0] == found[b"after"]


async def test_read_gives_from_an_offset_on(log: Log) -> None:
    """`read` gives up to `limit` records from an offset, and none from the end on."""
    await log.append(EVENTS, numbered("a", range(10)))
    partition = partition_of(b"a", PARTITIONS)

    some = await log.read(EVENTS, partition, 3, 4)
    none = await log.read(EVENTS, partition, 10, 4)

    assert [3, 4, 5, 6] == [record.offset for record in some]
    assert [] == list(none)


async def test_offset_at_finds_the_first_record_of_a_time(log: Log) -> None:
    """`offset_at` gives the first record at or after a time, and the end when there is none."""
    partition = partition_of(b"a", PARTITIONS)
    for number in range(5):
        await log.append(EVENTS, numbered("a", range(number, number + 1)))
    records = await log.read(EVENTS, partition, 0, 5)
    times = [record.at for record in records]

    found = [await log.offset_at(EVENTS, partition, at) for at in (0.0, times[-1], times[-1] + 60)]

    assert times == sorted(times)
    assert [0, times.index(times[-1]), 5] == found


async def test_offset_at_an_empty_partition_is_its_end(log: Log) -> None:
    """`offset_at` on a partition without records is its end, 0."""
    assert 0 == await log.offset_at(EVENTS, 0, 0.0)


async def test_the_last_token_of_each_key_is_there(log: Log) -> None:
    """A key's last record of the stream of tokens is found, however many came after it."""
    last = {}
    for number in range(5):
        for key, count in ((b"a", 300), (b"b", 1)):
            await log.append(TOKENS, [Entry(key, b"%d-%d" % (number, n)) for n in range(count)])
            last[key] = b"%d-%d" % (number, count - 1)

    found = {record.key: record.value for record in await read_all(log, TOKENS)}

    assert last == found


async def test_status_tells_spans_groups_and_lag(log: Log) -> None:
    """`status` has every stream, what its partitions hold, and how far each group is."""
    await log.append(EVENTS, one_each() + one_each())
    reader = await log.open_reader(EVENTS, "g")
    await take_all(reader, 2 * PARTITIONS)
    await reader.commit({0: 2, 1: 1})
    statuses = {status.stream: status for status in await log.status()}
    await reader.close()

    assert set(STREAMS) == set(statuses)
    assert [(p, 0, 2) for p in range(PARTITIONS)] == [
        (span.partition, span.first, span.end) for span in statuses[EVENTS].spans
    ]
    assert {0: 2, 1: 1} == dict(statuses[EVENTS].groups["g"])
    assert 2 * PARTITIONS - 3 == statuses[EVENTS].lag("g")


async def test_ready_returns(log: Log) -> None:
    """`ready` returns on a log that can be appended to."""
    assert None is await log.ready()  # type: ignore[func-returns-value]


async def test_a_closed_log_is_away(settings: LogSettings) -> None:
    """After `close`, an append raises LogUnavailable; closing again is nothing."""
    log = await open_log(settings)
    await log.close()
    await log.close()

    with pytest.raises(LogUnavailable):
        await log.append(EVENTS, numbered("a", range(1)))


async def test_close_finishes_appends_in_flight(shared_settings: LogSettings) -> None:
    """Appends that were asked for before `close` are answered, and are there."""
    log = await open_log(shared_settings)
    tasks = [asyncio.create_task(log.append(EVENTS, numbered(f"{n}", range(5)))) for n in range(20)]
    await asyncio.sleep(0)
    await log.close()
    answers = await asyncio.gather(*tasks, return_exceptions=True)

    log = await open_log(shared_settings)
    found = by_key(await read_all(log, EVENTS))
    await log.close()

    assert [5] * 20 == [len(places) for places in answers if not isinstance(places, BaseException)]
    assert {b"%d" % n: list(range(5)) for n in range(20)} == found
