"""Places of an append to Kafka."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hub.log import Place
from hub.log.kafka_places import Places, Stand


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=30))
def test_one_place_per_entry_in_order(entries: list[tuple[int, bool]]) -> None:
    """Whichever partitions the entries went to, and in however many batches: `entries` tells the
    partition of each, and whether a batch of it begins there."""
    stands: dict[int, tuple[list[int], list[tuple[int, int]]]] = {}
    expected = []
    free = dict.fromkeys(range(4), 0)
    for number, (partition, begins) in enumerate(entries):
        numbers, runs = stands.setdefault(partition, ([], []))
        if begins or not runs:
            free[partition] += 7  # others wrote between
            runs.append((free[partition], 0))
        expected.append(Place(partition, free[partition]))
        free[partition] += 1
        numbers.append(number)
        runs[-1] = (runs[-1][0], runs[-1][1] + 1)

    places = Places([Stand(partition, *stand) for partition, stand in stands.items()])

    assert len(entries) == len(places)
    assert expected == list(places)
    assert expected[1:3] == places[1:3]
