"""What the stream `rejected` keeps: the item as it came, and why it was not taken."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Final

from hub.encoding import dumps
from hub.log import REJECTED, Entry, Log, Record
from ingest.enrich import library_of
from ingest.errors import REFUSALS
from ingest.sources import without_keys
from ingest.validate import Rejection

VERSION: Final = 1
_LARGEST: Final = 900_000
"""Bytes of one record: below what a log takes (one mebibyte)."""

_HEAD: Final = 131_072
"""Bytes kept of what is larger than that; escaped, they still fit."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """One refusal of an item in a request; without an index, of the request as a whole."""

    rejection: Rejection
    index: int | None = None
    item: Any = None
    text: bytes | None = None

    def told(self) -> dict[str, Any]:
        """As the client reads it."""
        return {
            "index": self.index,
            "messageId": _text(self.item, "messageId"),
            "code": self.rejection.code,
            "message": self.rejection.message,
            "path": self.rejection.path,
        }

    def entry(self, source: str, received_at: str, library: str | None) -> Entry:
        """As the log keeps it (`schemas/rejected.json`)."""
        library = _library(self.item) or library
        record = {
            "version": VERSION,
            "source": source,
            "code": self.rejection.code,
            "message": self.rejection.message,
            "path": self.rejection.path,
            "receivedAt": received_at,
            "index": self.index,
            "messageId": _text(self.item, "messageId"),
            "type": _text(self.item, "type"),
            "library": library,
            "event": _without_key(self.item),
            "raw": None if self.text is None else _raw(without_keys(self.text)),
        }
        value = dumps(record)
        if len(value) > _LARGEST:
            text = self.text if self.text is not None else dumps(record["event"])
            record["event"] = None
            record["raw"] = _raw(without_keys(text)[:_HEAD])
            record["message"] += f" (the first {_HEAD:,} of {len(text):,} bytes are kept)"
            value = dumps(record)
        return Entry(
            source.encode(),
            value,
            (("source", source.encode()), ("code", self.rejection.code.encode())),
        )


def whole(code: str, text: bytes, detail: str = "") -> Rejected:
    """The refusal of a request as a whole, with its bytes."""
    message = REFUSALS[code].message
    return Rejected(Rejection(code, f"{message}: {detail}" if detail else message), text=text)


async def listed(
    log: Log, *, source: str | None, code: str | None, since: float, limit: int
) -> AsyncIterator[bytes]:
    """The records of refusals, oldest first within a partition, as JSON."""
    for status in await log.status():
        if status.stream != REJECTED:
            continue
        for span in status.spans:
            offset = await log.offset_at(REJECTED, span.partition, since)
            while limit > 0:
                records = await log.read(REJECTED, span.partition, offset, 500)
                if not records:
                    break
                offset = records[-1].offset + 1
                for record in records:
                    if limit > 0 and _fits(record, source, code):
                        limit -= 1
                        yield record.value


def _fits(record: Record, source: str | None, code: str | None) -> bool:
    headers = dict(record.headers)
    return (source is None or headers.get("source") == source.encode()) and (
        code is None or headers.get("code") == code.encode()
    )


def _raw(text: bytes) -> str:
    try:
        return text.decode()
    except UnicodeDecodeError:
        return base64.b64encode(text).decode()


def _text(item: Any, key: str) -> str | None:
    value = item.get(key) if isinstance(item, dict) else None
    return value if isinstance(value, str) else None


def _without_key(item: Any) -> Any:
    if isinstance(item, dict) and "writeKey" in item:
        return {key: value for key, value in item.items() if key != "writeKey"}
    return item


def _library(item: Any) -> str | None:
    context = item.get("context") if isinstance(item, dict) else None
    return told_library(context)


def told_library(context: Any) -> str | None:
    """The SDK's name and version, as `analytics-python/2.4.0`; None when it does not say."""
    name = library_of(context) if isinstance(context, dict) else ""
    version = context["library"].get("version") if name else None
    return f"{name}/{version}"[:128] if isinstance(version, str) else name[:128] or None
