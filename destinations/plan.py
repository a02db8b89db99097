"""What one instance does with an event: leave it, refuse it, or make it a row. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from msgspec import Struct

from destinations.forms import moment
from destinations.hearing import BY_RULES, BY_SOURCE, NO_ACTION, Hearing, named
from destinations.instance import Instance, Where
from destinations.mapping import At, Source, Unfit, fill
from destinations.outcome import Refused
from destinations.spec import PRIVATE, Action, Destination, Idempotency, Row
from destinations.talk import Reply
from hub.event import Event

BY_INTEGRATIONS = "filtered_by_integrations_object"
BY_CONSENT = "filtered_by_end_user_consent"
SENT_CLIENT_SIDE = "message_sent_client_side"
DUPLICATE = "duplicate"

FILTERED = (
    BY_SOURCE,
    BY_RULES,
    BY_INTEGRATIONS,
    BY_CONSENT,
    SENT_CLIENT_SIDE,
    NO_ACTION,
    DUPLICATE,
)
"""Every reason for which an instance leaves an event, as the metric's label says it."""

EXPIRED = "expired"
MISSING_FIELD = "missing_field"
IN_DOUBT = "in_doubt"
PATIENCE_EXHAUSTED = "patience_exhausted"

REPLY_ID_LENGTH = 100
"""Characters that are kept of a vendor's name for a request."""


@dataclass(frozen=True, slots=True)
class Filtered:
    """The event is not for this instance; `reason` is one of FILTERED."""

    reason: str


class Boarding(Struct, frozen=True, gc=False):
    """The event is to be sent: by which action, as which row."""

    action: Action[Any]
    row: Row


class Plan:
    """One instance's settings and its vendor's declaration, made one."""

    def __init__(
        self,
        name: str,
        vendor: Destination[Any],
        settings: Any,
        instance: Instance,
        sources: Mapping[tuple[str, str], Source],
    ) -> None:
        self.name = name
        self.vendor = vendor
        self.settings = settings
        self.instance = instance
        self.titles = frozenset(
            {instance.integrations_name} if instance.integrations_name else {*vendor.titles, name}
        )
        self.actions = tuple(
            _changed(action, settings, instance, sources)
            for action in vendor.actions
            if action.name not in instance.actions or instance.actions[action.name].enabled
        )
        self.unheard = Hearing(instance, self.actions).unheard
        self._reads_bodies = bool(instance.consent or instance.filter.where) or any(
            action.fields or action.on.where for action in self.actions
        )

        self._noted = frozenset(
            action.name for action in self.actions if not self.repeats(action, instance.patience)
        )

    def judge(self, event: Event, now: float) -> Filtered | Refused | Boarding:
        """What to do with `event`; `now` in seconds since the epoch, for its age.

        The order is Segment's: source, consent, integrations object, filters, then the action.
        What the headers decide is decided before the body is read, and where nothing asks for more
        than its outline, it is never parsed.
        """
        if (reason := self.unheard(event.record)) is not None:
            return Filtered(reason)
        instance = self.instance
        body = event.body if self._reads_bodies else event.outline
        if instance.consent and not consented(body, instance.consent):
            return Filtered(BY_CONSENT)
        said = body.get("integrations")
        if said is not None and not _integrated(said, self.titles):
            return Filtered(BY_INTEGRATIONS)
        if instance.skip_bundled and self.titles & _bundled(body):
            return Filtered(SENT_CLIENT_SIDE)
        for where in instance.filter.where:
            if not _holds(where, body):
                return Filtered(BY_RULES)
        for action in self.actions:
            if not named(action, event):
                continue
            if action.on.where is None or action.on.where(body, self.settings):
                return self._row(action, event, body, now)
        return Filtered(NO_ACTION)

    def _row(
        self, action: Action[Any], event: Event, body: Mapping[str, Any], now: float
    ) -> Refused | Boarding:
        """The row of `event` for `action`, or why it cannot be said in the vendor's terms."""
        if private := PRIVATE in body:
            body = {name: value for name, value in body.items() if name != PRIVATE}
        try:
            fields = fill(action.fields, body) if action.fields else {}
        except Unfit as error:
            return Refused(MISSING_FIELD, str(error))
        if action.one_of and not any(name in fields for name in action.one_of):
            return Refused(MISSING_FIELD, f"one of {', '.join(action.one_of)}: none found")
        row = Row(
            event.id,
            event.type,
            event.name,
            event.received_at,
            body.get("timestamp"),
            fields,
            event.record.value,
            private,
        )
        fault = expired(action, row, now) if action.max_age is not None else None
        if fault is None and action.check is not None:
            fault = action.check(row)
        return Boarding(action, row) if fault is None else fault

    def repeats(self, action: Action[Any], seconds: float) -> bool:
        """Whether saying it again, so long after the first time, cannot count twice."""
        if action.idempotency is Idempotency.NATIVE:
            return action.window is None or seconds < action.window
        return action.idempotency is Idempotency.UPSERT

    def intends(self, action: Action[Any]) -> bool:
        """Whether a call must be noted before it is made: to repeat it might count twice."""
        return action.name in self._noted

    def answer(self, reply: Reply | None) -> dict[str, int | str]:
        """What the ledger keeps of a reply: its status, and the vendor's name for the request."""
        if reply is None:
            return {}
        told: dict[str, int | str] = {"status": reply.status}
        for name in self.vendor.reply_ids:
            if found := reply.headers.get(name):
                told["vendor_id"] = found[:REPLY_ID_LENGTH]
                break
        return told


