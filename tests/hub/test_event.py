"""What becomes of an event on its way through the log."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from hub.event import Event, entry_of, key_of, name_of
from hub.log import EVENTS, Entry, Record
from hub.log.size import size_of

TRACK = {
    "type": "track",
    "event": "Order Completed",
    "messageId": "m1",
    "userId": "u1",
    "anonymousId": "a1",
    "properties": {"total": 1.5, "name": "Ünï"},
}


def record_of(entry: Entry) -> Record:
    """The entry as a log gives it back."""
    return Record(EVENTS, 0, 7, entry.key, entry.value, entry.headers, 100.0)


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ({"userId": "u", "anonymousId": "a", "messageId": "m"}, b"shop\x00u"),
        ({"anonymousId": "a", "messageId": "m"}, b"shop\x00a"),
        ({"userId": "", "anonymousId": "a", "messageId": "m"}, b"shop\x00a"),
        ({"userId": None, "messageId": "m"}, b"shop\x00m"),
        ({"userId": "ü"}, "shop\x00ü".encode()),
    ],
)
def test_a_key_is_the_source_and_the_person(event: dict[str, Any], expected: bytes) -> None:
    """userId goes before anonymousId, and who has neither is alone."""
    assert expected == key_of("shop", event)


def test_sources_do_not_share_a_key() -> None:
    """One person in two sources has two keys, whatever the names are."""
    assert key_of("a", {"userId": "b"}) != key_of("ab", {"userId": ""})


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ({"type": "track", "event": "Bought", "name": "x"}, "Bought"),
        ({"type": "page", "name": "Home"}, "Home"),
        ({"type": "screen", "name": "Main"}, "Main"),
        ({"type": "identify"}, ""),
        ({"type": "page", "name": 7}, ""),
        ({"type": "track"}, ""),
    ],
)
def test_an_event_has_a_name_by_its_type(event: dict[str, Any], expected: str) -> None:
    """A track is called by its event, a page or screen by its name, others by nothing."""
    assert expected == name_of(event)


def test_an_event_comes_back_as_it_went() -> None:
    """What `entry_of` wrote, `Event.of` reads."""
    event = Event.of(record_of(entry_of("shop", TRACK, 1_795_255_200.123)))

    assert TRACK == event.body
    assert ("m1", "track", "Order Completed", "shop", 1_795_255_200.123) == (
        event.id,
        event.type,
        event.name,
        event.source,
        event.received_at,
    )


@pytest.mark.parametrize("name", ["Order Completed", "Bestellung für Zoë", "n" * 200])
def test_an_event_knows_its_size(name: str) -> None:
    """It is what counting would find."""
    entry = entry_of("shop", {**TRACK, "event": name, "userId": "Zoë"}, 1_795_255_200.123)

    assert size_of(entry) == entry.size


def test_filters_need_no_body() -> None:
    """Type, name and source are read from the headers of a record whose body is no JSON."""
    entry = entry_of("shop", TRACK, 1.0)
    event = Event.of(record_of(Entry(entry.key, b"{", entry.headers)))

    assert ("track", "Order Completed", "shop") == (event.type, event.name, event.source)
    with pytest.raises(orjson.JSONDecodeError):
        assert event.body


def test_the_outline_is_a_part_of_the_body() -> None:
    """It has what plans ask for most, where it is there, and nothing else; lists and errors are
    those of the body.
    """
    said = {**TRACK, "timestamp": 7, "_metadata": {"bundled": []}, "context": {"timestamp": 8}}
    event = Event.of(record_of(entry_of("shop", said, 1.0)))
    other = Event.of(record_of(Entry(b"k", b"[]", entry_of("shop", TRACK, 1.0).headers)))
    broken = Event.of(record_of(Entry(b"k", b"{", entry_of("shop", TRACK, 1.0).headers)))

    assert {"timestamp": 7, "_metadata": {"bundled": []}} == event.outline
    assert other.body == other.outline
    with pytest.raises(orjson.JSONDecodeError):
        assert broken.outline


@pytest.mark.parametrize("depth", [900, 1_000, 1_020])
def test_no_depth_is_too_deep_for_the_outline(depth: int) -> None:
    """What the body can be parsed from, the outline can be told from."""
    deep = b'{"timestamp":7,"properties":{"a":%b}}' % (b"[" * depth + b"]" * depth)
    event = Event.of(record_of(Entry(b"k", deep, entry_of("shop", TRACK, 1.0).headers)))

    assert 7 == event.outline["timestamp"] == event.body["timestamp"]


def test_a_record_without_headers_is_no_event() -> None:
    """A record that the hub did not write raises KeyError."""
    with pytest.raises(KeyError):
        Event.of(record_of(Entry(b"k", b"{}")))
