"""HubSpot: contacts from identify, companies from group, custom events from track, page, screen.

API     Date-based versions since March 2026 (`/crm/objects/2026-03/...`); the numbered ones end in
        September 2027. https://developers.hubspot.com/docs/api-reference/2026-03/overview
Auth    A legacy private app's token or a Service Key, or OAuth with a refresh token (30 minutes a
        token). Scopes: crm.objects.contacts.read and .write, the same for companies,
        analytics.behavioral_events.send, behavioral_events.event_definitions.read_write.
Limits  100 rows in an upsert, 500 in a batch of events. Requests in 10 s and in a day by the plan
        (setting `tier`); events are exempt and have 1,250 a second of their own.
Quirks  Rows are told apart by objectWriteTraceId, which is the messageId: without it one bad row
        sinks a hundred. A 2xx may have written nothing at all; a row that no list names is tried
        again. Two rows of one e-mail sink the batch. An unknown property sinks its row, so the
        account's properties are asked for first. Null and empty values are left out, for they
        would clear. A conflict names the record that is meant, and it is updated instead.
        lifecyclestage does not go back. Events have no receipt: what is repeated counts twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any
from urllib.parse import urlencode

from destinations.hubspot.calls import Part, get, post, url_of
from destinations.hubspot.errors import meaning, record_meaning
from destinations.hubspot.fields import (
    WHOSE,
    company_fields,
    contact_fields,
    event_fields,
    name_in_events,
)
from destinations.hubspot.properties import (
    Catalogue,
    catalogue_of,
    sorted_out,
)
from destinations.hubspot.quota import CRM, crm
from destinations.hubspot.settings import Settings
from destinations.hubspot.upsert import Written, blamed, upsert
from destinations.spec import (
    Account,
    Action,
    Barred,
    Batch,
    Delivered,
    Destination,
    Failed,
    Idempotency,
    On,
    Outcome,
    Rate,
    Refused,
    Reply,
    Request,
    Row,
    Talk,
    Token,
    TokenTalk,
    Unreadable,
    Window,
)


def upsert_contacts(rows: Sequence[Row], account: Account[Settings]) -> Talk:
    """One upsert of up to a hundred contacts."""
    key = account.settings.contact_id_property
    written = yield from upsert("contacts", key, rows, account)
    return [one.outcome for one in written]


def upsert_companies(rows: Sequence[Row], account: Account[Settings]) -> Talk:
    """One upsert of up to a hundred companies, then their links with contacts that are known."""
    key = account.settings.company_id_property
    written = yield from upsert("companies", key, rows, account)
    outcomes = [one.outcome for one in written]
    if account.settings.associate:
        linked = yield from _associated(_pairs(rows, written), account)
        for place, outcome in linked.items():
            outcomes[place] = outcome
    return outcomes


def _pairs(rows: Sequence[Row], written: Sequence[Written]) -> dict[int, tuple[str, Written]]:
    """The e-mail and the company of each row that has both."""
    return {
        place: (row.fields["contact_email"], one)
        for place, (row, one) in enumerate(zip(rows, written, strict=True))
        if isinstance(one.outcome, Delivered) and row.fields.get("contact_email")
    }


def _associated(
    pairs: Mapping[int, tuple[str, Written]], account: Account[Settings]
) -> Part[dict[int, Outcome]]:
    """What comes of the rows whose company is to be linked, by their places.

    A contact that is not there is not made up: the company stands, and a note says the rest.
    Whatever else goes wrong is the row's word; to upsert the company again does no harm.
    """
    if not pairs:
        return {}
    emails = sorted({email for email, _ in pairs.values()})
    asked = {
        "idProperty": "email",
        "properties": ["email", "hs_additional_emails"],
        "propertiesWithHistory": [],
        "inputs": [{"id": email} for email in emails],
    }
    reply = yield post(account, "read", asked, "contacts")
    if not reply.ok:
        return dict.fromkeys(pairs, meaning(reply, account))
    contacts, absent = _contacts(reply.object())
    outcomes: dict[int, Outcome] = {}
    links = {}
    for place, (email, company) in pairs.items():
        if email in contacts:
            links[place] = (contacts[email], company.id)
        elif email in absent:
            outcomes[place] = Delivered("not linked: there is no contact of this e-mail address")
        else:
            outcomes[place] = Failed("row_unanswered")
    if not links:
        return outcomes
    wanted = [{"from": {"id": contact}, "to": {"id": to}} for contact, to in links.values()]
    reply = yield post(account, "associate", {"inputs": wanted})
    if not reply.ok:
        outcome: Outcome = record_meaning(reply, account)
        if isinstance(outcome, Refused) and outcome.code == "object_not_found":
            outcome = Delivered("not linked: the contact or the company has gone")
        return {**outcomes, **dict.fromkeys(links, outcome)}
    made, gone = _links(reply.object())
    for place, link in links.items():
        if link in made:
            outcomes[place] = pairs[place][1].outcome
        elif gone:
            outcomes[place] = Delivered("not linked: the contact or the company has gone")
        else:
            outcomes[place] = Failed("row_unanswered")
    return outcomes


def _contacts(answer: Mapping[str, Any]) -> tuple[dict[str, str], set[str]]:
    """The ids of contacts by each of their addresses, and the addresses that nobody has."""
    found: dict[str, str] = {}
    for result in _objects(answer.get("results")):
        properties = result.get("properties")
        if not isinstance(result.get("id"), str) or not isinstance(properties, dict):
            continue
        said = f"{properties.get('email')};{properties.get('hs_additional_emails') or ''}"
        found |= {one.strip().lower(): result["id"] for one in said.split(";") if one.strip()}
    absent: set[str] = set()
    for error in _objects(answer.get("errors", [])):
        context = error.get("context")
        ids = context.get("ids") if isinstance(context, dict) else None
        if error.get("category") == "OBJECT_NOT_FOUND" and isinstance(ids, list):
            absent |= {one.lower() for one in ids if isinstance(one, str)}
    return found, absent


def _links(answer: Mapping[str, Any]) -> tuple[set[tuple[str, str]], bool]:
    """The pairs that were linked, and whether an end of the others is gone."""
    made = set()
    for result in _objects(answer.get("results")):
        start, end = result.get("from"), result.get("to")
        if isinstance(start, dict) and isinstance(end, dict):
            made.add((str(start.get("id")), str(end.get("id"))))
    errors = _objects(answer.get("errors", []))
    words = [f"{error.get('category')} {error.get('subCategory')}" for error in errors]
    return made, any("OBJECT_NOT_FOUND" in word for word in words)


def _objects(value: Any) -> list[dict[str, Any]]:
    if not isinstance(value, list):
        raise Unreadable("the reply has no list where one was promised")
    return [one for one in value if isinstance(one, dict)]


def send_events(rows: Sequence[Row], account: Account[Settings]) -> Talk:
    """One batch of events; it is taken or refused as a whole."""
    outcomes: dict[int, Outcome] = {}
    inputs = {}
    for place, row in enumerate(rows):
        defined = yield from _definition(row.fields["eventName"], account)
        if isinstance(defined, Catalogue | None):
            inputs[place] = (*_occurrence(row, defined), defined)
        else:
            outcomes[place] = defined
    if inputs:
        reply = yield post(account, "send", {"inputs": [one for one, _, _ in inputs.values()]})
        for place, (event, dropped, defined) in inputs.items():
            outcome = _heard(reply, dropped, account)
            outcomes[place] = blamed(outcome, f"event {event['eventName']}", defined, account)
    return [outcomes[place] for place in range(len(rows))]


def _definition(name: str, account: Account[Settings]) -> Part[Catalogue | Outcome | None]:
    """The properties of an event's definition; None where we are not to ask, or there is none."""
    if account.settings.unknown_properties == "fail":
        return None
    known: Catalogue | None = account.recall(f"event {name}")
    if known is not None:
        return known
    reply = yield get(account, "definition", id=name)
    if reply.status == 404:
        # No such definition, or no such path: the answer to the event itself tells which.
        return None
    if not reply.ok:
        return meaning(reply, account)
    found = catalogue_of(reply, "properties", account.now)
    account.note(f"event {name}", found, account.settings.property_cache_seconds)
    return found