def expired(action: Action[Any], row: Row, now: float) -> Refused | None:
    """A refusal when the event is older than the vendor takes; asked before each attempt."""
    if action.max_age is None:
        return None
    most = action.max_age(row) if callable(action.max_age) else action.max_age
    age = now - time_of(row)
    if age <= most:
        return None
    return Refused(EXPIRED, f"the event is {age / 3600:.0f} h old; they take {most / 3600:.0f} h")


def time_of(row: Row) -> float:
    """The event's own time in seconds since the epoch; its receipt if it has none."""
    try:
        return moment(row.timestamp)
    except Unfit:
        return row.received_at


def consented(body: Mapping[str, Any], categories: tuple[str, ...]) -> bool:
    """Whether consent allows an instance of `categories` (facts, 2.8).

    No categories, or no consent in the event: nothing is enforced. Otherwise all must be true;
    preferences that cannot be read allow nothing.
    """
    if not categories:
        return True
    context = body.get("context")
    consent = context.get("consent") if isinstance(context, Mapping) else None
    if not isinstance(consent, Mapping):
        return True
    given = consent.get("categoryPreferences")
    if given is None:
        return True
    if not isinstance(given, Mapping):
        return False
    return all(given.get(category) is True for category in categories)


def _changed(
    action: Action[Any],
    settings: Any,
    instance: Instance,
    sources: Mapping[tuple[str, str], Source],
) -> Action[Any]:
    fields = {
        name: replace(field, source=sources.get((action.name, name), field.source))
        for name, field in action.fields_of(settings).items()
    }
    table = instance.actions.get(action.name)
    on = (
        action.on
        if table is None or table.events is None
        else replace(action.on, names=table.events)
    )
    batch = action.batch_for(settings) if action.batch_for else action.batch
    rate = action.rate_for(settings) if action.rate_for else action.rate
    return replace(
        action,
        fields=fields,
        fields_for=None,
        batch=batch,
        batch_for=None,
        rate=rate,
        rate_for=None,
        on=on,
    )


def _integrated(said: Any, titles: frozenset[str]) -> bool:
    """`false` for one of our titles blocks, an object or `true` allows, else `All` decides.

    analytics-go's EnableAll() writes `all` in lower case (facts, 1.12 point 7).
    """
    if not isinstance(said, Mapping):
        return True
    named = [said[title] for title in titles if said.get(title) is not None]
    if named:
        return not any(value is False for value in named)
    fallback = said.get("All", said.get("all"))
    return fallback is not False


def _bundled(body: Mapping[str, Any]) -> frozenset[str]:
    metadata = body.get(PRIVATE)
    names = metadata.get("bundled") if isinstance(metadata, Mapping) else None
    return (
        frozenset(n for n in names if isinstance(n, str))
        if isinstance(names, list)
        else frozenset()
    )


def _holds(where: Where, body: Mapping[str, Any]) -> bool:
    value = At(where.path).find(body)
    if where.exists is not None and (value is not None) != where.exists:
        return False
    if where.equals is not None and not _same(value, where.equals):
        return False
    return where.one_of is None or any(_same(value, one) for one in where.one_of)


def _same(value: Any, wanted: Any) -> bool:
    # True == 1 in Python, and a filter on `plan = 1` does not mean a true one.
    return isinstance(value, bool) == isinstance(wanted, bool) and bool(value == wanted)
