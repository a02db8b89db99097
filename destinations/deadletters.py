"""Events we gave up on: buried durably with why, listed, and sent again.

A dead letter is a record of the stream `dead_letters` (shape: `schemas/deadletter.json`). When it
has been sent again with success, a settlement is appended that names its place, so that the stream
alone tells what is still open.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from destinations.courier import redact
from destinations.plan import Plan
from destinations.talk import Reply
from hub.clock import iso
from hub.encoding import dumps
from hub.event import Event
from hub.log import DEAD_LETTERS, Entry, Log, Place, Record

MAX_BODY = 2_048
"""Characters of the vendor's last answer that are kept."""

PAGE = 500
"""Records read at once."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One open dead letter; `place` is its own in `dead_letters`, `body` its JSON."""

    place: Place
    body: dict[str, Any]
    record: Record


def entry_of(
    plan: Plan,
    event: Event,
    *,
    action: str | None,
    code: str,
    reason: str,
    attempts: int,
    first_at: float,
    died_at: float,
    reply: Reply | None,
) -> Entry:
    """The dead letter of `event`; times in seconds since the epoch."""
    answer = None
    if reply is not None:
        body = redact(reply.body[:MAX_BODY].decode("utf-8", "replace"))
        answer = {"status": reply.status, "body": body}
    told = {
        "version": 1,
        "destination": plan.name,
        "vendor": plan.vendor.name,
        "action": action,
        "id": event.id,
        "source": event.source,
        "type": event.type,
        "name": event.name or None,
        "code": code,
        "reason": reason,
        "attempts": attempts,
        "first_at": iso(first_at),
        "died_at": iso(died_at),
        "answer": answer,
        "place": {"partition": event.record.partition, "offset": event.record.offset},
        "event": event.body,
    }
    headers = (("to", plan.name.encode()), ("id", event.id.encode()), ("code", code.encode()))
    return Entry(event.record.key, dumps(told), headers)


def settlement_of(letter: DeadLetter) -> Entry:
    """Says that a dead letter needs nothing more."""
    place = f"{letter.place.partition}:{letter.place.offset}".encode()
    to = letter.body["destination"].encode()
    return Entry(letter.record.key, b"{}", (("to", to), ("settles", place)))


async def open_letters(
    log: Log, *, destination: str | None = None, code: str | None = None
) -> AsyncIterator[DeadLetter]:
    """The dead letters that are not settled, oldest first within a partition.

    Reads the stream as it stands at the call; settlements share their letter's partition, so two
    passes over one partition are enough.
    """
    status = next((s for s in await log.status() if s.stream == DEAD_LETTERS), None)
    for span in status.spans if status else ():
        settled = set()
        async for record in _records(log, span.partition, span.first, span.end):
            place = dict(record.headers).get("settles")
            if place is not None:
                settled.add(place)
        async for record in _records(log, span.partition, span.first, span.end):
            headers = dict(record.headers)
            place = f"{record.partition}:{record.offset}".encode()
            if "settles" in headers or place in settled:
                continue
            if destination is not None and headers.get("to") != destination.encode():
                continue
            if code is not None and headers.get("code") != code.encode():
                continue
            yield DeadLetter(
                Place(record.partition, record.offset), orjson.loads(record.value), record
            )


async def _records(log: Log, partition: int, first: int, end: int) -> AsyncIterator[Record]:
    offset = first
    while offset < end:
        page: Sequence[Record] = await log.read(DEAD_LETTERS, partition, offset, PAGE)
        if not page:
            return
        for record in page:
            if record.offset >= end:
                return
            yield record
        offset = page[-1].offset + 1
