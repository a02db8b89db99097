"""What may be committed is what is finished, and nothing less."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from destinations.ranges import Range, joined, ranges_of
from destinations.track import Track


@given(
    shapes=st.lists(st.tuples(st.integers(0, 3), st.integers(1, 4)), min_size=1, max_size=30),
    first=st.integers(0, 1_000),
    picks=st.lists(st.none() | st.integers(0, 29), max_size=90),
)
def test_the_place_is_the_first_unfinished(
    shapes: list[tuple[int, int]], first: int, picks: list[int | None]
) -> None:
    """In whatever order ranges finish, the place, the length and the oldest are the model's."""
    ranges = []
    for gap, size in shapes:
        ranges.append((first + gap, first + gap + size))
        first += gap + size
    track = Track()
    begun: list[Range] = []
    unfinished: set[Range] = set()
    for pick in [None, *picks, *range(30)]:
        if pick is None and begun != ranges:
            begun.append(ranges[len(begun)])
            track.begin(*begun[-1], begun[-1][0] * 10.0)
            unfinished.add(begun[-1])
        elif pick is not None:
            track.finish(*begun[pick % len(begun)])
            unfinished.discard(begun[pick % len(begun)])
        place, _ = min(unfinished, default=(begun[-1][1], 0))
        finished = [one for one in begun if one[0] >= place and one not in unfinished]

        assert place == track.place
        assert (place * 10.0 if unfinished else None) == track.oldest
        assert sum(start >= place for start, _ in begun) == len(track)
        assert begun[-1][1] - 1 == track.last
        assert joined(finished) == track.beyond()


@given(
    before=st.sets(st.integers(0, 40)).map(ranges_of),
    sizes=st.lists(st.integers(1, 9), min_size=1, max_size=9),
)
def test_what_was_finished_before_is_cut_out(before: list[Range], sizes: list[int]) -> None:
    """Of a range, all that the last owner finished needs no work, and all else does."""
    track = Track(0, before)
    first, work = 0, []
    for size in sizes:
        work += track.begin(first, first + size, 0.0)
        first += size
    done = {offset for one in before for offset in range(*one)}
    beyond = joined([*track.beyond(), (0, track.place or 0)])

    assert ranges_of({*range(first)} - done) == joined(work)
    assert {*range(first)} & done <= {offset for one in beyond for offset in range(*one)}


def test_nothing_begun_is_nothing_to_commit() -> None:
    """Before the first record there is no place, and no offset was seen."""
    track = Track()

    assert (None, -1, 0, None) == (
        track.place,
        track.last,
        len(track),
        track.oldest,
    )


@pytest.mark.parametrize("offset", [4, 5])
def test_offsets_only_grow(offset: int) -> None:
    """An offset that was begun does not begin again, nor one before it."""
    track = Track()
    track.begin(5, 6, 0.0)

    with pytest.raises(ValueError, match=f"offset {offset} begins after 5"):
        track.begin(offset, offset + 1, 0.0)


def test_finishing_again_does_no_harm() -> None:
    """An answer that is heard twice finishes nothing that came later."""
    track = Track()
    for offset in (1, 2, 3):
        track.begin(offset, offset + 1, 0.0)
    for offset in (1, 1, 3, 3):
        track.finish(offset, offset + 1)

    assert (2, 2) == (track.place, len(track))


def test_finishing_is_linear() -> None:
    """Fifty thousand offsets, in order or backwards, take no more than a moment."""
    began = time.perf_counter()
    for offsets in (range(50_000), range(49_999, -1, -1)):
        track = Track()
        for offset in range(50_000):
            track.begin(offset, offset + 1, 0.0)
        for offset in offsets:
            track.finish(offset, offset + 1)

    assert time.perf_counter() - began < 2.0
