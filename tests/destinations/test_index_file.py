"""The file of the index."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from destinations.index_file import SLICES, IndexFile
from hub.log import DEAD_LETTERS, DELIVERIES, EVENTS, Place, Record, Span
from tests.destinations.invented import NOW, record

DAY = 86_400.0


@pytest.fixture
def file(tmp_path: Path) -> Iterator[IndexFile]:
    made = IndexFile(tmp_path / "0.db", DAY)
    yield made
    made.close()


def _feed(file: IndexFile, records: Sequence[Record]) -> None:
    first, last = records[0], records[-1]
    file.feed(first.stream, records, Span(first.partition, first.offset, last.offset + 1))


def _same(offset: int, partition: int = 0, at: float = 0.0, **body: str) -> Record:
    """A record of the one id that these tests are about."""
    return record(offset, partition=partition, at=NOW + at, **{"messageId": "same", **body})


def _page(offset: int, low: int, high: int, name: bytes = b"crm") -> Record:
    headers = (("to", name), ("low", b"%d" % low), ("high", b"%d" % high))
    return Record(DELIVERIES, 0, offset, b"k", b"{}", headers, NOW)


def test_the_second_of_an_id_is_a_twin(file: IndexFile) -> None:
    """It is told with the place of the first; others are no twins."""
    _feed(file, [record(0), _same(1), record(2), _same(3)])

    assert {(0, 3): Place(0, 1)} == file.recent == file.twins(0, 0, 10)


@pytest.mark.parametrize("flushed", [False, True])
def test_a_twin_is_found_in_a_later_feed(file: IndexFile, flushed: bool) -> None:
    """Whether the first still waits in memory or is in the file."""
    _feed(file, [_same(0)])
    if flushed:
        file.flush()
    _feed(file, [record(1), _same(2)])

    assert {(0, 2): Place(0, 0)} == file.twins(0, 0, 10)


def test_sources_do_not_share_ids(file: IndexFile) -> None:
    """The same id of another source is another event."""
    _feed(file, [_same(0, source="shop"), _same(1, source="blog")])

    assert {} == file.twins(0, 0, 10)


def test_twins_are_within_the_window(file: IndexFile) -> None:
    """After the window an id counts anew, and its next twins are twins of that one."""
    times = (0.0, DAY, DAY + 1, 2 * DAY)
    _feed(file, [_same(n, at=at) for n, at in enumerate(times)])

    assert {(0, 1): Place(0, 0), (0, 3): Place(0, 2)} == file.twins(0, 0, 10)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0), (1, 0, 2)])
def test_the_first_is_a_twin_nowhere(file: IndexFile, order: tuple[int, ...]) -> None:
    """In whatever order partitions come to be known, the earliest append is the one that stays."""
    known = [_same(5, 1, at=0.0), _same(3, 0, at=1.0), _same(9, 2, at=2.0)]
    for number in order:
        _feed(file, [known[number]])
        file.flush()
    twins = {place for number in range(3) for place in file.twins(number, 0, 10)}

    assert {(0, 3), (2, 9)} == twins


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0), (0, 2, 1)])
def test_a_clock_that_steps_back_loses_nothing(file: IndexFile, order: tuple[int, ...]) -> None:
    """Of three, two of them in one partition against their times, one stays in every process."""
    known = [_same(1, 0, at=10.0), _same(2, 0, at=8.0), _same(5, 1, at=9.0)]
    for number in order:
        _feed(file, [known[number]])
    twins = {place for number in range(2) for place in file.twins(number, 0, 10)}

    assert {(0, 1), (1, 5)} == twins


def test_one_id_for_all_stays_small(file: IndexFile) -> None:
    """A client that sends all events under one id makes twins, and no heap to search each time."""
    for start in range(0, 2_000, 100):
        _feed(file, [_same(n) for n in range(start, start + 100)])

    assert 1_999 == len(file.twins(0, 0, 2_000))
    assert [Place(0, 0), Place(0, 1)] == file.events("same", 2)


def test_what_is_known_is_not_taken_twice(file: IndexFile) -> None:
    """Readers bring the same records again and again."""
    _feed(file, [_same(0), record(1)])
    _feed(file, [_same(0), record(1), record(2)])

    assert {} == file.twins(0, 0, 10)
    assert Span(0, 0, 3) == file.spans[EVENTS, 0]


def test_a_gap_is_not_jumped(file: IndexFile) -> None:
    """What does not touch what is known is not taken: a span must have no holes."""
    _feed(file, [record(0), record(1)])
    _feed(file, [record(5)])

    assert Span(0, 0, 2) == file.spans[EVENTS, 0]


def test_a_restart_knows_what_was_known(tmp_path: Path) -> None:
    """After a close nothing has to be read again; what waits when a process is killed does."""
    first = IndexFile(tmp_path / "0.db", DAY)
    _feed(first, [_same(0), _same(1)])
    first.close()
    killed = IndexFile(tmp_path / "0.db", DAY)
    _feed(killed, [_same(2)])
    killed.abandon()
    second = IndexFile(tmp_path / "0.db", DAY)
    known, twins = second.spans[EVENTS, 0], second.twins(0, 0, 10)
    second.close()

    assert Span(0, 0, 2) == known
    assert {(0, 1): Place(0, 0)} == twins


def test_memory_of_twins_is_bounded(file: IndexFile) -> None:
    """Beyond it, only the file knows the older ones, and says from where memory is complete."""
    for start in range(0, 30_000, 5_000):
        _feed(file, [_same(n) for n in range(start, start + 5_000)])

    assert 25_000 == file.recent_from[0]
    assert len(file.recent) <= 20_000
    assert 29_999 == len(file.twins(0, 0, 30_000))


def test_events_of_an_id_are_found(file: IndexFile) -> None:
    """The first, its twins, and other sources' events of that id, in the order of their appends."""
    _feed(file, [_same(0), _same(1, at=2.0), _same(2, at=3.0, source="blog")])
    _feed(file, [_same(0, 1, at=1.0)])

    assert [Place(0, 0), Place(1, 0), Place(0, 1), Place(0, 2)] == file.events("same", 10)


