"""The shapes that the sandbox holds requests to: JSON:API documents, events, profiles, consent."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_PHONE = re.compile(r"\+[1-9]\d{6,14}")
_CURRENCY = re.compile(r"[A-Z]{3}")
_YEAR = 366 * 86_400.0

PROFILE: Mapping[str, int] = {
    "email": 0,
    "phone_number": 0,
    "external_id": 255,
    "_kx": 0,
    "first_name": 0,
    "last_name": 0,
    "organization": 0,
    "locale": 0,
    "title": 0,
    "image": 0,
}
"""The texts of a profile, and how long they may be; 0 is as long as any text."""

LOCATION = ("address1", "address2", "city", "country", "region", "zip", "timezone", "ip")
EVENT = ("metric", "properties", "time", "value", "value_currency", "unique_id", "backfill")


class Wrong(Exception):
    """A request that is refused, with its faults: status, detail, pointer."""

    def __init__(self, *faults: tuple[int, str, str]) -> None:
        super().__init__(faults)
        self.faults = faults


class Faults:
    """Faults as they are found, so that all are told at once."""

    def __init__(self) -> None:
        self.found: list[tuple[int, str, str]] = []

    def add(self, detail: str, pointer: str) -> None:
        self.found.append((400, detail, pointer))

    def check(self) -> None:
        """Raise what was found, if anything."""
        if self.found:
            raise Wrong(*self.found)


def is_json(media: str, any_type: bool = False) -> bool:
    """Whether a media type is one that the API speaks."""
    kinds = {one.partition(";")[0].strip() for one in media.lower().split(",")}
    spoken = {"application/vnd.api+json", "application/json"}
    return bool(kinds & (spoken | {"*/*", "application/*"} if any_type else spoken))


def document(said: Any) -> Any:
    """The `data` of a document."""
    if not isinstance(said, dict) or not isinstance(said.get("data"), dict):
        raise Wrong((400, "The `data` member is required.", "/data"))
    return said["data"]


def resource(data: Any, kind: str, at: str, more: Sequence[str] = ()) -> dict[str, Any]:
    """The attributes of a resource of that type."""
    if not isinstance(data, dict) or data.get("type") != kind:
        raise Wrong((400, f"The resource type must be '{kind}'.", f"{at}/type"))
    for name in data:
        if name not in ("type", "attributes", *more):
            raise Wrong((400, f"'{name}' is not a valid field for the resource '{kind}'.", at))
    attributes = data.get("attributes")
    if not isinstance(attributes, dict):
        raise Wrong((400, "The `attributes` member is required.", f"{at}/attributes"))
    return attributes


def items(attributes: Mapping[str, Any], name: str, at: str, most: int) -> list[Any]:
    """The list under `name.data`, of one to `most`."""
    held = attributes.get(name)
    found = held.get("data") if isinstance(held, dict) else None
    if not isinstance(found, list) or not found:
        raise Wrong((400, f"{name} is required.", f"{at}/{name}"))
    if len(found) > most:
        raise Wrong((400, f"A maximum of {most} is allowed.", f"{at}/{name}"))
    return found


def bulk(
    entries: Sequence[Any], at: str, now: float, faults: Faults
) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Each event of a bulk job with the attributes of its profile."""
    found = []
    for n, entry in enumerate(entries):
        here = f"{at}/{n}"
        try:
            attributes = resource(entry, "event-bulk-create", here)
            who = person(attributes.get("profile"), f"{here}/attributes/profile", faults)
            for k, one in enumerate(items(attributes, "events", f"{here}/attributes", 1_000)):
                there = f"{here}/attributes/events/data/{k}"
                told = resource(one, "event", there)
                event(told, f"{there}/attributes", now, 2001, faults)
                found.append((who, told))
        except Wrong as wrong:
            faults.found += wrong.faults
    return found


def event(
    said: Mapping[str, Any], at: str, now: float, since: int, faults: Faults, profile: bool = False
) -> None:
    """An event's attributes."""
    _known(said, (*EVENT, "profile") if profile else EVENT, "event", at, faults)
    if profile:
        person(said.get("profile"), f"{at}/profile", faults)
    name = _inner(said.get("metric"), "metric").get("name")
    if not isinstance(name, str) or not 0 < len(name) < 128:
        faults.add("The metric name must be a text below 128 characters.", f"{at}/metric")
    properties = said.get("properties")
    if not isinstance(properties, dict):
        faults.add("properties is required.", f"{at}/properties")
    elif len(properties) > 400:
        faults.add("An event has at most 400 properties.", f"{at}/properties")
    elif not _holds(properties):
        faults.add("A property is too long or too deep.", f"{at}/properties")
    if "time" in said:
        _time(said["time"], f"{at}/time", now, since, faults)
    value = said.get("value")
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
        faults.add("A valid number is required.", f"{at}/value")
    currency = said.get("value_currency")
    if currency is not None and not (isinstance(currency, str) and _CURRENCY.fullmatch(currency)):
        faults.add("An ISO 4217 code is required.", f"{at}/value_currency")
    for key, kind in (("unique_id", str), ("backfill", bool)):
        if said.get(key) is not None and not isinstance(said[key], kind):
            faults.add("Not a valid value.", f"{at}/{key}")


def person(said: Any, at: str, faults: Faults) -> dict[str, Any]:
    """The profile of an event, by at least one identifier."""
    attributes = _inner(said, "profile")
    profile(attributes, f"{at}/data/attributes", faults, anonymous=True)
    return attributes