def _occurrence(row: Row, defined: Catalogue | None) -> tuple[dict[str, Any], list[str]]:
    """One event as HubSpot has it, and the names of properties that its definition has not."""
    fields = row.fields
    whose = next(name for name in WHOSE if name in fields)
    properties, dropped = sorted_out(fields.get("properties", {}), defined)
    event = {
        "eventName": fields["eventName"],
        whose: fields[whose],
        "occurredAt": fields.get("occurredAt"),
        "uuid": row.id,
        "properties": properties,
    }
    return {name: value for name, value in event.items() if value not in (None, {})}, dropped


def _heard(reply: Reply, dropped: Sequence[str], account: Account[Settings]) -> Outcome:
    """A success is empty (204), or an object without a word of an error's; HTML is neither."""
    if not reply.ok:
        return meaning(reply, account)
    if reply.body and reply.object().keys() & {"status", "category", "message", "errors"}:
        return Failed("unreadable_reply")
    return Delivered("unknown properties left out: " + ", ".join(dropped[:20]) if dropped else "")


def token(account: Account[Settings]) -> TokenTalk:
    """A new access token for the refresh token; HubSpot wants it renewed before it ends."""
    settings = account.settings
    if settings.client_id is None or settings.client_secret is None:
        return Barred("no_refresh_token", "the settings have no OAuth app")
    form = {
        "grant_type": "refresh_token",
        "client_id": settings.client_id,
        "client_secret": settings.client_secret.get_secret_value(),
        "refresh_token": account.grant,
    }
    reply = yield Request(
        "POST",
        url_of(settings, "token"),
        {"Content-Type": "application/x-www-form-urlencoded"},
        urlencode(form).encode(),
        settings.timeout,
    )
    if reply.ok:
        return Token.of(reply)
    outcome = meaning(reply, account)
    match outcome:
        case Refused() | Barred():
            # invalid_grant, BAD_REFRESH_TOKEN, or another app's secret: asking again is no help.
            return Barred("invalid_grant", outcome.reason)
        case Failed():
            return outcome
        case _:
            return Failed(outcome.reason, outcome.after)


