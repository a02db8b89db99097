"""What became of one messageId: accepted, filtered, mapped, tried, delivered, buried, or waiting.

Answered from the log by way of the index. Nothing personal is shown: of a request the names of its
fields and the kinds of their values, of a vendor's words what is left without addresses and tokens.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson

from destinations.courier import redact
from destinations.follower import Follower
from destinations.index import Index
from destinations.item import origin
from destinations.ledger import FAILED, FINAL, PARKED
from destinations.lookup import Lookup, Told
from destinations.plan import Plan
from destinations.rendering import rendered
from hub import log as streams
from hub.clock import Clock, iso
from hub.event import Event
from hub.log import DEAD_LETTERS, EVENTS, REJECTED, Log, Place, Record, StreamStatus

MOST: Final = 20
"""Events, letters and refusals of one id that are shown."""

AHEAD: Final = 10_000
"""Offsets after the committed place in which a blocker is looked for: what is in work is there."""

PENDING: Final = "pending"
"""What becomes of an event is still to come."""

CATCH_UP_SECONDS: Final = 0.05
"""How long the newest records are read before an answer is given without them."""

_SHOWN: Final = ("action", "code", "status", "vendor_id", "attempts", "wait", "note", "in_doubt")


class Tracer:
    """Traces events for the instances of `plans`."""

    def __init__(
        self, log: Log, index: Index, follower: Follower, plans: Mapping[str, Plan], clock: Clock
    ) -> None:
        self._log = log
        self._index = index
        self._follower = follower
        self._plans = plans
        self._clock = clock
        self._lookup = Lookup(log, index)

    async def trace(self, message_id: str, seconds: float = CATCH_UP_SECONDS) -> dict[str, Any]:
        """All that is known of `message_id`, as JSON takes it. Raises LogError.

        `looked` says whether the index knows the whole log by now, which is read on for `seconds`.
        """
        missing = await self._follower.catch_up(seconds)
        status = {status.stream: status for status in await self._log.status()}
        places = await self._index.ask(lambda file: file.events(message_id, MOST)) or []
        others = await self._index.ask(lambda file: file.others(message_id.encode(), MOST)) or []
        records = [(stream, await self._lookup.record(stream, place)) for stream, place in others]
        found = {
            stream: [record for of, record in records if of == stream and record is not None]
            for stream in (REJECTED, DEAD_LETTERS, streams.PARKED)
        }
        letters = [await self._letter(record) for record in found[DEAD_LETTERS]]
        parked = found[streams.PARKED]
        events = []
        for place in places:
            record = await self._lookup.record(EVENTS, place)
            if record is not None and (event := _event(record, message_id)) is not None:
                events.append(await self._accepted(event, status[EVENTS], letters, parked))
        return {
            "id": message_id,
            "at": iso(self._clock.now()),
            "looked": {"usable": self._index.usable, "records_unread": missing},
            "events": events,
            "rejected": [_rejected(record) for record in found[REJECTED]],
        }

    async def _accepted(
        self,
        event: Event,
        status: StreamStatus,
        letters: Sequence[dict[str, Any]],
        parked: Sequence[Record],
    ) -> dict[str, Any]:
        record = event.record
        place = _place(record)
        lines = await self._lookup.lines(place)
        twins = await self._index.ask(
            lambda file: file.twins(place.partition, place.offset, place.offset + 1)
        )
        first = next(iter((twins or {}).values()), None)
        destinations = {}
        for name in {**self._plans, **lines}:
            own = [record for record in parked if _is_of(record, name, place)]
            told = await self._instance(name, event, status, lines.get(name, ()), own)
            told["dead_letters"] = _of(letters, name, place)
            destinations[name] = told
        return {
            "source": event.source,
            "type": event.type,
            "name": event.name,
            "place": _text(place),
            "received_at": iso(event.received_at),
            "appended_at": iso(record.at),
            "twin_of": None if first is None else _text(first),
            "destinations": destinations,
        }

    async def _instance(
        self,
        name: str,
        event: Event,
        status: StreamStatus,
        lines: Sequence[Told],
        parked: Sequence[Record],
    ) -> dict[str, Any]:
        plan = self._plans.get(name)
        committed = status.groups.get(name, {}).get(event.record.partition)
        outcome = _outcome(lines, committed, event.record.offset)
        told: dict[str, Any] = {
            "outcome": outcome,
            "verdict": rendered(plan, event, event.received_at) if plan else {"removed": True},
            "attempts": [_attempt(line) for line in lines],
            "parked": [_parked(record) for record in parked],
        }
        if outcome in (PENDING, PARKED):
            # What is parked waits for nothing that is not.
            begin = event.record.offset if outcome == PARKED else committed or 0
            own = _place(parked[0]) if parked else None
            told["waiting"] = await self._waiting(name, event, begin, own)
        return told

    async def _waiting(
        self, name: str, event: Event, begin: int, own: Place | None
    ) -> dict[str, Any]:
        """Where an event stands in its lane, and the event that all of it waits for.

        Of its key those go first that are parked, up to its `own` place there, and then those that
        wait in its partition, from `begin` on.
        """
        partition, offset, key = event.record.partition, event.record.offset, event.record.key
        parked = await self._lookup.parked(name, key, own)
        near = min(offset, begin + AHEAD)
        lane = await self._index.ask(lambda file: file.lane(partition, key, begin, near)) or []
        far = await self._index.ask(lambda file: file.lane(partition, key, near, offset)) or []
        ahead, exact = await self._lookup.unfinished(name, partition, lane)
        first = await self._first(partition, key, parked, ahead)
        return {
            "before_in_lane": len(parked) + len(ahead) + len(far),
            "exact": exact,
            "before_in_partition": offset - begin,
            "blocked_by": first and await self._blocker(name, first, bool(parked)),
        }

    async def _first(
        self, partition: int, key: bytes, parked: Sequence[Place], ahead: Sequence[int]
    ) -> Event | None:
        """The first event of a lane; None when all that wait in it have been deleted."""
        for place in parked:
            if (record := await self._lookup.record(streams.PARKED, place)) is not None:
                return Event.of(origin(record))
        for offset in ahead:
            record = await self._lookup.record(EVENTS, Place(partition, offset))
            if record is not None and record.key == key:
                return Event.of(record)
        return None

    async def _blocker(self, name: str, event: Event, parked: bool) -> dict[str, Any]:
        place = _place(event.record)
        lines = (await self._lookup.lines(place)).get(name, ())
        tries = [told for told in lines if told.line["outcome"] != PARKED]
        return {
            "id": event.id,
            "place": _text(place),
            "parked": parked,
            "since": iso(event.received_at),
            "last": _attempt(tries[-1]) if tries else None,
        }

    async def _letter(self, record: Record) -> dict[str, Any]:
        body = orjson.loads(record.value)
        place = _text(_place(record))
        settled = await self._index.ask(lambda file: file.others(place.encode(), 1))
        return {
            "to": body["destination"],
            "of": _text(Place(**body["place"])),
            "place": place,
            "code": body["code"],
            "reason": redact(body["reason"]),
            "died_at": body["died_at"],
            "settled": bool(settled),
        }


def _event(record: Record, message_id: str) -> Event | None:
    event = Event.of(record)
    return event if event.id == message_id else None


def _outcome(lines: Sequence[Told], committed: int | None, offset: int) -> str:
    """The last word; `unaccounted` when the place has passed and nothing is told."""
    outcomes = [told.line["outcome"] for told in lines]
    ends = [outcome for outcome in outcomes if outcome in FINAL]
    if ends:
        return str(ends[-1])
    if PARKED in outcomes:
        return PARKED
    return PENDING if committed is None or offset >= committed else "unaccounted"


def _attempt(told: Told) -> dict[str, Any]:
    """A line for a person: when, what, and when again."""
    line = told.line
    at = line.get("at")
    shown: dict[str, Any] = {
        "outcome": line["outcome"],
        "at": iso(told.page.at if at is None else at / 1000),
        **{name: line[name] for name in _SHOWN if name in line},
        "page": _text(told.place),
    }
    if "note" in shown:
        shown["note"] = redact(shown["note"])
    if line["outcome"] == FAILED and at is not None and "wait" in line:
        shown["next_try"] = iso(at / 1000 + line["wait"])
    if told.page.replay:
        shown["replay"] = told.page.replay
    return shown


def _rejected(record: Record) -> dict[str, Any]:
    body = orjson.loads(record.value)
    return {
        "place": _text(_place(record)),
        "source": body["source"],
        "code": body["code"],
        "path": body["path"],
        "received_at": body["receivedAt"],
    }


def _parked(record: Record) -> dict[str, Any]:
    return {"place": _text(_place(record)), "parked_at": iso(record.at)}


def _is_of(parked: Record, name: str, place: Place) -> bool:
    """Whether an instance parked this record, and from this place."""
    headers = dict(parked.headers)
    return headers["to"] == name.encode() and _place(origin(parked)) == place


def _of(found: Sequence[dict[str, Any]], name: str, place: Place) -> list[dict[str, Any]]:
    """What is of this instance and this event, without saying so again."""
    return [
        {key: value for key, value in one.items() if key not in ("to", "of")}
        for one in found
        if (one["to"], one["of"]) == (name, _text(place))
    ]


def _place(record: Record) -> Place:
    return Place(record.partition, record.offset)


def _text(place: Place) -> str:
    return f"{place.partition}:{place.offset}"
