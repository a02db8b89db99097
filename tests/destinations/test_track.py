"""What may be committed is what is finished, and nothing less."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from destinations.track import Track


@given(
    gaps=st.lists(st.integers(1, 4), min_size=1, max_size=30),
    first=st.integers(0, 1_000),
    picks=st.lists(st.none() | st.integers(0, 29), max_size=90),
)
def test_the_place_is_the_first_unfinished(
    gaps: list[int], first: int, picks: list[int | None]
) -> None:
    """In whatever order offsets finish, the place, the length and the oldest are the model's."""
    offsets = [first + sum(gaps[: n + 1]) for n in range(len(gaps))]
    track = Track()
    begun: list[int] = []
    unfinished: set[int] = set()
    for pick in [None, *picks, *range(30)]:
        if pick is None and begun != offsets:
            begun.append(offsets[len(begun)])
            track.begin(begun[-1], begun[-1] * 10.0)
            unfinished.add(begun[-1])
        elif pick is not None:
            offset = begun[pick % len(begun)]
            track.finish(offset)
            unfinished.discard(offset)
        place = min(unfinished, default=begun[-1] + 1)

        assert place == track.place
        assert (place * 10.0 if unfinished else None) == track.oldest
        assert sum(offset >= place for offset in begun) == len(track)
        assert begun[-1] == track.last


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
    track.begin(5, 0.0)

    with pytest.raises(ValueError, match=f"offset {offset} begins after 5"):
        track.begin(offset, 0.0)


def test_finishing_again_does_no_harm() -> None:
    """An answer that is heard twice finishes nothing that came later."""
    track = Track()
    for offset in (1, 2, 3):
        track.begin(offset, 0.0)
    track.finish(1)
    track.finish(1)
    track.finish(3)
    track.finish(3)

    assert (2, 2) == (track.place, len(track))


def test_finishing_is_linear() -> None:
    """Fifty thousand offsets, in order or backwards, take no more than a moment."""
    began = time.perf_counter()
    for offsets in (range(50_000), range(49_999, -1, -1)):
        track = Track()
        for offset in range(50_000):
            track.begin(offset, 0.0)
        for offset in offsets:
            track.finish(offset)

    assert time.perf_counter() - began < 2.0