def profile(
    said: Mapping[str, Any],
    at: str,
    faults: Faults,
    anonymous: bool = False,
    partial: bool = False,
) -> None:
    """A profile's attributes; only an event's profile may be anonymous."""
    texts = {**PROFILE, "anonymous_id": 0} if anonymous else PROFILE
    _known(said, (*texts, "location", "properties"), "profile", at, faults)
    names = ("email", "phone_number", "external_id", "_kx", "anonymous_id")
    if not partial and not any(said.get(name) for name in names):
        faults.add("One of email, phone_number, external_id, anonymous_id, _kx is required.", at)
    for name, most in texts.items():
        value = said.get(name)
        if value is not None and not (isinstance(value, str) and len(value) <= (most or 100_000)):
            faults.add("Not a valid string.", f"{at}/{name}")
    _address(said, at, faults)
    place = said.get("location")
    if place is not None and not isinstance(place, dict):
        faults.add("Not a valid object.", f"{at}/location")
    elif place:
        _known(place, (*LOCATION, "latitude", "longitude"), "location", f"{at}/location", faults)
    if not isinstance(said.get("properties", {}), dict | None):
        faults.add("Not a valid object.", f"{at}/properties")


def consent(
    job: Mapping[str, Any], people: Sequence[Any], wish: str, now: float, faults: Faults
) -> None:
    """The profiles of a subscription job."""
    create = wish == "SUBSCRIBED"
    known = ("profiles", "custom_source", "historical_import") if create else ("profiles",)
    _known(job, known, "profile-subscription-bulk-create-job", "/data/attributes", faults)
    for n, one in enumerate(people):
        at = f"/data/attributes/profiles/data/{n}"
        try:
            said = resource(one, "profile", at, ("id",))
        except Wrong as wrong:
            faults.found += wrong.faults
            continue
        at += "/attributes"
        _known(said, ("email", "phone_number", "subscriptions"), "profile", at, faults)
        _address(said, at, faults)
        channels = said.get("subscriptions")
        if not isinstance(channels, dict) or not channels:
            faults.add("subscriptions is required.", f"{at}/subscriptions")
            continue
        for channel, needs in (("email", "email"), ("sms", "phone_number")):
            if channel in channels:
                if not said.get(needs):
                    faults.add(f"{needs} is required for the {channel} channel.", f"{at}/{needs}")
                there = f"{at}/subscriptions/{channel}/marketing"
                _marketing(channels[channel], wish, job, there, now, faults)
        _known(channels, ("email", "sms"), "subscriptions", f"{at}/subscriptions", faults)


def list_of(data: Mapping[str, Any]) -> Any:
    """The id of the list that a job is about; None without one."""
    held = data.get("relationships")
    if held is None:
        return None
    one = held.get("list") if isinstance(held, dict) else None
    inner = one.get("data") if isinstance(one, dict) else None
    if not isinstance(inner, dict) or inner.get("type") != "list":
        raise Wrong((400, "list is required.", "/data/relationships/list"))
    return inner.get("id") or ""


def _marketing(
    channel: Any, wish: str, job: Mapping[str, Any], at: str, now: float, faults: Faults
) -> None:
    said = channel.get("marketing") if isinstance(channel, dict) else None
    if not isinstance(said, dict) or said.get("consent") != wish:
        faults.add(f"consent must be {wish}.", at)
        return
    given = said.get("consented_at")
    if job.get("historical_import") is True:
        if given is None:
            faults.add("consented_at is required for a historical import.", f"{at}/consented_at")
        elif not (isinstance(given, str) and (_moment(given) or now) < now):
            faults.add("consented_at must be in the past.", f"{at}/consented_at")
    elif given is not None:
        faults.add("consented_at is for historical imports only.", f"{at}/consented_at")


def _inner(said: Any, kind: str) -> dict[str, Any]:
    """The attributes of `{data: {type, attributes}}`; nothing where it has not that shape."""
    data = said.get("data") if isinstance(said, dict) else None
    if not isinstance(data, dict) or data.get("type") != kind:
        return {}
    attributes = data.get("attributes")
    return attributes if isinstance(attributes, dict) else {}


def _known(
    said: Mapping[str, Any], names: Sequence[str], kind: str, at: str, faults: Faults
) -> None:
    for name in said:
        if name not in names:
            faults.add(f"'{name}' is not a valid field for the resource '{kind}'.", at)


def _address(said: Mapping[str, Any], at: str, faults: Faults) -> None:
    email, phone = said.get("email"), said.get("phone_number")
    if email is not None and not (isinstance(email, str) and _EMAIL.fullmatch(email)):
        faults.add("Invalid email address.", f"{at}/email")
    if phone is not None and not (isinstance(phone, str) and _PHONE.fullmatch(phone)):
        detail = "Invalid phone number format (Example of a valid format: +12345678901)."
        faults.add(detail, f"{at}/phone_number")


def _time(said: Any, at: str, now: float, since: int, faults: Faults) -> None:
    moment = _moment(said)
    if moment is None:
        faults.add("Invalid datetime.", at)
    elif moment < datetime(since, 1, 1, tzinfo=UTC).timestamp():
        faults.add(f"The time must be after the year {since - (since > 1990)}.", at)
    elif moment > now + _YEAR:
        faults.add("The time is more than a year in the future.", at)


def _moment(said: Any) -> float | None:
    try:
        found = datetime.fromisoformat(said.replace("Z", "+00:00"))
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, AttributeError, OverflowError):
        return None


def _holds(value: Any, depth: int = 0) -> bool:
    """Texts of at most 100 KB, lists of at most 4,000, ten levels."""
    if isinstance(value, str):
        return len(value) <= 100_000
    if not isinstance(value, dict | list):
        return True
    inner = list(value.values()) if isinstance(value, dict) else value
    if depth > 10 or (isinstance(value, list) and len(value) > 4_000):
        return False
    return all(_holds(one, depth + 1) for one in inner)
