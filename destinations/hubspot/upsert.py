"""The upsert of contacts and companies: a hundred rows in, a word about each of them out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from destinations.hubspot.calls import Part, get, patch, post
from destinations.hubspot.errors import existing_id, meaning, record_meaning, row_meaning
from destinations.hubspot.properties import (
    NAME,
    Catalogue,
    catalogue_of,
    name_of,
    sorted_out,
)
from destinations.hubspot.settings import Settings
from destinations.spec import (
    Account,
    Barred,
    Busy,
    Delivered,
    Failed,
    Outcome,
    Refused,
    Row,
    Unreadable,
)

STALE = 60.0
"""Seconds after which a catalogue may be blamed for a property that does not exist any more."""

CONFLICTS = 10
"""Conflicts that one talk settles, of the 20 requests it has; the other rows go again."""

CREATE = 100
"""Properties that one call creates."""

DENIED = 600.0
"""Seconds for which properties are left out, not created, once HubSpot would not have them."""

GROUPS = {"contacts": "contactinformation", "companies": "companyinformation"}
"""The groups of properties that every account has."""


@dataclass(frozen=True, slots=True)
class Input:
    """One row of an upsert, its trace, and the properties that the account does not have."""

    trace: str
    id: str
    properties: Mapping[str, str]
    dropped: Sequence[str]


@dataclass(frozen=True, slots=True)
class Written:
    """What came of a row, and the record that it was written to."""

    outcome: Outcome
    id: str = ""


def upsert(
    kind: str, key: str, rows: Sequence[Row], account: Account[Settings]
) -> Part[list[Written]]:
    """Upsert `rows` by the property `key`."""
    said = [_said(row) for row in rows]
    catalogue: Catalogue | None = None
    if account.settings.unknown_properties != "fail":
        found = yield from _catalogue(kind, key, [n for one in said for n in one], account)
        if not isinstance(found, Catalogue):
            return [Written(found)] * len(rows)
        catalogue = found
    inputs = []
    for row, trace, own in zip(rows, _traces(rows), said, strict=True):
        properties, dropped = sorted_out(own, catalogue)
        # The key goes in both places: a record that is created needs it as a property.
        properties[key] = str(row.fields[key])
        inputs.append(Input(trace, properties[key], properties, dropped))
    reply = yield post(
        account,
        "upsert",
        {
            "inputs": [
                {
                    "id": i.id,
                    "idProperty": key,
                    "objectWriteTraceId": i.trace,
                    "properties": i.properties,
                }
                for i in inputs
            ]
        },
        kind,
    )
    if reply.ok:
        written = _written(reply.object(), inputs, key)
    else:
        written = [Written(meaning(reply, account))] * len(rows)
    written = [Written(blamed(w.outcome, kind, catalogue, account), w.id) for w in written]
    if reply.ok or len(rows) == 1:
        written = yield from _settled(written, inputs, kind, key, account)
    return written


def _said(row: Row) -> dict[str, Any]:
    own = {name: value for name, value in row.fields.items() if name not in NOT_PROPERTIES}
    return {**row.fields.get("properties", {}), **own}


NOT_PROPERTIES = frozenset({"properties", "contact_email"})
"""Fields of our actions that are no properties of the record."""


def _traces(rows: Sequence[Row]) -> Iterator[str]:
    """A trace for each row: its messageId, or that and its place where a client repeats one."""
    seen: set[str] = set()
    for place, row in enumerate(rows):
        yield f"{row.id}#{place}" if row.id in seen else row.id
        seen.add(row.id)


def _catalogue(
    kind: str, key: str, names: Iterable[str], account: Account[Settings]
) -> Part[Catalogue | Outcome]:
    """The account's properties, with those of `names` created that may and must be."""
    settings = account.settings
    catalogue: Catalogue | None = account.recall(kind)
    if catalogue is None:
        reply = yield get(account, "properties", kind)
        if not reply.ok:
            return meaning(reply, account)
        catalogue = catalogue_of(reply, "results", account.now)
        account.note(kind, catalogue, settings.property_cache_seconds)
    missing = {name_of(name, catalogue) for name in (*names, key)} - catalogue.types.keys()
    if settings.unknown_properties == "create" and account.recall(f"{kind} denied") is None:
        # The key first, in case that there are more than one call takes.
        wanted = sorted(filter(NAME.fullmatch, missing), key=lambda name: (name != key, name))
        if wanted:
            made = yield from _created(kind, key, wanted[:CREATE], account)
            if not isinstance(made, Catalogue):
                return made
            catalogue = replace(
                catalogue,
                types={**catalogue.types, **made.types},
                unique=catalogue.unique | made.unique,
            )
            left = settings.property_cache_seconds - (account.now - catalogue.at)
            account.note(kind, catalogue, left)
    if key != "email" and key not in catalogue.unique:
        account.forget(kind)
        return Barred(
            "missing_id_property",
            f"the account has no {kind} property {key} with unique values: create it, or name "
            "another in the settings",
        )
    return catalogue


