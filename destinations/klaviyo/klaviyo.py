"""Klaviyo: events, profiles, and consent to e-mail and SMS marketing.

API     JSON:API under /api, by dated revisions: a year stable, a year deprecated. We opt out of
        their falling forward, so a retired revision bars (410) instead of changing its meaning.
Auth    A private key with `events:write profiles:write lists:write subscriptions:write`, or OAuth
        with a refresh token (an hour a token). A 401 is asked once more at once: they come now and
        then unfounded.
Limits  Burst and steady for each endpoint: events 350/s and 3,500/min, events in bulk 10/s and
        150/min of up to 1,000 events, profiles and subscriptions 75/s and 750/min; 5 MB, a profile
        100 KB. All but a 429 tell what is left of the minute.
Quirks  202 is validated, not yet processed. An event is known again by unique_id, person and
        metric; a unique_id twice in a bulk request sinks it whole. Errors point at rows. A 403 in
        HTML is Cloudflare's and passes. Identifiers of two people are a 409, which only a merge in
        Klaviyo mends. Subscribing clears earlier unsubscriptions and spam reports: it is asked
        only by events of that name, or by traits when `consent_traits` allows; a trait that your
        own records repeat would overrule the unsubscribe link. Profiles take no anonymous_id since
        revision 2026-01-15. Unsubscribing without a list is from all marketing of the channel.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from datetime import date
from typing import Any

from destinations.klaviyo import errors, fields
from destinations.klaviyo.fields import CHANNELS, PERSON, PLACES, SUBSCRIBED, UNSUBSCRIBED
from destinations.klaviyo.settings import Settings, ask, token
from destinations.spec import (
    Account,
    Action,
    Barred,
    Batch,
    Delivered,
    Destination,
    Idempotency,
    On,
    Outcome,
    Rate,
    Refused,
    Reply,
    Request,
    Row,
    Talk,
    Unreadable,
    Window,
    all_rows,
    dumps,
    forms,
)


def event(row: Row, account: Account[Settings]) -> dict[str, Any]:
    """The attributes of an event, without its profile."""
    said = row.fields
    told = {name: said[name] for name in ("time", "value", "value_currency") if name in said}
    after = account.settings.backfill_after
    old = "time" in said and account.now - forms.moment(said["time"]) > after
    return {
        "metric": {"data": {"type": "metric", "attributes": {"name": said["metric"]}}},
        "properties": said.get("properties", {}),
        **told,
        "unique_id": said.get("unique_id", row.id),
        **({"backfill": True} if old else {}),
    }


def person(row: Row) -> dict[str, Any]:
    """The profile of an event: who it was, and nothing besides."""
    known = {name: row.fields[name] for name in PERSON if name in row.fields}
    return {"data": {"type": "profile", "attributes": known}}


def send_event(rows: Sequence[Row], account: Account[Settings]) -> Talk:
    """Events, singly or as a bulk job; in bulk, one entry for each row, so pointers count rows."""
    settings = account.settings
    if settings.batch == 1:
        attributes = {**event(rows[0], account), "profile": person(rows[0])}
        document: dict[str, Any] = {"type": "event", "attributes": attributes}
        reply = yield from ask(account, "POST", "events", document)
    else:
        entries = [
            {
                "type": "event-bulk-create",
                "attributes": {
                    "profile": person(row),
                    "events": {"data": [{"type": "event", "attributes": event(row, account)}]},
                },
            }
            for row in rows
        ]
        document = {
            "type": "event-bulk-create-job",
            "attributes": {"events-bulk-create": {"data": entries}},
        }
        reply = yield from ask(account, "POST", "event-bulk-create-jobs", document)
    if errors.accepted(reply):
        return all_rows(Delivered(), rows)
    return errors.verdicts(reply, rows, account.now)


def profile(row: Row) -> dict[str, Any]:
    """A profile's attributes."""
    said = row.fields
    place = {name: said[name] for name in PLACES if name in said}
    aside = (*PLACES, "email_consent", "sms_consent")
    plain = {name: value for name, value in said.items() if name not in aside}
    return {**plain, "location": place} if place else plain


def upsert(row: Row, account: Account[Settings]) -> Generator[Request, Reply, Outcome]:
    """Import a profile. A 409 is asked again of the profile that it names.

    That mends a race of two imports of one person. When it is a 409 again, the identifiers belong
    to two people, and `on_conflict` decides.
    """
    settings, attributes = account.settings, profile(row)
    reply = yield from _import(account, attributes)
    there = errors.duplicate(reply)
    if there:
        document = {"type": "profile", "id": there, "attributes": attributes}
        reply = yield from ask(account, "PATCH", f"profiles/{there}", document)
    kept = settings.on_conflict
    alone = {name: value for name, value in attributes.items() if name not in PERSON}
    note = ""
    if reply.status == 409 and kept in attributes:
        reply = yield from _import(account, {kept: attributes[kept], **alone})
        note = f"its identifiers belong to two people; only {kept} was told"
    if reply.status in (200, 201) and _is_profile(reply):
        return Delivered(note)
    outcome = errors.meaning(reply, account.now)
    if isinstance(outcome, Refused) and reply.status == 409:
        advice = "the identifiers belong to two people: merge them in Klaviyo, or set on_conflict"
        return Refused(outcome.code, f"{outcome.reason}; {advice}")
    return outcome


