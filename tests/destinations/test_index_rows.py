"""What a record adds to the index."""

from __future__ import annotations

import orjson
from msgspec.structs import replace

from destinations.index_rows import (
    digest,
    event_rows,
    found_in,
    key_mark,
    lane_name,
    other_rows,
    packed,
    page_row,
    runs,
    unpacked,
)
from hub.log import DEAD_LETTERS, DELIVERIES, PARKED, REJECTED, Record
from tests.destinations.invented import NOW, record


def test_places_are_integers_in_order() -> None:
    """A place survives being packed, and places of a partition are sorted by offset."""
    places = [(0, 0), (0, 7), (3, 0), (3, 1 << 39)]

    assert places == [unpacked(n) for n in sorted(packed(*place) for place in places)]


def test_an_id_is_found_without_its_source() -> None:
    """The first digest is the id's alone; the second tells sources apart."""
    of_shop, of_blog = digest(b"m-1", b"shop"), digest(b"m-1", b"blog")

    assert of_shop[0] == of_blog[0] == digest(b"m-1")[0]
    assert of_shop[1] != of_blog[1]


def test_an_event_stands_by_its_append() -> None:
    """An event's row has its time in milliseconds and its place."""
    (row,) = event_rows([record(7, partition=3)])

    assert (int(NOW * 1000), packed(3, 7)) == row[1][:2]


def test_what_is_no_event_has_no_row() -> None:
    """A record that no ingest of ours wrote is passed over."""
    assert [] == event_rows([replace(record(0), headers=())])


def test_a_page_tells_its_range() -> None:
    """A page's headers say of which instance and offsets it tells; others are no pages."""
    headers = (("to", b"crm"), ("low", b"100"), ("high", b"107"))
    page = Record(DELIVERIES, 2, 9, b"k", b"{}", headers, NOW)

    assert (2, 3, 100, 107, 9, "crm") == page_row(page)
    assert page_row(replace(page, headers=headers[1:])) is None


def test_other_records_are_found_by_id() -> None:
    """A rejected event is found by the id in its body, a settlement by its letter's place."""
    refused = Record(REJECTED, 0, 1, b"k", orjson.dumps({"messageId": "m-1"}), (), NOW)
    nameless = replace(refused, value=orjson.dumps({"messageId": None}))
    letter = Record(DEAD_LETTERS, 0, 2, b"k", b"{}", (("id", b"m-1"),), NOW)
    settled = replace(letter, offset=3, headers=(("to", b"crm"), ("settles", b"0:2")))

    assert [(digest(b"m-1")[0], REJECTED, packed(0, 1))] == list(other_rows(refused))
    assert [] == list(other_rows(nameless))
    assert [(digest(b"m-1")[0], DEAD_LETTERS, packed(0, 2))] == list(other_rows(letter))
    assert [(digest(b"0:2")[0], DEAD_LETTERS, packed(0, 3))] == list(other_rows(settled))


def test_what_is_parked_is_found_by_its_lane() -> None:
    """Which is its key's at one instance; and by its id."""
    parked = Record(PARKED, 0, 4, b"k", b"{}", (("id", b"m-1"), ("to", b"crm")), NOW)
    names = (b"m-1", lane_name(b"crm", b"k"))

    assert [(digest(n)[0], PARKED, packed(0, 4)) for n in names] == list(other_rows(parked))


def test_a_gap_ends_a_run() -> None:
    """Keys of adjacent offsets are one run; what lies between two runs was no record."""
    found = list(runs([record(n, who) for n, who in ((4, "ada"), (5, "bob"), (8, "ada"))]))
    ada, bob = (key_mark(f"shop\0{who}".encode()) for who in ("ada", "bob"))

    assert [(4, ada + bob), (8, ada)] == found


def test_a_mark_is_found_where_it_stands() -> None:
    """A mark that lies across two others is none."""
    assert [1, 3] == list(
        found_in(b"\1\2\3\4" + b"\5\6\7\10" + b"\10\5\6\7" + b"\5\6\7\10", b"\5\6\7\10")
    )
