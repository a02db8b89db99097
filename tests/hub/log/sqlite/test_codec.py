"""Records in bytes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hub.log import Entry, Record
from hub.log.sqlite.codec import body_of, decode, encode

HEADERS = st.lists(st.tuples(st.text(max_size=5), st.binary(max_size=5)), max_size=3).map(tuple)
ENTRIES = st.builds(Entry, st.binary(max_size=9), st.binary(max_size=9), HEADERS)


@given(st.lists(st.tuples(ENTRIES, st.integers(0, 2**40), st.floats(0, 1e12)), max_size=5))
def test_records_come_back_as_they_went(stood: list[tuple[Entry, int, float]]) -> None:
    """Any records, joined, are the same records again."""
    data = b"".join(encode(entry, body_of(entry), offset, at) for entry, offset, at in stood)

    assert [
        Record("s", 3, offset, entry.key, entry.value, entry.headers, at)
        for entry, offset, at in stood
    ] == decode("s", 3, data)
