"""A HubSpot account to practise on, by its v3 and dated paths, with an Enterprise plan.

Tokens        `pat-sandbox` is good; so are those from /oauth/*/token for the refresh token
              `refresh-sandbox` of the app `client-sandbox` / `secret-sandbox`, for 30 minutes.
              Others say one thing only: `expired`, `no-scopes`, `ten-secondly`, `daily`,
              `old-limit`, `locked`, `migrating`, `broken`, `silent` (a 2xx that writes nothing).
E-mails       `lost@example.org` is in neither list of an upsert's answer; `second@example.org` is
              another address of contact 123 (first@example.org), and so a conflict.
Properties    CONTACTS and COMPANIES below; `favourite_colour` is listed but was deleted since.
Definitions   `pe123_order_completed` and `pe123_page_seen`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from destinations.hubspot.accounts import COMPANIES, CONTACTS, DEFINITIONS, fault_of
from destinations.hubspot.bodies import (
    EMAIL,
    Bad,
    batch,
    fault_in,
    flat,
    inputs_of,
    moment,
    object_of,
    only,
    record_of,
)
from destinations.hubspot.counts import Counts
from destinations.spec import Reply, Request, Taken

LIFE = 1_800
"""Seconds that a token of OAuth lasts."""


# Both spellings of each call, to one handler.
ROUTES: tuple[tuple[str, str, str], ...] = (
    ("POST", r"/crm/v3/objects/(contacts|companies)/batch/upsert", "upsert"),
    ("POST", r"/crm/objects/20\d\d-\d\d/(contacts|companies)/batch/upsert", "upsert"),
    ("POST", r"/crm/v3/objects/(contacts|companies)/batch/read", "read"),
    ("POST", r"/crm/objects/20\d\d-\d\d/(contacts|companies)/batch/read", "read"),
    ("PATCH", r"/crm/v3/objects/(contacts|companies)/([^/]+)", "update"),
    ("PATCH", r"/crm/objects/20\d\d-\d\d/(contacts|companies)/([^/]+)", "update"),
    ("GET", r"/crm/v3/properties/(contacts|companies)", "properties"),
    ("GET", r"/crm/properties/20\d\d-\d\d/(contacts|companies)", "properties"),
    ("POST", r"/crm/v3/properties/(contacts|companies)/batch/create", "create"),
    ("POST", r"/crm/properties/20\d\d-\d\d/(contacts|companies)/batch/create", "create"),
    ("POST", r"/crm/v4/associations/contacts/companies/batch/associate/default", "associate"),
    (
        "POST",
        r"/crm/associations/20\d\d-\d\d/contacts/companies/batch/associate/default",
        "associate",
    ),
    ("POST", r"/events/(?:v3|20\d\d-\d\d)/send", "send"),
    ("POST", r"/events/(?:v3|20\d\d-\d\d)/send/batch", "send_batch"),
    ("GET", r"/events/(?:v3|20\d\d-\d\d)/event-definitions/([^/]+)", "definition"),
)
TOKEN = re.compile(r"/oauth/(v1|20\d\d-\d\d)/token")


class Sandbox:
    """One account: its contacts, companies, properties, tokens and the last ten seconds."""

    def __init__(self) -> None:
        self.taken: list[Taken] = []
        self._kinds = {
            "contacts": {name: dict(entry) for name, entry in CONTACTS.items()},
            "companies": {name: dict(entry) for name, entry in COMPANIES.items()},
        }
        self._records: dict[str, dict[str, dict[str, str]]] = {"contacts": {}, "companies": {}}
        self._records["contacts"]["123"] = {
            "email": "first@example.org",
            "hs_additional_emails": "second@example.org",
            "lifecyclestage": "customer",
        }
        self._links: set[tuple[str, str]] = set()
        self._tokens: dict[str, float] = {"pat-sandbox": float("inf"), "silent": float("inf")}
        self._counts = Counts()
        self._next = 501

    def answer(self, request: Request, now: float) -> Reply:
        path = urlsplit(request.url).path
        if TOKEN.fullmatch(path):
            return self._token(request, now, dated="v1" not in path)
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        fault = fault_of(token, self._tokens.get(token), now)
        if fault is not None:
            return fault
        if path.startswith("/events/"):
            return self._routed(request, path, token, now)
        refusal, headers = self._counts.count(token, now)
        reply = refusal or self._routed(request, path, token, now)
        return Reply(reply.status, {**reply.headers, **headers}, reply.body)

    def _routed(self, request: Request, path: str, token: str, now: float) -> Reply:
        for method, pattern, name in ROUTES:
            found = re.fullmatch(pattern, path)
            if found is None or method != request.method:
                continue
            handler: Callable[..., Reply] = getattr(self, f"_{name}")
            parts = [unquote(part) for part in found.groups()]
            try:
                if method == "GET":
                    return handler(*parts)
                kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
                if kind != "application/json":
                    return Reply.of(415, {"status": "error", "message": "Unsupported Media Type"})
                if name == "upsert" and token == "silent":  # noqa: S105 - to practise with
                    return Reply.of(200, batch([], now))
                return handler(*parts, object_of(request), now)
            except Bad as bad:
                return Reply.of(bad.status, bad.body())
            except (AttributeError, KeyError, TypeError):
                # A list where a text belongs, and whatever else has not the shape of theirs.
                return Reply.of(400, Bad("Invalid input JSON: Cannot deserialize value").body())
        return Reply.of(404, {"status": "error", "message": "No path here"})

    def _token(self, request: Request, now: float, dated: bool) -> Reply:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if request.method != "POST" or kind != "application/x-www-form-urlencoded":
            return Reply.of(415, {"status": "error", "message": "Unsupported Media Type"})
        form = {k: v[0] for k, v in parse_qs(request.body.decode("latin-1")).items()}
        problem = {"status": "BAD_REFRESH_TOKEN", "message": "missing or invalid refresh token"}
        if form.get("client_id") != "client-sandbox" or (
            form.get("client_secret") != "secret-sandbox"
        ):
            problem = {"status": "BAD_CLIENT_SECRET", "message": "missing or unknown client"}
        elif (
            form.get("grant_type") == "refresh_token"
            and form.get("refresh_token") == "refresh-sandbox"
        ):
            token = f"oauth-{self._next}"
            self._next += 1
            self._tokens[token] = now + LIFE
            return Reply.of(
                200,
                {
                    "access_token": token,
                    "refresh_token": "refresh-sandbox",
                    "expires_in": LIFE,
                    "token_type": "bearer",
                },
            )
        if dated:
            problem |= {
                "error": "invalid_grant",
                "error_description": "refresh token is invalid, expired or revoked",
            }
        return Reply.of(400, problem)

    # Records

    def _upsert(self, kind: str, body: dict[str, Any], now: float) -> Reply:
        inputs = inputs_of(body, 100)
        for one in inputs:
            only(one, {"id", "idProperty", "properties", "objectWriteTraceId"})
            if not isinstance(one.get("id"), str) or not flat(one.get("properties")):
                raise Bad("Invalid input JSON on line 1, column 12: Cannot deserialize value")
            key = one.get("idProperty", "")
            if key != "email" and not self._kinds[kind].get(key, {}).get("hasUniqueValue"):
                raise Bad(f"Property {key} is not a unique identifier property")
        ids = [one["id"].lower() for one in inputs]
        if len(set(ids)) < len(ids):
            twins = sorted({i for i in ids if ids.count(i) > 1})
            said = ", ".join(twins)
            raise Bad(f"Duplicate IDs found in batch input: [{said}]. IDs must be unique")
        traces = [one.get("objectWriteTraceId") for one in inputs]
        traced = all(isinstance(trace, str) and trace for trace in traces)
        if traced and len(set(traces)) < len(traces):
            raise Bad("objectWriteTraceId must be unique in a batch")
        faults: dict[int, Bad] = {}
        for place, one in enumerate(inputs):
            try:
                self._check(kind, one["properties"])
                self._match(kind, one["idProperty"], one["id"])
            except Bad as bad:
                if not traced:
                    raise
                faults[place] = bad
        results, errors = [], []
        for place, one in enumerate(inputs):
            if place in faults:
                fault = faults[place]
                errors.append(
                    {
                        "status": "error",
                        "category": fault.category,
                        "message": fault.message,
                        "context": {"objectWriteTraceId": [traces[place]]},
                        "links": {},
                        "errors": [],
                    }
                )
            elif one["id"] != "lost@example.org":
                results.append(self._write(kind, one, now))
        # Their order is not the order of the inputs.
        answer = batch(results[::-1], now)
        if errors:
            return Reply.of(207, {**answer, "numErrors": len(errors), "errors": errors})
        return Reply.of(200, answer)

    def _match(self, kind: str, key: str, id: str) -> str | None:  # noqa: A002 - their word
        """The record of this key. Raises Bad for an address that is another record's second."""
        for record, properties in self._records[kind].items():
            if properties.get(key, "").lower() == id.lower():
                return record
            if key == "email" and id.lower() in properties.get("hs_additional_emails", ""):
                said = f"Contact already exists. Existing ID: {record}"
                raise Bad(said, "CONFLICT", 409)
        return None

    def _write(self, kind: str, one: dict[str, Any], now: float) -> dict[str, Any]:
        known = self._match(kind, one["idProperty"], one["id"])
        record = known or str(self._next)
        if known is None:
            self._next += 1
            self._records[kind][record] = {one["idProperty"]: one["id"]}
        kept = self._store(kind, record, one["properties"])
        trace = one.get("objectWriteTraceId")
        what = "contact" if kind == "contacts" else "company"
        said = {"id": record, "properties": dict(one["properties"])}
        self.taken.append(Taken(trace, one["id"], what, said))
        result = {**record_of(record, kept, now), "new": known is None}
        return {**result, "objectWriteTraceId": trace} if trace else result

    def _store(self, kind: str, record: str, said: Mapping[str, str]) -> dict[str, str]:
        properties = self._records[kind][record]
        stages = [option["value"] for option in CONTACTS["lifecyclestage"]["options"]]
        for name, value in said.items():
            was = properties.get(name)
            if name == "lifecyclestage" and was in stages and value in stages:
                # Only forward; HubSpot answers well and keeps the old stage.
                value = stages[max(stages.index(was), stages.index(value))]
            properties[name] = str(value)
            if value == "":
                del properties[name]
        return properties

    def _update(self, kind: str, record: str, body: dict[str, Any], now: float) -> Reply:
        only(body, {"properties"})
        properties = body.get("properties")
        if record not in self._records[kind]:
            raise Bad("resource not found", "OBJECT_NOT_FOUND", 404)
        if not flat(properties):
            raise Bad("Invalid input JSON on line 1, column 12: Cannot deserialize value")
        if not properties:
            raise Bad("No properties found to update, please provide at least one.")
        self._check(kind, properties)
        kept = self._store(kind, record, properties)
        what = "contact" if kind == "contacts" else "company"
        who = kept.get("email", record)
        self.taken.append(Taken(None, who, what, {"id": record, "properties": properties}))
        return Reply.of(200, record_of(record, kept, now))

    def _read(self, kind: str, body: dict[str, Any], now: float) -> Reply:
        only(body, {"properties", "propertiesWithHistory", "idProperty", "inputs"})
        key = body.get("idProperty")
        results, missing = [], []
        for one in inputs_of(body, 100):
            only(one, {"id"})
            found = None
            for record, properties in self._records[kind].items():
                emails = f"{properties.get('email')};{properties.get('hs_additional_emails', '')}"
                own = emails.split(";") if key == "email" else [properties.get(str(key)), record]
                if one.get("id") in own:
                    found = record_of(record, properties, now)
            if found is not None:
                results.append(found)
            else:
                missing.append(str(one.get("id")))
        answer = batch(results, now)
        if not missing:
            return Reply.of(200, answer)
        error = Bad("Could not get some CONTACT objects", "OBJECT_NOT_FOUND")
        said = {**error.body(context={"ids": missing}), "links": {}, "errors": []}
        return Reply.of(207, {**answer, "numErrors": 1, "errors": [said]})

    def _associate(self, body: dict[str, Any], now: float) -> Reply:
        results, errors = [], []
        for one in inputs_of(body, 2_000):
            only(one, {"from", "to"})
            ends = [end.get("id") if isinstance(end, dict) else None for end in one.values()]
            if len(ends) != 2 or not all(isinstance(end, str) for end in ends):
                raise Bad("Invalid input JSON on line 1, column 12: Cannot deserialize value")
            start, to = one["from"]["id"], one["to"]["id"]
            if start not in self._records["contacts"] or to not in self._records["companies"]:
                gone = Bad("One end of the association does not exist", "OBJECT_NOT_FOUND")
                sub = "crm.associations.TO_OBJECT_NOT_FOUND"
                errors.append(gone.body(subCategory=sub, context={}, links={}, errors=[]))
                continue
            spec = {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 279}
            results.append({"from": {"id": start}, "to": {"id": to}, "associationSpec": spec})
            if (start, to) not in self._links:
                self._links.add((start, to))
                self.taken.append(Taken(None, start, "association", {"from": start, "to": to}))
        answer = batch(results, now)
        if errors:
            return Reply.of(207, {**answer, "numErrors": len(errors), "errors": errors})
        return Reply.of(200, answer)

    # Properties

    def _properties(self, kind: str) -> Reply:
        return Reply.of(200, {"results": list(self._kinds[kind].values())})

    def _create(self, kind: str, body: dict[str, Any], now: float) -> Reply:
        made = []
        for one in inputs_of(body, 100):
            name = one.get("name")
            if not isinstance(name, str) or not re.fullmatch(r"[a-z][a-z0-9_]*", name):
                raise Bad("Property names are lower case, and begin with a letter")
            if name in self._kinds[kind]:
                raise Bad(f"A property named '{name}' already exists.", "CONFLICT", 409)
            missing = {"label", "type", "fieldType", "groupName"} - one.keys()
            if missing:
                raise Bad(f"{min(missing)} is required")
            made.append({"description": "", "options": [], "hasUniqueValue": False, **one})
        self._kinds[kind] |= {entry["name"]: entry for entry in made}
        return Reply.of(201, batch(made, now))

    def _check(self, kind: str, properties: Mapping[str, Any]) -> None:
        """Raises Bad with the inner JSON that HubSpot writes into its message."""
        for name, value in properties.items():
            entry = self._kinds[kind].get(name)
            fault = fault_in(entry, name, str(value))
            if fault is not None:
                message, code = fault
                raise Bad(
                    'Property values were not valid: [{"isValid":false,"message":"'
                    f'{message}","error":"{code}","name":"{name}"}}]'
                )

    # Events

    def _definition(self, name: str) -> Reply:
        if name not in DEFINITIONS:
            return Reply.of(404, {"status": "error", "message": "resource not found"})
        entries = [
            {"name": n, "label": n, "type": t, "fieldType": "text", "groupName": "events"}
            for n, t in DEFINITIONS[name].items()
        ]
        said = {"name": name, "fullyQualifiedName": name, "properties": entries}
        return Reply.of(200, {**said, "id": name, "archived": False})

    def _send(self, body: dict[str, Any], now: float) -> Reply:
        del now
        return self._occurred([body])

    def _send_batch(self, body: dict[str, Any], now: float) -> Reply:
        del now
        only(body, {"inputs"})
        return self._occurred(inputs_of(body, 500))

    def _occurred(self, events: list[dict[str, Any]]) -> Reply:
        """All or none, and not a word about which."""
        for event in events:
            only(
                event,
                {"eventName", "email", "utk", "objectId", "occurredAt", "properties", "uuid"},
            )
            name, properties = event.get("eventName"), event.get("properties", {})
            if not isinstance(name, str) or name not in DEFINITIONS:
                raise Bad(f"Event with fully qualified name {name} does not exist")
            if not any(isinstance(event.get(w), str) for w in ("email", "utk", "objectId")):
                raise Bad("One of email, utk or objectId is required")
            if not flat(properties) or len(properties) > 50:
                raise Bad("Event properties must be at most 50 text values")
            for own in properties:
                if own not in DEFINITIONS[name]:
                    inner = f'{{"error":"PROPERTY_DOESNT_EXIST","name":"{own}"}}'
                    raise Bad(f"Property values were not valid: [{inner}]")
            if "email" in event and not EMAIL.fullmatch(event["email"]):
                raise Bad("INVALID_EMAIL: the e-mail address is not one")
            if "occurredAt" in event:
                moment(event["occurredAt"])
        for event in events:
            who = event.get("email") or event.get("objectId") or event.get("utk")
            self.taken.append(Taken(event.get("uuid"), str(who), event["eventName"], event))
        return Reply(204)
