"""Where HubSpot's calls live in each API version, and what a request for one looks like."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import Any, TypeVar
from urllib.parse import quote

from destinations.hubspot.settings import Settings
from destinations.spec import Account, Reply, Request, dumps

DATED: Mapping[str, str] = {
    "upsert": "/crm/objects/{v}/{kind}/batch/upsert",
    "read": "/crm/objects/{v}/{kind}/batch/read",
    "update": "/crm/objects/{v}/{kind}/{id}",
    "properties": "/crm/properties/{v}/{kind}",
    "create_properties": "/crm/properties/{v}/{kind}/batch/create",
    "associate": "/crm/associations/{v}/contacts/companies/batch/associate/default",
    "send": "/events/{v}/send/batch",
    "definition": "/events/{v}/event-definitions/{id}",
    "token": "/oauth/{v}/token",
}
"""Paths since March 2026: https://developers.hubspot.com/docs/api-reference/2026-03/overview."""

LEGACY: Mapping[str, str] = {
    "upsert": "/crm/v3/objects/{kind}/batch/upsert",
    "read": "/crm/v3/objects/{kind}/batch/read",
    "update": "/crm/v3/objects/{kind}/{id}",
    "properties": "/crm/v3/properties/{kind}",
    "create_properties": "/crm/v3/properties/{kind}/batch/create",
    "associate": "/crm/v4/associations/contacts/companies/batch/associate/default",
    "send": "/events/v3/send/batch",
    "definition": "/events/v3/event-definitions/{id}",
    "token": "/oauth/v1/token",
}
"""Paths by numbered version, which are unsupported after September 2027."""

Answer = TypeVar("Answer")
Part = Generator[Request, Reply, Answer]
"""A part of a talk: it asks, and brings home an answer, or the outcome that stands in the way."""

CATALOGUE_BYTES = 32_000_000
"""A property takes about a kilobyte in the list, and an account may have thousands of them."""


def url_of(settings: Settings, call: str, kind: str = "", id: str = "") -> str:  # noqa: A002
    """Where `call` lives in the version of the settings."""
    table = LEGACY if settings.api_version == "v3" else DATED
    path = table[call].format(v=settings.api_version, kind=kind, id=quote(id, safe=""))
    return settings.base_url.rstrip("/") + path


def get(account: Account[Settings], call: str, kind: str = "", id: str = "") -> Request:  # noqa: A002
    """A question about the account; its answer may be long."""
    settings = account.settings
    headers = {"Authorization": _bearer(account)}
    url = url_of(settings, call, kind, id)
    return Request("GET", url, headers, timeout=settings.timeout, max_reply=CATALOGUE_BYTES)


def post(account: Account[Settings], call: str, body: Any, kind: str = "") -> Request:
    """One call with a JSON body."""
    return _said(account, "POST", url_of(account.settings, call, kind), body)


def patch(account: Account[Settings], kind: str, id: str, body: Any) -> Request:  # noqa: A002
    """An update of one record."""
    return _said(account, "PATCH", url_of(account.settings, "update", kind, id), body)


def _said(account: Account[Settings], method: str, url: str, body: Any) -> Request:
    headers = {"Authorization": _bearer(account), "Content-Type": "application/json"}
    return Request(method, url, headers, dumps(body), account.settings.timeout)


def _bearer(account: Account[Settings]) -> str:
    static = account.settings.access_token
    return "Bearer " + (static.get_secret_value() if static else account.token)
