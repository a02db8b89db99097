"""How large entries and notes may be."""

from __future__ import annotations

import pytest

from hub.log import NOTE_CHARACTERS, Entry, EntryTooLarge
from hub.log.size import ENTRY_BYTES, check_notes, measured, size_of


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


def test_a_size_that_is_known_is_not_counted_again() -> None:
    """Who made an entry may say its size, and is believed."""
    known = Entry(b"k", b"v", (("a", b"b"),), 7)

    assert 7 == measured([known])
    assert 7 != size_of(known)


def test_a_note_of_the_bound_passes() -> None:
    """A note of exactly the bound passes; one character more does not, nor what is not ASCII."""
    check_notes({0: "", 1: "n" * NOTE_CHARACTERS})

    with pytest.raises(ValueError, match="partition 1 has 4,001 characters"):
        check_notes({0: "", 1: "n" * (NOTE_CHARACTERS + 1)})
    with pytest.raises(ValueError, match="all ASCII"):
        check_notes({0: "ключ"})
