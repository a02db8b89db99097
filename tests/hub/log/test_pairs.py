"""Headers that many records say alike."""

from __future__ import annotations

import pytest

from hub.log.pairs import LENGTH, NAMES, VALUES, Pairs


def test_what_was_made_is_known() -> None:
    """A header is found by what it was made by, as the same object."""
    pairs = Pairs()
    made = pairs.made(b"raw", "type", b"track")

    assert ("type", b"track") == made
    assert made is pairs.known[b"raw"]


def test_a_name_is_one_object() -> None:
    """Also where the value is not remembered."""
    pairs = Pairs()
    first, _ = pairs.made(1, "".join(["i", "d"]), b"1")
    second, value = pairs.made(2, "".join(["i", "d"]), b"2" * (LENGTH + 1))

    assert first is second
    assert b"2" * (LENGTH + 1) == value


def test_what_is_remembered_is_bounded() -> None:
    """So many values of a name, of so many names, of so many bytes: what is more comes back right
    and is not kept; what was known before stays.
    """
    pairs = Pairs()
    ids = [pairs.made(n, "id", b"%d" % n) for n in range(3 * VALUES)]
    names = [pairs.made(f"n{n}", f"n{n}", b"v") for n in range(3 * NAMES)]

    assert [("id", b"%d" % n) for n in range(3 * VALUES)] == ids
    assert [(f"n{n}", b"v") for n in range(3 * NAMES)] == names
    assert VALUES + NAMES - 1 == len(pairs.known)
    assert ids[0] is pairs.known[0]


@pytest.mark.parametrize(
    ("name", "value"), [("n" * (LENGTH + 1), b"v"), ("n", b"v" * (LENGTH + 1))]
)
def test_what_is_long_is_not_remembered(name: str, value: bytes) -> None:
    """It comes back right."""
    pairs = Pairs()

    assert (name, value) == pairs.made(b"raw", name, value)
    assert not pairs.known