EVENTS = Rate("events", (Window(1_250, 1.0),))

destination = Destination(
    name="hubspot",
    titles=("HubSpot", "HubSpot Cloud Mode (Actions)", "HubSpot Web (Actions)"),
    settings=Settings,
    version="2026-03",
    docs="https://developers.hubspot.com/docs/api-reference/2026-03/overview",
    # A version is unsupported 18 months after its release, which was on 30 March 2026.
    sunset=date(2027, 9, 30),
    token=token,
    grant=lambda settings: settings.refresh_token,
    actions=(
        Action(
            name="upsert_contact",
            sentence="Creates or updates the contact.",
            on=On(("identify",)),
            fields=contact_fields(),
            fields_for=contact_fields,
            talk=upsert_contacts,
            idempotency=Idempotency.UPSERT,
            # Two rows of one key: "Duplicate IDs found in batch input", and all hundred are lost.
            batch_for=lambda s: Batch(
                rows=100, unique=lambda row: row.fields[s.contact_id_property].lower(), atomic=True
            ),
            batch=Batch(rows=100, unique=lambda row: row.fields["email"].lower(), atomic=True),
            rate=CRM,
            rate_for=crm,
        ),
        Action(
            name="upsert_company",
            sentence="Creates or updates the company, and links the contact with it.",
            on=On(("group",)),
            fields=company_fields(),
            fields_for=company_fields,
            talk=upsert_companies,
            idempotency=Idempotency.UPSERT,
            batch_for=lambda s: Batch(
                rows=100, unique=lambda row: row.fields[s.company_id_property].lower(), atomic=True
            ),
            batch=Batch(rows=100, atomic=True),
            cost=3.0,  # upsert, read, associate
            rate=CRM,
            rate_for=crm,
        ),
        Action(
            name="send_event",
            sentence="Sends an occurrence of a custom event.",
            on=On(
                ("track", "page", "screen"),
                where=name_in_events,
                sentence="whose name is in the setting `events`",
            ),
            fields=event_fields(),
            fields_for=event_fields,
            talk=send_events,
            idempotency=Idempotency.NONE,
            # By definition, so that one that is wrong does not hold up the others.
            batch=Batch(rows=500, group=lambda row: row.fields["eventName"], atomic=True),
            rate=EVENTS,
            one_of=WHOSE,
        ),
    ),
)
