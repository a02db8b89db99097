"""HubSpot's properties: their names, the text that values become, and what an account has."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from destinations.spec import Reply, Unfit, Unreadable, dumps, forms

_ODD = re.compile(r"[^a-z0-9_]")
_HUMP = re.compile(r"([a-z0-9])([A-Z])")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
NAME = re.compile(r"[a-z][a-z0-9_]{0,99}")
"""A name that a property may be created under."""

MILLISECONDS = 1e11
"""A number from here on counts milliseconds: as seconds it would be the year 5138."""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The properties of one kind of object: each name's type, which are unique, and as of when."""

    types: Mapping[str, str]
    unique: frozenset[str]
    at: float


def catalogue_of(reply: Reply, key: str, now: float) -> Catalogue:
    """The catalogue that a reply lists under `key`. Raises Unreadable."""
    listed = reply.object().get(key)
    if not isinstance(listed, list):
        raise Unreadable("the reply lists no properties")
    found = [p for p in listed if isinstance(p, dict) and isinstance(p.get("name"), str)]
    return Catalogue(
        {p["name"]: str(p.get("type", "")) for p in found},
        frozenset(p["name"] for p in found if p.get("hasUniqueValue") is True),
        now,
    )


def name_of(said: str, catalogue: Catalogue | None = None) -> str:
    """`planName` and `Plan Name` as HubSpot may have them: `planname` and `plan_name`.

    Where the account has no `planname` but has `plan_name`, that one is meant. HubSpot does not
    normalise on the wire: `planName` would be an unknown property.
    """
    name = _ODD.sub("_", said.strip().lower())[:100]
    if catalogue is not None and name not in catalogue.types:
        snake = _snake(said)
        return snake if snake in catalogue.types else name
    return name


def _snake(said: str) -> str:
    return _ODD.sub("_", _HUMP.sub(r"\1_\2", said.strip()).lower())[:100]


def value_of(value: Any, type: str = "") -> str:  # noqa: A002 - HubSpot's word
    """The text that a value is on the wire, for a property of `type`."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if type == "date":
        return _day(value)
    if isinstance(value, int | float):
        if type == "datetime":
            return str(int(value if abs(value) >= MILLISECONDS else value * 1000))
        whole = isinstance(value, float) and value.is_integer() and abs(value) < 1e15
        return str(int(value)) if whole else str(value)
    if isinstance(value, str):
        return value
    if isinstance(value, list) and not any(isinstance(v, dict | list) for v in value):
        # What a property of several checkboxes is made of.
        return ";".join(value_of(v) for v in value if v is not None)
    return dumps(value).decode()


def _day(value: Any) -> str:
    """A date property takes UTC midnight or a plain date; the date as it is written is meant."""
    if isinstance(value, int | float):
        seconds = value / 1000 if abs(value) >= MILLISECONDS else value
        try:
            return datetime.fromtimestamp(seconds, UTC).date().isoformat()
        except (ValueError, OverflowError, OSError):
            return value_of(value)
    if isinstance(value, str) and _DAY.match(value.strip()):
        return value.strip()[:10]
    return value_of(value)


def address(value: Any) -> str:
    """An e-mail address, trimmed and in lower case; whether it is one is theirs to say."""
    return forms.text(value).lower()


def others(mapped: frozenset[str] = frozenset()) -> Callable[[Any], dict[str, Any]]:
    """All of an object but what is `mapped` already, by its names in snake case, and what is empty.

    To HubSpot, an empty value would mean to clear the property.
    """

    def form(value: Any) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise Unfit("is no object")
        return {
            name: inner
            for name, inner in value.items()
            if inner is not None and inner not in ("", [], {}) and _snake(name) not in mapped
        }

    return form


def sorted_out(
    said: Mapping[str, Any], catalogue: Catalogue | None
) -> tuple[dict[str, str], list[str]]:
    """The properties as text, and the names of those that the account does not have."""
    named: dict[str, Any] = {}
    for key, value in said.items():
        name = name_of(key, catalogue)
        if name == key or name not in said:  # who spells it as HubSpot does is right
            named[name] = value
    if catalogue is None:
        return {name: value_of(value) for name, value in named.items()}, []
    types = catalogue.types
    known = {name: value_of(v, types[name]) for name, v in named.items() if name in types}
    return known, sorted(name for name in named if name not in types)
