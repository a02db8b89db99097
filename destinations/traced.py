"""A trace as text for a person."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def printed(told: Mapping[str, Any]) -> str:
    """What `Tracer.trace` told, line by line."""
    return "\n".join(_lines(told)) + "\n"


def _lines(told: Mapping[str, Any]) -> Iterator[str]:
    looked = told["looked"]
    if not looked["usable"]:
        yield "The index cannot be used now: nothing can be found."
    elif looked["records_unread"]:
        yield f"The index has not read {looked['records_unread']:,} records of the log yet."
    if not told["events"] and not told["rejected"]:
        yield f"{told['id']}: not found"
    for refusal in told["rejected"]:
        path = f" at {refusal['path']}" if refusal["path"] else ""
        yield f"rejected at {refusal['received_at']}: {refusal['code']}{path}"
        yield f"  from {refusal['source']}, kept at {refusal['place']} of rejected"
    for event in told["events"]:
        yield from _event(event)


def _event(event: Mapping[str, Any]) -> Iterator[str]:
    name = f" {event['name']!r}" if event["name"] else ""
    yield f"{event['type']}{name} from {event['source']}, accepted at {event['received_at']}"
    yield f"  appended at {event['appended_at']}, place {event['place']}"
    if event["twin_of"]:
        yield f"  a twin of the event at {event['twin_of']}, which is the one that is delivered"
    for instance, told in event["destinations"].items():
        yield f"  {instance}: {told['outcome']}"
        yield from (f"    {line}" for line in _instance(told))


def _instance(told: Mapping[str, Any]) -> Iterator[str]:
    yield from _verdict(told["verdict"])
    for attempt in told["attempts"]:
        yield _attempt(attempt)
    for letter in told["dead_letters"]:
        state = "settled" if letter["settled"] else "open"
        yield f"dead letter {letter['place']} ({state}): {letter['code']}, {letter['reason']}"
    for parked in told["parked"]:
        yield f"parked at {parked['parked_at']}, place {parked['place']} of parked"
    if "waiting" in told:
        yield from _waiting(told["waiting"])


def _verdict(verdict: Mapping[str, Any]) -> Iterator[str]:
    match verdict:
        case {"filtered": reason}:
            yield f"left out: {reason}"
        case {"refused": code, "reason": reason}:
            yield f"cannot be said: {code}, {reason}"
        case {"action": action, "fields": fields}:
            said = ", ".join(f"{name}={kind}" for name, kind in fields.items())
            yield f"{action}: {said or 'the event as it is'}"
            if (request := verdict.get("request")) is not None:
                yield f"sent as {request['method']} {request['url']}"
        case {"broke": error}:
            yield f"its mapping broke: {error}"
        case _:
            yield "no instance of this name is set any more"


def _attempt(attempt: Mapping[str, Any]) -> str:
    words = [f"{attempt['at']} {attempt['outcome']}"]
    for name, sentence in (
        ("action", "by {}"),
        ("code", "{}"),
        ("status", "status {}"),
        ("vendor_id", "vendor's id {}"),
        ("note", "note: {}"),
        ("replay", "in the replay {}"),
        ("next_try", "again at {}"),
    ):
        if name in attempt:
            words.append(sentence.format(attempt[name]))
    return ", ".join(words)


def _waiting(waiting: Mapping[str, Any]) -> Iterator[str]:
    most = "" if waiting["exact"] else "at most "
    yield (
        f"waits: {most}{waiting['before_in_lane']:,} events of its key are before it,"
        f" {waiting['before_in_partition']:,} records of its partition"
    )
    blocker = waiting["blocked_by"]
    if blocker:
        last = f"; {_attempt(blocker['last'])}" if blocker["last"] else "; not tried yet"
        where = f"{blocker['place']}{', parked' if blocker['parked'] else ''}"
        yield f"blocked by {blocker['id']} at {where}, since {blocker['since']}{last}"
