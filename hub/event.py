"""An event as the log keeps it: the flat Segment event in bytes, and headers that filters read."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, TypedDict

import msgspec
import orjson
from msgspec import Struct

from hub.encoding import dumps
from hub.log import Entry, Header, Record
from hub.log.size import size_of

FORMAT = b"1"

_VERSION: Final = ("v", FORMAT)

_SHORT: Final = 128
"""Characters of a name that is remembered: 4,096 of them take some 3 MB at most."""


class _Outline(TypedDict, total=False):
    timestamp: Any
    integrations: Any
    _metadata: Any


_outline: Final = msgspec.json.Decoder(_Outline).decode

KIND: Final = slice(2, 5)
"""Where type, name and source stand among the headers that `entry_of` writes."""

KIND_NAMES: Final = ("type", "name", "source")
"""Their names, by which headers that another wrote are told apart."""


def key_of(source: str, event: Mapping[str, Any]) -> bytes:
    """The lane of an event: its source and its person.

    `userId` goes before `anonymousId`: rudder-go invents a random anonymousId for events that have
    only a userId (facts, 1.12 point 13), so the reverse would scatter one person over lanes.
    """
    person = event.get("userId") or event.get("anonymousId") or event.get("messageId") or ""
    return key_with(source, person)


def key_with(source: str, person: str) -> bytes:
    """The same, by the person's id."""
    return f"{source}\x00{person}".encode()


def name_of(event: Mapping[str, Any]) -> str:
    """What an event is called: a track's `event`, a page's or screen's `name`, else nothing."""
    name = event.get("event") if event.get("type") == "track" else event.get("name")
    return name if isinstance(name, str) else ""


def entry_of(source: str, event: Mapping[str, Any], received_at: float) -> Entry:
    """The entry of an accepted event (`schemas/record.json`); `received_at` in epoch seconds."""
    return entry_with(
        dumps(event),
        key_of(source, event),
        source,
        event["type"],
        name_of(event),
        event["messageId"],
        at_header(received_at),
    )


def entry_with(
    value: bytes, key: bytes, source: str, type_: str, name: str, id_: str, at: tuple[str, bytes]
) -> Entry:
    """The same, of an event that is rendered already, from what its headers say; `at` is one."""
    kind_of = _kind if len(name) <= _SHORT else _kind.__wrapped__
    kind, called, told, size = kind_of(type_, name, source)
    id_told = id_.encode()
    # By place, which takes half the time of names.
    return Entry(
        key,
        value,
        (_VERSION, ("id", id_told), kind, called, told, at),
        size + len(key) + len(value) + len(id_told) + len(at[1]),
    )


# Few kinds make up nearly all events, and what thousands of entries share stays in the CPU's cache.
@lru_cache(maxsize=4_096)
def _kind(type_: str, name: str, source: str) -> tuple[Header, Header, Header, int]:
    """The headers that events of a kind share, and the size of an entry with these alone."""
    kind = ("type", type_.encode()), ("name", name.encode()), ("source", source.encode())
    return *kind, size_of(Entry(b"", b"", (_VERSION, ("id", b""), *kind, ("at", b""))))


def at_header(received_at: float) -> tuple[str, bytes]:
    """The header that says when an event was received, in epoch seconds; events share it."""
    return _at(int(received_at * 1000))


@lru_cache(maxsize=64)
def _at(milliseconds: int) -> tuple[str, bytes]:
    return ("at", b"%d" % milliseconds)


class Event(Struct, eq=False, gc=False):
    """A record's event, by its headers; what else it says is read from the record when asked for.

    Nobody changes it.
    """

    record: Record
    id: str
    type: str
    name: str
    source: str
    received_at: float

    @classmethod
    def of(cls, record: Record) -> Event:
        """The event of a record that `entry_of` made. Raises KeyError when a header is missing."""
        headers = dict(record.headers)
        return cls(
            record,
            headers["id"].decode(),
            headers["type"].decode(),
            headers["name"].decode(),
            headers["source"].decode(),
            int(headers["at"]) / 1000,
        )

    @property
    def body(self) -> Mapping[str, Any]:
        """The flat Segment event, parsed anew each time it is asked for.

        To keep it while the event waits among a thousand others costs four times as much: all that
        it consists of has left the CPU's caches when it is read again, and when it is let go.
        """
        body: Mapping[str, Any] = orjson.loads(self.record.value)
        return body

    @property
    def outline(self) -> Mapping[str, Any]:
        """Of the body no more than `timestamp`, `integrations` and `_metadata`, as far as they are
        there: a third of the body's price. What is no JSON may pass, where nobody asked for it.
        """
        try:
            return _outline(self.record.value)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            # msgspec counts levels on Python's own stack, of which some is gone already.
            return self.body