def _created(
    kind: str, key: str, names: Sequence[str], account: Account[Settings]
) -> Part[Catalogue | Outcome]:
    """The properties that were created. What may not be created is not asked for again soon."""
    inputs = [_definition(name, kind, name == key) for name in names]
    reply = yield post(account, "create_properties", {"inputs": inputs}, kind)
    if reply.ok:
        made = catalogue_of(reply, "results", account.now)
    else:
        outcome = meaning(reply, account)
        if not isinstance(outcome, Refused):
            return outcome
        made = Catalogue({}, frozenset(), account.now)
    if not made.types.keys() >= set(names):
        account.note(f"{kind} denied", True, DENIED)
    return made


def _definition(name: str, kind: str, unique: bool) -> dict[str, Any]:
    # Text holds whatever comes later; a number that is once "n/a" would sink its record.
    return {
        "name": name,
        "label": name,
        "type": "string",
        "fieldType": "text",
        "groupName": GROUPS[kind],
        "hasUniqueValue": unique,
    }


def _written(answer: Mapping[str, Any], inputs: Sequence[Input], key: str) -> list[Written]:
    """Each row's word. Raises Unreadable.

    The order of `results` is not promised: rows are found by trace, else by their key. A row that
    is in neither list is tried again; when both are empty nothing was written and the same request
    would get the same answer, so that is a refusal, which the engine bisects.
    """
    results, errors = answer.get("results"), answer.get("errors", [])
    if not isinstance(results, list) or not isinstance(errors, list):
        raise Unreadable("the reply has no lists of results and errors")
    if not results and not errors:
        refused = Refused("silent_no_op", "HubSpot answered well and wrote nothing")
        return [Written(refused)] * len(inputs)
    by_trace = {one.trace: place for place, one in enumerate(inputs)}
    by_key = {one.id.lower(): place for place, one in enumerate(inputs)}
    written = [Written(Failed("row_unanswered"))] * len(inputs)
    for result in results:
        if not isinstance(result, dict) or not isinstance(result.get("id"), str):
            continue
        properties = result.get("properties")
        properties = properties if isinstance(properties, dict) else {}
        place = by_trace.get(str(result.get("objectWriteTraceId")))
        if place is None:
            place = by_key.get(str(properties.get(key)).lower())
        if place is not None:
            note = _note(inputs[place], properties)
            written[place] = Written(Delivered(note), result["id"])
    for error in errors:
        if not isinstance(error, dict):
            continue
        context = error.get("context")
        traces = context.get("objectWriteTraceId") if isinstance(context, dict) else None
        named = [str(t) for t in traces] if isinstance(traces, list) else []
        places = [by_trace[trace] for trace in named if trace in by_trace]
        if not places and len(inputs) == 1:
            places = [0]
        for place in places:
            written[place] = Written(row_meaning(error))
    return written


def _note(one: Input, properties: Mapping[str, Any]) -> str:
    """What HubSpot, or we, left out of a row that was written."""
    notes = []
    if one.dropped:
        notes.append("unknown properties left out: " + ", ".join(one.dropped[:20]))
    stage = one.properties.get("lifecyclestage")
    if stage is not None and properties.get("lifecyclestage", stage) != stage:
        notes.append("lifecyclestage does not go back")
    return "; ".join(notes)


def blamed(
    outcome: Outcome, note: str, catalogue: Catalogue | None, account: Account[Settings]
) -> Outcome:
    """An unknown property that we thought to be known: ask again for the catalogue, and try again.

    Only an old catalogue is to blame; else a property that is listed and yet denied would go round.
    """
    if not (isinstance(outcome, Refused) and outcome.code == "unknown_property" and catalogue):
        return outcome
    if account.now - catalogue.at < STALE:
        return outcome
    account.forget(note)
    return Failed("stale_catalogue")


def _settled(
    written: Sequence[Written],
    inputs: Sequence[Input],
    kind: str,
    key: str,
    account: Account[Settings],
) -> Part[list[Written]]:
    """Rows whose conflict names another record (by a second e-mail, say) are written to that."""
    settled = list(written)
    conflicts = 0
    for place, (one, was) in enumerate(zip(inputs, written, strict=True)):
        record = existing_id(was.outcome) if isinstance(was.outcome, Refused) else None
        if record is None:
            continue
        # The record keeps its own key; what else there is to say is said.
        properties = {name: value for name, value in one.properties.items() if name != key}
        if not properties:
            settled[place] = Written(Delivered("the record stands under another key"), record)
            continue
        conflicts += 1
        if conflicts > CONFLICTS:
            settled[place] = Written(Busy(0, "conflict"))
            continue
        reply = yield patch(account, kind, record, {"properties": properties})
        outcome: Outcome
        if reply.ok and isinstance(reply.object().get("id"), str):
            outcome = Delivered(_note(one, {}))
        elif reply.ok:
            outcome = Failed("unreadable_reply")
        else:
            outcome = record_meaning(reply, account)
            if isinstance(outcome, Refused) and outcome.code == "nothing_to_update":
                outcome = Delivered("nothing to update")
        settled[place] = Written(outcome, record)
    return settled
