"""Places of an append to Kafka."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hub.log import Entry, Place
from hub.log.kafka_places import Places
from tests.hub.log.scenes import key_of_partition

PARTITIONS = 4


@given(st.lists(st.tuples(st.integers(0, PARTITIONS - 1), st.booleans()), max_size=30))
def test_one_place_per_entry_in_order(sent: list[tuple[int, bool]]) -> None:
    """Whichever partitions the entries went to, and in however many batches: `sent` tells the
    partition of each, and whether a batch of it begins there."""
    runs: dict[int, list[tuple[int, int]]] = {}
    expected = []
    free = dict.fromkeys(range(PARTITIONS), 0)
    for partition, begins in sent:
        those = runs.setdefault(partition, [])
        if begins or not those:
            free[partition] += 7  # others wrote between
            those.append((free[partition], 0))
        expected.append(Place(partition, free[partition]))
        free[partition] += 1
        those[-1] = (those[-1][0], those[-1][1] + 1)

    entries = [Entry(key_of_partition(partition, PARTITIONS), b"") for partition, _ in sent]
    places = Places(entries, PARTITIONS, runs)

    assert len(entries) == len(places)
    assert expected == list(places)
    assert expected[1:3] == places[1:3]
