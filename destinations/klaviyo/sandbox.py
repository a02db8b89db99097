"""A Klaviyo to practise on: one account with two people, a list, limits and all the errors.

Keys: `pk_practice` opens all; `pk_readonly` has no scope to write (403); `pk_cloudflare` is
stopped on the way (403 in HTML); `pk_flaky` is refused (401) every other time; `pk_busy` is always
throttled (429) and `pk_broken` always met by a 500; any other is unknown (401). OAuth: `Bearer
practice`, and what `/oauth/token` gives the app `client-practice` / `secret-practice` for an hour,
when it is asked with the refresh token `refresh-practice`. People: `one@example.com` is `one` with
+491700000001, `two@example.com` is `two` with +491700000002. An import of `race@example.com` meets
another import of the same person (409, once). The list is `XyZ123`. A revision lives for two years;
later it is 410, if falling forward is opted out of. Limits are counted in fixed windows for each
endpoint.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

from destinations.klaviyo import shapes
from destinations.klaviyo.shapes import Faults, Wrong
from destinations.spec import Reply, Request, Taken, Unreadable

LIST = "XyZ123"
OAUTH_LIFE = 3_600
"""Seconds that an access token lasts."""

KEYS = ("pk_practice", "pk_readonly", "pk_cloudflare", "pk_flaky", "pk_busy", "pk_broken")
LIFE = 2 * 365.25 * 86_400.0
"""Seconds for which a revision is served: a year stable, a year deprecated."""

_CLIENT = base64.b64encode(b"client-practice:secret-practice").decode()
_PROFILE_PATH = re.compile(r"/api/profiles/([A-Za-z0-9_-]{1,64})")
_REVISION = re.compile(r"\d{4}-\d{2}-\d{2}(\.[a-z0-9-]+)?")
_XL, _L, _M = (350, 3_500), (75, 750), (10, 150)
_IDENTIFIERS = ("email", "phone_number", "external_id", "anonymous_id", "_kx")


class Sandbox:
    """The account."""

    def __init__(self) -> None:
        self.taken: list[Taken] = []
        self._profiles: dict[str, dict[str, Any]] = {}
        self._holders: dict[tuple[str, str], str] = {}
        self._events: set[tuple[str, str, str]] = set()
        self._counts: dict[tuple[str, int], tuple[int, int]] = {}
        self._tokens = {"practice": float("inf")}
        self._flaked = False
        self._hold("01ONE", _seed("one", "+491700000001"))
        self._hold("01TWO", _seed("two", "+491700000002"))

    def answer(self, request: Request, now: float) -> Reply:
        path = _path(request.url)
        if path == "/oauth/token":
            return self._token(request, now)
        patched = _PROFILE_PATH.fullmatch(path)
        place = "/api/profiles/{id}" if patched else path
        refused = self._door(request, now)
        if refused is not None:
            return refused
        if place not in _ENDPOINTS:
            return _error(404, "not_found", f"The path {path} could not be found.")
        method, limits, most, take = _ENDPOINTS[place]
        if request.method != method:
            return _error(405, "method_not_allowed", f'Method "{request.method}" not allowed.')
        headers, wait = self._count(place, limits, now)
        key = request.headers.get("authorization", "").partition(" ")[2]
        if wait or key == "pk_busy":
            return _throttled(wait or 3)
        if len(request.body) > most:
            return _error(413, "payload_too_large", "The request is too large.", headers=headers)
        try:
            data = shapes.document(request.json())
            reply = take(self, data, patched[1] if patched else "", now)
        except Unreadable:
            reply = _error(400, "invalid", "The payload provided in the request is not valid JSON.")
        except Wrong as wrong:
            reply = _errors(wrong)
        return Reply(reply.status, {**reply.headers, **headers}, reply.body)

    def _door(self, request: Request, now: float) -> Reply | None:
        """What is asked of every request before it is read."""
        said = request.headers
        scheme, _, key = said.get("authorization", "").partition(" ")
        if not key:
            return _error(401, "not_authenticated", "Authentication credentials were not provided.")
        if key == "pk_cloudflare":
            page = b"<!DOCTYPE html><html><title>Just a moment...</title></html>"
            return Reply(403, {"content-type": "text/html", "cf-mitigated": "challenge"}, page)
        if key == "pk_flaky":
            self._flaked = not self._flaked
        good = scheme == "Klaviyo-API-Key" and key in KEYS
        good |= scheme == "Bearer" and now < self._tokens.get(key, 0.0)
        if not good or (key == "pk_flaky" and self._flaked):
            return _error(401, "authentication_failed", "Incorrect authentication credentials.")
        if key == "pk_readonly":
            return _error(
                403, "permission_denied", "You do not have permission to perform this action."
            )
        if key == "pk_broken":
            return _error(500, "error", "A server error occurred.")
        revision = said.get("revision", "")
        if not _REVISION.fullmatch(revision):
            return _error(400, "invalid", "A valid revision header is required.")
        opted_out = said.get("x-klaviyo-revision-fall-forward-opt-out") == "1"
        if opted_out and not _lives(revision, now):
            return _error(410, "gone", f"The revision {revision} is retired.")
        if not shapes.is_json(said.get("content-type", "")):
            return _error(415, "unsupported_media_type", "Unsupported media type in request.")
        if not shapes.is_json(said.get("accept", "*/*"), any_type=True):
            return _error(406, "not_acceptable", "Could not satisfy the request Accept header.")
        return None

    def _token(self, request: Request, now: float) -> Reply:
        """OAuth's own words, which are not JSON:API."""
        scheme, _, client = request.headers.get("authorization", "").partition(" ")
        if scheme != "Basic" or client != _CLIENT:
            return Reply.of(401, {"error": "invalid_client"})
        form = parse_qs(request.body.decode("latin-1"))
        grant = {"grant_type": ["refresh_token"], "refresh_token": ["refresh-practice"]}
        if request.method != "POST" or form != grant:
            return Reply.of(400, {"error": "invalid_grant", "error_description": "Unknown grant."})
        token = f"practice-{len(self._tokens)}"
        self._tokens[token] = now + OAUTH_LIFE
        said = {"token_type": "bearer", "expires_in": OAUTH_LIFE, "scope": "events:write"}
        return Reply.of(200, {"access_token": token, "refresh_token": "refresh-practice", **said})

    def _count(self, place: str, limits: tuple[int, int], now: float) -> tuple[dict[str, str], int]:
        """The headers of the steady window, and the seconds to wait when a window is full."""
        wait, headers = 0, {}
        for limit, seconds in zip(limits, (1, 60), strict=True):
            window = int(now // seconds)
            before, count = self._counts.get((place, seconds), (window, 0))
            count = count + 1 if before == window else 1
            self._counts[place, seconds] = (window, count)
            left = seconds - int(now % seconds)
            if count > limit:
                wait = max(wait, left)
            headers = {
                "ratelimit-limit": str(limit),
                "ratelimit-remaining": str(max(0, limit - count)),
                "ratelimit-reset": str(left),
            }
        return headers, wait

    # What each endpoint takes

    def _event(self, data: Any, _: str, now: float) -> Reply:
        attributes = shapes.resource(data, "event", "/data")
        faults = Faults()
        shapes.event(attributes, "/data/attributes", now, 1990, faults, profile=True)
        faults.check()
        self._keep(attributes, attributes["profile"]["data"]["attributes"])
        return Reply(202)

    def _events_in_bulk(self, data: Any, _: str, now: float) -> Reply:
        job = shapes.resource(data, "event-bulk-create-job", "/data")
        top = "/data/attributes/events-bulk-create"
        entries = shapes.items(job, "events-bulk-create", "/data/attributes", 1_000)
        faults = Faults()
        found = shapes.bulk(entries, f"{top}/data", now, faults)
        faults.check()
        if len(found) > 1_000:
            raise Wrong((400, "A maximum of 1000 events is allowed.", top))
        told = [(self._key(who), e["metric"]["data"]["attributes"]["name"], e) for who, e in found]
        ids = [(key, name, e["unique_id"]) for key, name, e in told if e.get("unique_id")]
        if len(set(ids)) < len(ids):
            raise Wrong((400, "A unique_id is repeated for the same profile and metric.", top))
        for who, event in found:
            self._keep(event, who)
        return Reply(202)

    def _import(self, data: Any, _: str, _now: float) -> Reply:
        attributes = shapes.resource(data, "profile", "/data", ("id", "meta"))
        faults = Faults()
        shapes.profile(attributes, "/data/attributes", faults)
        faults.check()
        matches = self._matches(attributes)
        if attributes.get("email") == "race@example.com" and not matches:
            self._hold("01RACE", {"email": "race@example.com"})
            return _duplicate("01RACE")
        if len(matches) > 1:
            return _duplicate(matches[1])
        there = matches[0] if matches else f"01NEW{len(self._profiles)}"
        return self._write(there, attributes, 200 if matches else 201)

    def _patch(self, data: Any, there: str, _now: float) -> Reply:
        attributes = shapes.resource(data, "profile", "/data", ("id", "meta"))
        if data.get("id") != there:
            raise Wrong((400, "The id does not match the path.", "/data/id"))
        faults = Faults()
        shapes.profile(attributes, "/data/attributes", faults, partial=True)
        faults.check()
        if there not in self._profiles:
            return _error(404, "not_found", f"A profile with id {there} does not exist.")
        others = [other for other in self._matches(attributes) if other != there]
        return _duplicate(others[0]) if others else self._write(there, attributes, 200)

    def _subscribe(self, data: Any, _: str, now: float) -> Reply:
        return self._consent(data, "SUBSCRIBED", 1_000, now)

    def _unsubscribe(self, data: Any, _: str, now: float) -> Reply:
        return self._consent(data, "UNSUBSCRIBED", 100, now)

    def _consent(self, data: Any, wish: str, most: int, now: float) -> Reply:
        verb = "create" if wish == "SUBSCRIBED" else "delete"
        kind = f"profile-subscription-bulk-{verb}-job"
        job = shapes.resource(data, kind, "/data", ("relationships",))
        people = shapes.items(job, "profiles", "/data/attributes", most)
        faults = Faults()
        shapes.consent(job, people, wish, now, faults)
        faults.check()
        list_id = shapes.list_of(data)
        if list_id not in (None, LIST):
            return _error(
                404,
                "not_found",
                f"A list with id {list_id} does not exist.",
                "/data/relationships/list/data/id",
            )
        for one in people:
            said = one["attributes"]
            who = said.get("email") or said.get("phone_number")
            what = "subscribe" if wish == "SUBSCRIBED" else "unsubscribe"
            self.taken.append(Taken(None, who, what, {**said, "list": list_id}))
        return Reply(202)

    # What it remembers

    def _matches(self, said: Mapping[str, Any]) -> list[str]:
        """The profiles that hold one of the identifiers, the strongest first."""
        held = (self._holders.get((name, said.get(name) or "")) for name in _IDENTIFIERS)
        return list(dict.fromkeys(key for key in held if key is not None))

    def _hold(self, key: str, said: Mapping[str, Any]) -> dict[str, Any]:
        """The profile, holding these identifiers from now on."""
        profile = self._profiles.setdefault(key, {})
        for name in _IDENTIFIERS:
            if said.get(name):
                profile[name] = said[name]
                self._holders[name, said[name]] = key
        return profile

    def _key(self, who: Mapping[str, Any]) -> str:
        """The profile of an event, or what a new one would be told by."""
        matches = self._matches(who)
        return matches[0] if matches else next(f"{n}={who[n]}" for n in _IDENTIFIERS if who.get(n))

    def _keep(self, event: Mapping[str, Any], who: Mapping[str, Any]) -> None:
        """Take an event, unless its unique_id was seen with this person and metric."""
        matches = self._matches(who)
        key = matches[0] if matches else f"01NEW{len(self._profiles)}"
        self._hold(key, who)
        name = event["metric"]["data"]["attributes"]["name"]
        identity = event.get("unique_id")
        seen = (key, name, identity or str(event.get("time"))[:19])
        if seen not in self._events:
            self._events.add(seen)
            self.taken.append(Taken(identity, _who(who), name, event))

    def _write(self, key: str, attributes: Mapping[str, Any], status: int) -> Reply:
        profile = self._hold(key, attributes)
        properties = {**profile.get("properties", {}), **(attributes.get("properties") or {})}
        profile.update(attributes)
        profile["properties"] = properties
        self.taken.append(Taken(None, _who(attributes) or key, "profile", dict(attributes)))
        links = {"self": f"https://a.klaviyo.com/api/profiles/{key}/"}
        data = {"type": "profile", "id": key, "attributes": profile, "links": links}
        return Reply.of(status, {"data": data, "links": links})


_Take = Callable[[Sandbox, Any, str, float], Reply]
_ENDPOINTS: Mapping[str, tuple[str, tuple[int, int], int, _Take]] = {
    "/api/events": ("POST", _XL, 5_000_000, Sandbox._event),
    "/api/event-bulk-create-jobs": ("POST", _M, 5_000_000, Sandbox._events_in_bulk),
    "/api/profile-import": ("POST", _L, 100_000, Sandbox._import),
    "/api/profiles/{id}": ("PATCH", _L, 100_000, Sandbox._patch),
    "/api/profile-subscription-bulk-create-jobs": ("POST", _L, 5_000_000, Sandbox._subscribe),
    "/api/profile-subscription-bulk-delete-jobs": ("POST", _L, 5_000_000, Sandbox._unsubscribe),
}


def _path(url: str) -> str:
    try:
        return urlsplit(url).path.rstrip("/")
    except ValueError:
        return ""


def _seed(name: str, phone: str) -> dict[str, Any]:
    return {"email": f"{name}@example.com", "external_id": name, "phone_number": phone}


def _who(said: Mapping[str, Any]) -> str:
    named = ("external_id", "email", "phone_number", "anonymous_id", "_kx")
    return next((str(said[name]) for name in named if said.get(name)), "")


def _lives(revision: str, now: float) -> bool:
    try:
        born = datetime.fromisoformat(revision[:10]).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return False
    return born <= now < born + LIFE


def _one(status: int, code: str, detail: str, pointer: str, meta: object) -> dict[str, Any]:
    return {
        "id": "f1a7c0de-0000-4000-8000-000000000000",
        "status": status,
        "code": code,
        "title": _TITLES.get(code, "Error."),
        "detail": detail,
        "source": {"pointer": pointer},
        "links": {},
        "meta": meta,
    }


_TITLES: Mapping[str, str] = {
    "invalid": "Invalid input.",
    "not_authenticated": "Authentication credentials were not provided.",
    "authentication_failed": "Incorrect authentication credentials.",
    "permission_denied": "You do not have permission to perform this action.",
    "not_found": "Not found.",
    "duplicate_profile": "Conflict.",
    "throttled": "Request was throttled.",
}


def _error(
    status: int,
    code: str,
    detail: str,
    pointer: str = "/data/",
    meta: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Reply:
    reply = Reply.of(status, {"errors": [_one(status, code, detail, pointer, meta or {})]})
    said = {"content-type": "application/vnd.api+json", **(headers or {})}
    return Reply(status, said, reply.body)


def _errors(wrong: Wrong) -> Reply:
    found = [_one(status, "invalid", detail, at, {}) for status, detail, at in wrong.faults]
    said = {"content-type": "application/vnd.api+json"}
    return Reply(found[0]["status"], said, Reply.of(400, {"errors": found}).body)


def _duplicate(there: str) -> Reply:
    detail = "A profile already exists with one of these identifiers."
    meta = {"duplicate_profile_id": there}
    return _error(409, "duplicate_profile", detail, "/data/attributes", meta)


def _throttled(seconds: int) -> Reply:
    unit = "second" if seconds == 1 else "seconds"
    detail = f"Request was throttled. Expected available in {seconds} {unit}."
    return _error(429, "throttled", detail, headers={"retry-after": str(seconds)})
