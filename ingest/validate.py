"""JSON → event, or the reason why not. Pure: what it needs to know of the world, it is given."""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from ingest.enrich import Connection, Network, enrich
from ingest.envelope import Envelope
from ingest.errors import REFUSALS
from ingest.sources import Source
from ingest.timestamps import corrected, iso_of, milliseconds_of
from schemas import Schemas, Violation

TYPES: Final = ("track", "identify", "page", "screen", "group", "alias")
VERSION: Final = 2
"""Of the record's shape (`schemas/record.json`)."""

LATE: Final = 86_400_000
"""Milliseconds between an event and its receipt from which on it counts as late."""

_IDS: Final = ("userId", "anonymousId", "groupId", "previousId", "messageId")
_OURS: Final = ("writeKey", "receivedAt", "source", "version")
"""Fields that only the server sets: a client's are removed, whatever they say."""

_TIMES: Final = (str, int, float)

_KINDS: Final = (("channel", str), ("_metadata", dict))
"""Fields that only SDKs write; what no SDK can have written there is left out."""


class Rejection(NamedTuple):
    """Why an item is not taken."""

    code: str
    message: str
    path: str = ""


class Valid(NamedTuple):
    """An event as the log will keep it; `given_id` when its id is the sender's own."""

    event: dict[str, Any]
    given_id: bool
    late: bool
    reported: tuple[str, ...] = ()


class Receipt(NamedTuple):
    """What is the same for all events of one request."""

    received: int
    received_at: str
    retried: bool
    connection: Connection


@dataclass(frozen=True, slots=True)
class Rules:
    """What events are held against."""

    schemas: Schemas
    proxies: Sequence[Network] = ()

    def judge(
        self, item: Any, type_: str | None, envelope: Envelope, source: Source, receipt: Receipt
    ) -> Valid | Rejection:
        """The event of one item, or why there is none. On a single call the path says the type."""
        if not isinstance(item, dict):
            return _rejection("event_not_object")
        if type_ is None:
            type_ = item.get("type")
            if type_ not in TYPES:
                return Rejection("type_unknown", f"must be one of {', '.join(TYPES)}", "/type")
        # With what the envelope says for all, an event may keep a contract that it alone breaks.
        clean = not envelope.context and self.schemas.clean(type_).accepts(item)
        event = dict(item) if clean else mended(item)
        event["type"] = type_
        _merge(event, envelope)
        if not clean:
            accept = self.schemas.accept(type_)
            if not accept.accepts(event):
                return _of(accept.violations(event, 1)[0])
        given_id = "messageId" in event
        if not given_id:
            event["messageId"] = new_id()
        context = event.get("context")
        event["context"] = dict(context) if context else {}
        reported, refused = self._reported(event, type_, source, typed=clean)
        if refused is not None:
            return refused
        late = _date(event, receipt, source.settings.correct_clocks)
        enrich(event, receipt.connection, self.proxies)
        event["source"] = source.name
        event["version"] = VERSION
        return Valid(event, given_id, late, reported)

    def _reported(
        self, event: dict[str, Any], type_: str, source: Source, *, typed: bool
    ) -> tuple[tuple[str, ...], Rejection | None]:
        """Kinds of schemas that the event breaks and may; or the rejection when it may not.

        `typed`: that its fields have their types is known already.
        """
        settings = source.settings
        kinds: list[str] = []
        told: list[tuple[str, Violation]] = []
        name = event.get("event")
        if settings.semantic != "ignore":
            checker = self.schemas.semantic(type_, name)
            if checker is not None and not checker.accepts(event):
                violations = checker.violations(event)
                if settings.semantic == "enforce":
                    return (), _of(violations[0])
                kinds.append("semantic")
                told += [("Semantic Violation", violation) for violation in violations]
        plan = source.plan
        if plan is not None:
            if settings.unplanned != "allow" and not plan.planned(type_, name):
                if settings.unplanned == "refuse":
                    return (), _rejection("unplanned")
                kinds.append("unplanned")
                path = "/event" if type_ == "track" else "/type"
                unplanned = Violation("unplanned", path, REFUSALS["unplanned"].message)
                told.append(("Unplanned Event", unplanned))
            for checker in plan.find(type_, name, _version(event)):
                if not checker.accepts(event):
                    violations = checker.violations(event)
                    if settings.plan_mode == "enforce":
                        return (), _of(violations[0])
                    kinds.append("plan")
                    told += [("Plan Violation", violation) for violation in violations]
        if not typed and not self.schemas.typed(type_).accepts(event):
            kinds.append("typed")
            violations = self.schemas.typed(type_).violations(event)
            told += [("Invalid Type", violation) for violation in violations]
        if told:
            _tell(event["context"], source.name, told)
        return tuple(kinds), None