def _import(
    account: Account[Settings], attributes: Mapping[str, Any]
) -> Generator[Request, Reply, Reply]:
    document = {"type": "profile", "attributes": attributes}
    return (yield from ask(account, "POST", "profile-import", document))


def _is_profile(reply: Reply) -> bool:
    data = reply.object().get("data")
    if not isinstance(data, dict) or not isinstance(data.get("id"), str) or not data["id"]:
        raise Unreadable("the reply names no profile")
    return True


def identify(rows: Sequence[Row], account: Account[Settings]) -> Talk:
    """A profile, and the consent that it tells of.

    Consent is withdrawn first, so that a profile that is refused does not keep it standing; it is
    given last, so that a welcome mail knows the name.
    """
    row = rows[0]
    off = _told(row, UNSUBSCRIBED) if account.settings.consent_traits else ()
    on = _told(row, SUBSCRIBED) if account.settings.consent_traits else ()
    if off:
        (outcome,) = yield from _job(UNSUBSCRIBED, rows, off, None, account)
        if not isinstance(outcome, Delivered):
            return [outcome]
    outcome = yield from upsert(row, account)
    if on and isinstance(outcome, Delivered):
        return (yield from _job(SUBSCRIBED, rows, on, account.settings.list_id, account))
    return [outcome]


def tell_group(rows: Sequence[Row], account: Account[Settings]) -> Talk:
    """A profile, and nothing of consent."""
    return [(yield from upsert(rows[0], account))]


def subscribe(rows: Sequence[Row], account: Account[Settings]) -> Talk:
    """Consent of people to a list, or to the account."""
    return (yield from _job(SUBSCRIBED, rows, (), rows[0].fields.get("list"), account))


def unsubscribe(rows: Sequence[Row], account: Account[Settings]) -> Talk:
    """Withdrawal of consent."""
    return (yield from _job(UNSUBSCRIBED, rows, (), rows[0].fields.get("list"), account))


def _told(row: Row, wish: str) -> tuple[str, ...]:
    """The channels of an identify that wish so and can be reached."""
    return tuple(c for c in _reachable(row, CHANNELS) if row.fields.get(f"{c}_consent") == wish)


def _reachable(row: Row, channels: Sequence[str]) -> tuple[str, ...]:
    return tuple(c for c in channels if _ADDRESS[c] in row.fields)


_ADDRESS = {"email": "email", "sms": "phone_number"}


def _job(
    wish: str,
    rows: Sequence[Row],
    channels: Sequence[str],
    list_id: str | None,
    account: Account[Settings],
) -> Talk:
    """One subscription job; without `channels`, each row's own."""
    settings = account.settings
    verb = "create" if wish == SUBSCRIBED else "delete"
    kind = f"profile-subscription-bulk-{verb}-job"
    spoken = [_reachable(row, channels or row.fields["channels"]) for row in rows]
    people = [_wish(row, wish, spoken[n], settings) for n, row in enumerate(rows)]
    attributes: dict[str, Any] = {"profiles": {"data": people}}
    if wish == SUBSCRIBED:
        attributes["custom_source"] = settings.custom_source
        if settings.historical_import:
            attributes["historical_import"] = True
    document: dict[str, Any] = {"type": kind, "attributes": attributes}
    if list_id:
        document["relationships"] = {"list": {"data": {"type": "list", "id": list_id}}}
    reply = yield from ask(account, "POST", f"{kind}s", document)
    if errors.accepted(reply):
        return [
            Delivered(_silent(channels or row.fields["channels"], spoken[n]))
            for n, row in enumerate(rows)
        ]
    outcomes = errors.verdicts(reply, rows, account.now)
    if reply.status == 404 and list_id is not None and list_id == settings.list_id:
        # Every consent would be buried for one mistaken setting.
        return [
            Barred("list_not_found", o.reason) if isinstance(o, Refused) else o for o in outcomes
        ]
    return outcomes


