"""What may be committed is what is finished, and nothing less."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from destinations.progress import Progress


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
    progress = Progress(3)
    begun: list[int] = []
    unfinished: set[int] = set()
    for pick in [None, *picks, *range(30)]:
        if pick is None and begun != offsets:
            begun.append(offsets[len(begun)])
            progress.begin(begun[-1], begun[-1] * 10.0)
            unfinished.add(begun[-1])
        elif pick is not None:
            offset = begun[pick % len(begun)]
            progress.finish(offset)
            unfinished.discard(offset)
        place = min(unfinished, default=begun[-1] + 1)

        assert place == progress.place
        assert (place * 10.0 if unfinished else None) == progress.oldest
        assert sum(offset >= place for offset in begun) == len(progress)
        assert begun[-1] == progress.last


def test_nothing_begun_is_nothing_to_commit() -> None:
    """Before the first record there is no place, and no offset was seen."""
    progress = Progress(3)

    assert (3, None, -1, 0, None) == (
        progress.partition,
        progress.place,
        progress.last,
        len(progress),
        progress.oldest,
    )


@pytest.mark.parametrize("offset", [4, 5])
def test_offsets_only_grow(offset: int) -> None:
    """An offset that was begun does not begin again, nor one before it."""
    progress = Progress(0)
    progress.begin(5, 0.0)

    with pytest.raises(ValueError, match=f"offset {offset} begins after 5"):
        progress.begin(offset, 0.0)


def test_finishing_again_does_no_harm() -> None:
    """An answer that is heard twice finishes nothing that came later."""
    progress = Progress(0)
    for offset in (1, 2, 3):
        progress.begin(offset, 0.0)
    progress.finish(1)
    progress.finish(1)
    progress.finish(3)
    progress.finish(3)

    assert (2, 2) == (progress.place, len(progress))


def test_finishing_is_linear() -> None:
    """Fifty thousand offsets, in order or backwards, take no more than a moment."""
    began = time.perf_counter()
    for offsets in (range(50_000), range(49_999, -1, -1)):
        progress = Progress(0)
        for offset in range(50_000):
            progress.begin(offset, 0.0)
        for offset in offsets:
            progress.finish(offset)

    assert time.perf_counter() - began < 2.0
