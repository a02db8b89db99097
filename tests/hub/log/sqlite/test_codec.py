"""Records in bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.log import Entry, Record
from hub.log.pairs import Pairs
from hub.log.sqlite import codec
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


def test_what_records_say_alike_is_one_object(monkeypatch: pytest.MonkeyPatch) -> None:
    """Headers that are the same in two records are the same object, whatever stands around them."""
    monkeypatch.setattr(codec, "_PAIRS", Pairs())  # the test above fills a process's with names
    one = Entry(b"a", b"1", (("type", b"track"), ("id", b"1")))
    other = Entry(b"b", b"2", (("id", b"2"), ("type", b"track")))
    data = b"".join(encode(entry, body_of(entry), n, 0.0) for n, entry in enumerate((one, other)))
    first, second = decode("s", 0, data)

    assert (one.headers, other.headers) == (first.headers, second.headers)
    assert first.headers[0] is second.headers[1]