def _wish(row: Row, wish: str, channels: Sequence[str], settings: Settings) -> dict[str, Any]:
    marketing: dict[str, Any] = {"consent": wish}
    if wish == SUBSCRIBED and settings.historical_import:
        given = row.fields.get("consented_at", fields.iso(row.received_at))
        marketing["consented_at"] = given
    attributes: dict[str, Any] = {_ADDRESS[c]: row.fields[_ADDRESS[c]] for c in channels}
    attributes["subscriptions"] = {channel: {"marketing": marketing} for channel in channels}
    return {"type": "profile", "attributes": attributes}


def _silent(channels: Sequence[str], spoken: Sequence[str]) -> str:
    left = [channel for channel in channels if channel not in spoken]
    return f"nothing was told of {', '.join(left)}: no address" if left else ""


def can_be_reached(row: Row) -> Refused | None:
    """A refusal when no channel of the event has its address: Klaviyo knows no other name here."""
    channels = row.fields.get("channels", ())
    if _reachable(row, channels):
        return None
    wanted = ", ".join(f"{c} needs {_ADDRESS[c]}" for c in channels) or "channels: none named"
    return Refused("missing_field", wanted)


def _tier(name: str, burst: int, steady: int) -> Rate:
    return Rate(name, (Window(burst, 1.0), Window(steady, 60.0)), hint=errors.hint)


EVENTS = _tier("events", 350, 3_500)
EVENTS_IN_BULK = _tier("event-bulk-create-jobs", 10, 150)
PROFILES = _tier("profile-import", 75, 750)

destination = Destination(
    name="klaviyo",
    titles=("Klaviyo", "Klaviyo (Actions)", "Actions Klaviyo"),
    settings=Settings,
    version="2026-07-15",
    sunset=date(2028, 7, 15),
    docs="https://developers.klaviyo.com/en/reference/api_overview",
    token=token,
    grant=lambda settings: settings.refresh_token,
    actions=(
        Action(
            name="subscribe",
            sentence="Subscribes a person to marketing by e-mail or SMS.",
            on=On(("track",), ("Email Subscribed", "SMS Subscribed")),
            fields=fields.subscription(None, ("email",), None),
            fields_for=lambda s: fields.subscription(
                s.default_country, s.consent_channels, s.list_id
            ),
            talk=subscribe,
            one_of=("email", "phone_number"),
            check=can_be_reached,
            idempotency=Idempotency.UPSERT,
            batch=Batch(1_000, 5_000_000, group=lambda row: row.fields.get("list"), atomic=True),
            rate=_tier("profile-subscription-bulk-create-jobs", 75, 750),
        ),
        Action(
            name="unsubscribe",
            sentence="Unsubscribes a person from marketing by e-mail or SMS.",
            on=On(("track",), ("Email Unsubscribed", "SMS Unsubscribed")),
            fields=fields.withdrawal(None, ("email",)),
            fields_for=lambda s: fields.withdrawal(s.default_country, s.consent_channels),
            talk=unsubscribe,
            one_of=("email", "phone_number"),
            check=can_be_reached,
            idempotency=Idempotency.UPSERT,
            batch=Batch(100, 5_000_000, group=lambda row: row.fields.get("list"), atomic=True),
            rate=_tier("profile-subscription-bulk-delete-jobs", 75, 750),
        ),
        Action(
            name="event",
            sentence="Records an event of a person, for segments and flows.",
            on=On(("track",)),
            fields=fields.event(None, {}),
            fields_for=lambda s: fields.event(s.default_country, s.metric_names),
            talk=send_event,
            one_of=PERSON,
            idempotency=Idempotency.NATIVE,
            batch_for=lambda s: Batch(
                rows=s.batch,
                # 5 MB, less the frame of the job.
                bytes=4_990_000,
                atomic=s.batch > 1,
                unique=lambda row: row.fields.get("unique_id", row.id),
                # What is said of a row, and at most 400 bytes of JSON:API around it.
                weigh=lambda row: len(dumps(dict(row.fields))) + 400,
            ),
            rate=EVENTS,
            rate_for=lambda s: EVENTS if s.batch == 1 else EVENTS_IN_BULK,
        ),
        Action(
            name="identify",
            sentence="Creates or updates a profile, and its consent where that is allowed.",
            on=On(("identify",)),
            fields=fields.profile(None),
            fields_for=lambda s: fields.profile(s.default_country),
            talk=identify,
            one_of=("email", "phone_number", "external_id"),
            idempotency=Idempotency.UPSERT,
            rate=PROFILES,
        ),
        Action(
            name="group",
            sentence="Sets a group's traits as properties of the person's profile.",
            on=On(
                ("group",), where=lambda _, settings: bool(settings.groups), sentence="with groups"
            ),
            fields=fields.company(None),
            fields_for=lambda s: fields.company(s.default_country),
            talk=tell_group,
            one_of=("email", "phone_number", "external_id"),
            idempotency=Idempotency.UPSERT,
            rate=PROFILES,
        ),
    ),
)
