"""What was read lately is at hand."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from hub.log import EVENTS, Record
from hub.log.sqlite.shelf import Shelf


def run(first: int, end: int, size: int = 1, partition: int = 0) -> list[Record]:
    """Records of these offsets, of so many bytes each."""
    value = b"x" * size
    return [Record(EVENTS, partition, n, b"k", value, (), 1.0) for n in range(first, end)]


def offsets(records: Sequence[Record]) -> list[int]:
    """Where they stand."""
    return [record.offset for record in records]


def test_runs_that_touch_are_found_as_one() -> None:
    """What several reads brought is given from any place on, up to the limit and the first gap."""
    shelf = Shelf()
    for first, end in ((10, 20), (0, 10), (25, 30)):
        shelf.keep(0, run(first, end))

    assert [list(range(5, 20)), [5, 6, 7], [29], []] == [
        offsets(shelf.find(0, 5, 100)),
        offsets(shelf.find(0, 5, 3)),
        offsets(shelf.find(0, 29, 3)),
        offsets(shelf.find(0, 20, 3)),
    ]


def test_partitions_are_apart() -> None:
    """A place is one of a partition."""
    shelf = Shelf()
    shelf.keep(1, run(0, 5, partition=1))

    assert [] == shelf.find(0, 0, 5)
    assert run(0, 5, partition=1) == shelf.find(1, 0, 5)


def test_what_came_first_goes_first() -> None:
    """The bytes are bounded; a run that is larger than the bound is not kept at all."""
    shelf = Shelf(most=100)
    for first in range(0, 50, 5):
        shelf.keep(first % 2, run(first, first + 5, size=10, partition=first % 2))
    kept = [offsets(shelf.find(n % 2, n, 5)) for n in range(0, 50, 5)]
    shelf.keep(0, run(100, 120, size=10))

    assert [[]] * 8 + [[40, 41, 42, 43, 44], [45, 46, 47, 48, 49]] == kept
    assert [] == shelf.find(0, 100, 1)


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(1, 9)), max_size=30))
def test_what_is_found_is_what_was_asked_for(shapes: list[tuple[int, int]]) -> None:
    """However runs overlap, what is given begins where it should and has no gaps."""
    shelf = Shelf(most=100)
    for first, size in shapes:
        shelf.keep(0, run(first, first + size))

        assert list(range(first, first + size)) == offsets(shelf.find(0, first, size))
        for offset in range(70):
            found = shelf.find(0, offset, 20)
            assert list(range(offset, offset + len(found))) == offsets(found)