def new_id() -> str:
    """A random UUID; `uuid.uuid4` without its detours."""
    return str(uuid.UUID(bytes=os.urandom(16), version=4))


def mended(item: Mapping[str, Any]) -> dict[str, Any]:
    """An event without nulls, without what is not its sender's to say, and with ids that are text.

    An item that `schemas/clean.json` takes would stay as it is.
    """
    event = {key: value for key, value in item.items() if value is not None}
    for ours in _OURS:
        event.pop(ours, None)
    for key, kind in _KINDS:
        if key in event and not isinstance(event[key], kind):
            del event[key]
    _name(event)
    return event


def _name(event: dict[str, Any]) -> None:
    """Ids that are numbers become text (PHP and Ruby send integers); empty ones are not there."""
    for key in _IDS:
        if key not in event:
            continue
        value = event[key]
        if isinstance(value, str):
            if not value:
                del event[key]
        elif isinstance(value, float):
            event[key] = str(int(value)) if value.is_integer() else str(value)
        elif isinstance(value, int) and not isinstance(value, bool):
            event[key] = str(value)


def _merge(event: dict[str, Any], envelope: Envelope) -> None:
    if envelope.context:
        own = event.get("context", {})
        if isinstance(own, dict):
            event["context"] = {**envelope.context, **own}
    own = event.get("integrations", {})
    if isinstance(own, dict) and (envelope.integrations or "all" in own):
        # analytics-go's EnableAll() writes `all`; `All` is the name that means something.
        event["integrations"] = _spelled(envelope.integrations) | _spelled(own)
    if "sentAt" not in event and envelope.sent_at is not None:
        event["sentAt"] = envelope.sent_at


def _spelled(integrations: Mapping[str, Any]) -> dict[str, Any]:
    spelled = dict(integrations)
    if "all" in spelled:
        spelled.setdefault("All", spelled.pop("all"))
        spelled.pop("all", None)
    return spelled


def _date(event: dict[str, Any], receipt: Receipt, correct: bool) -> bool:
    """Set the three times; whether the event's own lies more than a day back."""
    # rudder-node writes when it was called beside the `timestamp` that it was given.
    original = event.get("timestamp")
    own = milliseconds_of(original)
    if own is None and "originalTimestamp" in event:
        original = event["originalTimestamp"]
        own = milliseconds_of(original)
    if own is not None or _may_be_time(original):
        event["originalTimestamp"] = original
    else:
        event.pop("originalTimestamp", None)
    sent = None
    if "sentAt" in event:
        sent_at = event["sentAt"]
        sent = milliseconds_of(sent_at)
        if sent is None and not _may_be_time(sent_at):
            del event["sentAt"]
    at = corrected(own, sent, receipt.received, retried=receipt.retried, correct=correct)
    event["timestamp"] = iso_of(at)
    event["receivedAt"] = receipt.received_at
    return receipt.received - at > LATE


def _may_be_time(value: Any) -> bool:
    return isinstance(value, _TIMES) and not isinstance(value, bool)


def _version(event: Mapping[str, Any]) -> Any:
    protocols = event["context"].get("protocols")
    return protocols.get("event_version") if isinstance(protocols, dict) else None


def _tell(context: dict[str, Any], source: str, told: Sequence[tuple[str, Violation]]) -> None:
    """Write what is reported on the event, as Segment's Protocols do."""
    given = context.get("protocols")
    context["protocols"] = {
        **(given if isinstance(given, dict) else {}),
        "sourceId": source,
        "violations": [
            {
                "type": kind,
                "field": violation.path.removeprefix("/").replace("/", "."),
                "description": violation.message,
            }
            for kind, violation in told
        ],
    }


def _of(violation: Violation) -> Rejection:
    return Rejection(violation.code, violation.message, violation.path)


def _rejection(code: str) -> Rejection:
    return Rejection(code, REFUSALS[code].message)
