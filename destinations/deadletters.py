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

from destinations import scroll
from destinations.courier import redact
from destinations.forms import moment
from destinations.plan import Plan
from destinations.selection import Selection
from destinations.talk import Reply
from hub.clock import iso
from hub.encoding import dumps
from hub.event import Event
from hub.event import entry_of as event_entry
from hub.log import DEAD_LETTERS, EVENTS, Entry, Headers, Log, Place, Record, Span

MAX_BODY = 2_048
"""Characters of the vendor's last answer that are kept."""

SETTLES = "settles"
"""The header that names the place of the letter that a settlement settles."""

ANY = Selection()


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One open dead letter; `place` is its own in `dead_letters`, `body` its JSON."""

    place: Place
    body: dict[str, Any]
    record: Record

    @property
    def event(self) -> Record:
        """The event as it stood in `events`."""
        place, body = self.body["place"], self.body["event"]
        entry = event_entry(self.body["source"], body, moment(body["receivedAt"]))
        return Record(
            EVENTS,
            place["partition"],
            place["offset"],
            self.record.key,
            entry.value,
            entry.headers,
            self.record.at,
        )


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
    replay: str = "",
) -> Entry:
    """The dead letter of `event`; times in seconds since the epoch. `replay`: in which it died."""
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
    headers: Headers = (
        ("to", plan.name.encode()),
        ("id", event.id.encode()),
        ("code", code.encode()),
    )
    if replay:
        told["replay"] = replay
        headers = (*headers, ("replay", replay.encode()))
    return Entry(event.record.key, dumps(told), headers)


def settlement_of(letter: DeadLetter) -> Entry:
    """Says that a dead letter needs nothing more."""
    place = f"{letter.place.partition}:{letter.place.offset}".encode()
    to = letter.body["destination"].encode()
    return Entry(letter.record.key, b"{}", (("to", to), (SETTLES, place)))


async def open_letters(
    log: Log, *, destination: str | None = None, selection: Selection = ANY
) -> AsyncIterator[DeadLetter]:
    """The dead letters that are not settled, oldest first within a partition.

    `selection` is of their events, codes, and when they died. Reads the stream as it stands at the
    call; settlements share their letter's partition, so two passes over one partition are enough.
    """
    now = {span.partition: span.end for span in await scroll.spans(log, DEAD_LETTERS)}
    for span in await scroll.spans(log, DEAD_LETTERS, selection.since, selection.until):
        rest = Span(span.partition, span.first, now.get(span.partition, span.end))
        settled = await _settled(log, span, rest)
        async for record in scroll.records(log, DEAD_LETTERS, span):
            if settled[record.offset - span.first] or not _may_be(record, destination, selection):
                continue
            letter = _letter(record)
            if _is_meant(letter, selection):
                yield letter


async def find(log: Log, place: Place) -> tuple[DeadLetter, bool] | None:
    """The letter at `place`, and whether it is still open; None when there is none."""
    span = Span(place.partition, place.offset, place.offset + 1)
    ends = {one.partition: one.end for one in await scroll.spans(log, DEAD_LETTERS)}
    if place.offset >= ends.get(place.partition, 0):
        return None
    rest = Span(place.partition, place.offset, ends[place.partition])
    async for record in scroll.records(log, DEAD_LETTERS, span):
        if SETTLES not in dict(record.headers):
            return _letter(record), not (await _settled(log, span, rest))[0]
    return None


async def settle(log: Log, letters: Sequence[DeadLetter]) -> None:
    """They need nothing more."""
    if letters:
        await log.append(DEAD_LETTERS, [settlement_of(letter) for letter in letters])


async def _settled(log: Log, span: Span, rest: Span) -> bytearray:
    """For each offset of `span` whether a record of `rest` settles it."""
    settled = bytearray(span.end - span.first)
    async for record in scroll.records(log, DEAD_LETTERS, rest):
        place = dict(record.headers).get(SETTLES)
        if place is None:
            continue
        partition, _, offset = place.partition(b":")
        if int(partition) == span.partition and span.first <= int(offset) < span.end:
            settled[int(offset) - span.first] = 1
    return settled


def _may_be(record: Record, destination: str | None, selection: Selection) -> bool:
    """Whether the record is a letter that is meant, as far as its headers tell."""
    headers = dict(record.headers)
    if SETTLES in headers or (destination and headers["to"] != destination.encode()):
        return False
    return not selection.codes or headers["code"].decode() in selection.codes


def _is_meant(letter: DeadLetter, selection: Selection) -> bool:
    body = letter.body
    return selection.means(
        id=body["id"], type=body["type"], name=body["name"] or "", source=body["source"]
    )


def _letter(record: Record) -> DeadLetter:
    return DeadLetter(Place(record.partition, record.offset), orjson.loads(record.value), record)
