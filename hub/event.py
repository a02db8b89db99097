"""An event as the log keeps it: the flat Segment event in bytes, and headers that filters read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from hub.encoding import dumps
from hub.log import Entry, Record

FORMAT = b"1"

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
    return f"{source}\x00{person}".encode()


def name_of(event: Mapping[str, Any]) -> str:
    """What an event is called: a track's `event`, a page's or screen's `name`, else nothing."""
    name = event.get("event") if event.get("type") == "track" else event.get("name")
    return name if isinstance(name, str) else ""


def entry_of(source: str, event: Mapping[str, Any], received_at: float) -> Entry:
    """The entry of an accepted event (`schemas/record.json`); `received_at` in epoch seconds."""
    return Entry(
        key=key_of(source, event),
        value=dumps(event),
        headers=(
            ("v", FORMAT),
            ("id", event["messageId"].encode()),
            ("type", event["type"].encode()),
            ("name", name_of(event).encode()),
            ("source", source.encode()),
            ("at", b"%d" % int(received_at * 1000)),
        ),
    )


@dataclass(slots=True)
class Event:
    """A record's event; the body is parsed when first asked for, since most filters never do.

    Nobody changes it. (It is not frozen, since that takes three times as long to make.)
    """

    record: Record
    id: str
    type: str
    name: str
    source: str
    received_at: float
    _body: Mapping[str, Any] | None = field(default=None, repr=False, compare=False)

    @classmethod
    def of(cls, record: Record) -> Event:
        """The event of a record that `entry_of` made. Raises KeyError when a header is missing."""
        headers = dict(record.headers)
        return cls(
            record=record,
            id=headers["id"].decode(),
            type=headers["type"].decode(),
            name=headers["name"].decode(),
            source=headers["source"].decode(),
            received_at=int(headers["at"]) / 1000,
        )

    @property
    def body(self) -> Mapping[str, Any]:
        """The flat Segment event; read it, never change it."""
        if self._body is None:
            self._body = orjson.loads(self.record.value)
        return self._body
