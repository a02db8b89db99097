"""How large entries may be."""

from __future__ import annotations

import pytest

from hub.log import Entry, EntryTooLarge
from hub.log.size import ENTRY_BYTES, measured, size_of


def test_the_bound_is_the_bound() -> None:
    """An entry of exactly the bound passes; one byte more does not."""
    most = ENTRY_BYTES - size_of(Entry(b"k", b""))

    assert ENTRY_BYTES == measured([Entry(b"k", b"v" * most)])
    with pytest.raises(EntryTooLarge):
        measured([Entry(b"k", b"v" * (most + 1))])


def test_headers_count() -> None:
    """Names, in bytes, and values of headers are part of the size."""
    plain, headed = Entry(b"k", b"v"), Entry(b"k", b"v", (("é", b"12345"),))

    assert 7 + 10 == size_of(headed) - size_of(plain)
