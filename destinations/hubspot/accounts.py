"""What the practice account holds from the start, and the faults that its odd tokens bring."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from destinations.spec import Reply


def _entry(
    name: str,
    type: str = "string",  # noqa: A002 - HubSpot's word
    *,
    unique: bool = False,
    options: tuple[str, ...] = (),
    **more: Any,
) -> dict[str, Any]:
    field = {"string": "text", "enumeration": "select", "bool": "booleancheckbox"}.get(type, type)
    return {
        "name": name,
        "label": name,
        "type": type,
        "fieldType": field,
        "description": "",
        "groupName": "contactinformation",
        "options": [
            {"label": value, "value": value, "displayOrder": place, "hidden": False}
            for place, value in enumerate(options)
        ],
        "hasUniqueValue": unique,
        **more,
    }


STAGES = ("subscriber", "lead", "marketingqualifiedlead", "opportunity", "customer")
TEXT = ("phone", "website", "address", "city", "state", "zip", "country")

CONTACTS: Mapping[str, Mapping[str, Any]] = {
    entry["name"]: entry
    for entry in (
        *(_entry(name) for name in TEXT),
        *(_entry(name) for name in ("firstname", "lastname", "jobtitle", "company", "gender")),
        *(_entry(name) for name in ("email", "date_of_birth", "hs_additional_emails", "plan")),
        _entry("segment_user_id", unique=True),
        _entry("lifecyclestage", "enumeration", options=STAGES),
        _entry("interests", "enumeration", options=("tea", "coffee", "milk")),
        _entry("newsletter", "bool"),
        _entry("logins", "number"),
        _entry("trial_ends", "date"),
        _entry("last_seen", "datetime"),
        _entry("hs_object_id", "number", modificationMetadata={"readOnlyValue": True}),
        _entry("favourite_colour", deleted=True),
    )
}

COMPANIES: Mapping[str, Mapping[str, Any]] = {
    entry["name"]: entry
    for entry in (
        *(_entry(name) for name in TEXT),
        *(_entry(name) for name in ("name", "domain", "description", "plan")),
        _entry("segment_group_id", unique=True),
        _entry("industry", "enumeration", options=("RETAIL", "BANKING")),
        _entry("numberofemployees", "number"),
        _entry("lifecyclestage", "enumeration", options=STAGES),
    )
}

DEFINITIONS: Mapping[str, Mapping[str, str]] = {
    "pe123_order_completed": {
        "order_id": "string",
        "total": "number",
        "currency": "string",
        "products": "string",
    },
    "pe123_page_seen": {"url": "string", "title": "string"},
}


def _limit(policy: str, words: str) -> dict[str, str]:
    return {
        "status": "error",
        "message": f"You have reached your {words} limit.",
        "errorType": "RATE_LIMIT",
        "policyName": policy,
        "correlationId": "c1",
        "requestId": "r1",
    }


def _error(category: str, message: str, **more: Any) -> dict[str, Any]:
    said = {"status": "error", "message": message, "correlationId": "c1", "category": category}
    return {**said, **more}


_SCOPES = _error(
    "MISSING_SCOPES",
    "This app hasn't been granted all required scopes to make this call.",
    errors=[
        {
            "message": "One or more of the following scopes are required.",
            "context": {"requiredGranularScopes": ["crm.objects.contacts.write"]},
        }
    ],
)
_OLD_LIMIT = _error("RATE-LIMIT_REACHED", "You have reached your secondly limit.")
_MIGRATING = _error("MIGRATION_IN_PROGRESS", "This account is being moved.")

FAULTS: Mapping[str, Reply] = {
    "no-scopes": Reply.of(403, _SCOPES),
    "ten-secondly": Reply.of(429, _limit("TEN_SECONDLY_ROLLING", "ten_secondly_rolling")),
    "daily": Reply.of(429, _limit("DAILY", "daily")),
    "old-limit": Reply.of(429, _OLD_LIMIT),
    "locked": Reply.of(423, _error("LOCKED", "The account is locked for a moment.")),
    "migrating": Reply.of(477, _MIGRATING, retry_after="43200"),
    "broken": Reply.of(502, {"status": "error", "message": "bad gateway"}),
}


def fault_of(token: str, ends: float | None, now: float) -> Reply | None:
    """What a token brings instead of an answer; None for one that is good until `ends`."""
    if token in FAULTS:
        return FAULTS[token]
    if token == "expired" or (ends is not None and ends <= now):  # noqa: S105 - to practise with
        ago = int(now - ends) if ends is not None else 60
        words = f"The OAuth token used to make this call expired {ago} second(s) ago."
        return Reply.of(401, _error("EXPIRED_AUTHENTICATION", words))
    if ends is None:
        words = "Authentication credentials not found. This API supports OAuth 2.0 authentication"
        return Reply.of(401, _error("INVALID_AUTHENTICATION", words))
    return None