def test_letters_and_settlements_are_found(file: IndexFile) -> None:
    """A dead letter by its event's id; what settled it, by its place."""
    letter = Record(DEAD_LETTERS, 1, 4, b"k", b"{}", (("id", b"same"),), NOW)
    settled = Record(DEAD_LETTERS, 1, 5, b"k", b"{}", (("settles", b"1:4"),), NOW)
    _feed(file, [letter, settled])

    assert [(DEAD_LETTERS, Place(1, 4))] == file.others(b"same", 10)
    assert [(DEAD_LETTERS, Place(1, 5))] == file.others(b"1:4", 10)


def test_pages_are_found_by_an_offset(file: IndexFile) -> None:
    """Narrow pages and wide ones, of all instances, in the order of the ledger."""
    ranges = [(0, 9), (10, 19), (12, 12), (0, 1_000_000), (13, 99)]
    _feed(file, [_page(n, low, high) for n, (low, high) in enumerate(ranges)])

    assert [Place(0, n) for n in (1, 2, 3)] == file.pages(0, 12, 13, None, 10)


def test_pages_are_found_by_a_range(file: IndexFile) -> None:
    """All that touch the range, and no more than are asked for."""
    ranges = [(0, 9), (10, 19), (20, 29), (0, 1_000_000), (30, 39)]
    _feed(file, [_page(n, low, high) for n, (low, high) in enumerate(ranges)])

    assert [1, 2, 3] == [page.offset for page in file.pages(0, 15, 30, "crm", 10)]
    assert [1, 2] == [page.offset for page in file.pages(0, 15, 30, None, 2)]
    assert [] == file.pages(0, 15, 30, "ads", 10)


def test_a_lane_is_found_by_its_key(file: IndexFile) -> None:
    """Offsets of one key within a range, over several runs and with a range inside of one."""
    for start in (0, 10, 20):
        _feed(file, [record(n, who=f"u{n % 3}") for n in range(start, start + 10)])
        file.flush()

    assert [6, 9, 12, 15, 18, 21] == file.lane(0, b"shop\0u0", 4, 24)


def test_another_log_is_noticed(file: IndexFile) -> None:
    """A record is known by more than its place: another log may have one there, too."""
    _feed(file, [_same(0), _same(1, at=1.0)])
    known = [file.knows(_same(0)), file.knows(_same(1, at=1.0)), file.knows(_same(0, at=9.0))]

    assert [True, True, False] == known


def test_a_sweep_takes_what_the_log_has_deleted(file: IndexFile) -> None:
    """After all slices nothing is left of deleted records, and all of the others."""
    _feed(file, [record(n) for n in range(100)])
    _feed(file, [_page(n, n, n) for n in range(100)])
    for number in range(SLICES):
        file.sweep({(EVENTS, 0): 60, (DELIVERIES, 0): 60}, number)
    left = [n for n in range(100) if file.events(f"m0-{n}", 1)]

    assert list(range(60, 100)) == left
    assert [] == file.pages(0, 59, 60, None, 10)
    assert 1 == len(file.pages(0, 60, 61, None, 10))


def test_a_file_that_is_none_is_told(tmp_path: Path) -> None:
    """What is no index raises sqlite3.Error, and is then made anew."""
    (tmp_path / "0.db").write_bytes(b"not a database" * 1_000)

    with pytest.raises(sqlite3.Error):
        IndexFile(tmp_path / "0.db", DAY)
