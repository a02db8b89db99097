"""What HubSpot's errors mean: one ordered table over status and markers, for replies and rows."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from destinations.hubspot.settings import Settings
from destinations.spec import (
    Account,
    Barred,
    Busy,
    Failed,
    Refused,
    Reply,
    Unreadable,
    by_status,
    retry_after,
    to_midnight,
)


@dataclass(frozen=True, slots=True)
class Rule:
    """The first rule whose status is the reply's and whose marker is in its words decides."""

    status: int
    marker: str
    word: Literal["barred", "busy", "failed", "refused"]
    code: str
    after: float = 0.0


# HTTP status alone never decides: the marker is looked for in category, subCategory, policyName,
# errorType and message, since HubSpot nests the telling code in the text of the message.
RULES: tuple[Rule, ...] = (
    Rule(400, "PROPERTY_DOESNT_EXIST", "refused", "unknown_property"),
    Rule(400, "INVALID_OPTION", "refused", "invalid_option"),
    Rule(400, "INVALID_EMAIL", "refused", "invalid_email"),
    Rule(400, "READ_ONLY_VALUE", "refused", "read_only_property"),
    Rule(400, "INVALID_DATE", "refused", "invalid_date"),
    Rule(400, "INVALID_INTEGER", "refused", "invalid_number"),
    Rule(400, "INVALID_DOUBLE", "refused", "invalid_number"),
    Rule(400, "INVALID_LONG", "refused", "invalid_number"),
    Rule(400, "Event with fully qualified name", "refused", "unknown_event_definition"),
    Rule(400, "Duplicate IDs found", "refused", "duplicate_ids"),
    Rule(400, "Invalid input JSON", "refused", "invalid_json"),
    Rule(400, "No properties found to update", "refused", "nothing_to_update"),
    Rule(400, "VALIDATION_ERROR", "refused", "validation_error"),
    Rule(401, "EXPIRED_AUTHENTICATION", "barred", "expired_authentication"),
    Rule(401, "", "barred", "invalid_authentication"),
    Rule(403, "MISSING_SCOPES", "barred", "missing_scopes"),
    Rule(409, "CONFLICT", "refused", "conflict"),
    Rule(423, "", "failed", "locked", after=2.0),
    Rule(429, "DAILY", "busy", "daily_limit"),
    Rule(429, "SECONDLY_ROLLING", "busy", "rate_limit", after=10.0),
    Rule(429, "SECONDLY", "busy", "rate_limit", after=1.0),
    Rule(429, "", "busy", "rate_limit", after=10.0),
    Rule(477, "", "busy", "account_migration", after=60.0),
)

# A 404 is about a record only where one was asked for by its id. From a batch it means that a path
# has gone (a version has ended, say), which bars: it must not bury a hundred events a time.
RECORD_RULES: tuple[Rule, ...] = (
    Rule(404, "OBJECT_NOT_FOUND", "refused", "object_not_found"),
    Rule(404, "resource not found", "refused", "object_not_found"),
)

_EXISTING = re.compile(r"Existing ID:\s*(\d+)")


def meaning(reply: Reply, account: Account[Settings]) -> Failed | Refused | Barred | Busy:
    """What a reply that is not good news means for all that was asked."""
    error = _error(reply)
    message = _message(error)
    rule = _rule(RULES, reply.status, _words(error))
    if rule is None:
        outcome = by_status(reply, account.now)
        if isinstance(outcome, Refused) and message:
            return Refused(outcome.code, message)
        return outcome
    match rule.word:
        case "refused":
            return Refused(rule.code, message)
        case "barred":
            # A static token does not get better by asking for another.
            return Barred(rule.code, message, reply.status == 401 and account.settings.renewable)
        case "failed":
            return Failed(rule.code, max(rule.after, retry_after(reply, account.now, 0.0)))
        case "busy":
            zone = account.settings.timezone
            day = to_midnight(zone, account.now) if zone else 3_600.0
            wait = day if rule.code == "daily_limit" else rule.after
            return Busy(retry_after(reply, account.now, wait), rule.code)


def record_meaning(reply: Reply, account: Account[Settings]) -> Failed | Refused | Barred | Busy:
    """What a reply that is not good news means where records were named by their ids."""
    outcome = meaning(reply, account)
    if isinstance(outcome, Barred) and reply.status == 404:
        error = _error(reply)
        rule = _rule(RECORD_RULES, 404, _words(error))
        return outcome if rule is None else Refused(rule.code, _message(error))
    return outcome


def row_meaning(error: Mapping[str, Any]) -> Failed | Refused:
    """What one entry of a 207's `errors` means for its row.

    It carries no status: the markers of refusals decide. What is no known refusal is tried again.
    """
    words = _words(error)
    for rule in (*RULES, *RECORD_RULES):
        if rule.word == "refused" and rule.marker in words:
            return Refused(rule.code, _message(error), named=True)
    return Failed("row_error")


def existing_id(refused: Refused) -> str | None:
    """The record that a conflict names: it is to be updated instead."""
    found = _EXISTING.search(refused.reason) if refused.code == "conflict" else None
    return found[1] if found else None


def _rule(rules: tuple[Rule, ...], status: int, words: str) -> Rule | None:
    return next((r for r in rules if r.status == status and r.marker in words), None)


def _error(reply: Reply) -> dict[str, Any]:
    try:
        return reply.object()
    except Unreadable:
        return {}


def _words(error: Mapping[str, Any]) -> str:
    keys = ("category", "subCategory", "policyName", "errorType", "message")
    found = [error.get(key) for key in keys]
    errors = error.get("errors")
    if isinstance(errors, list):
        # In some bodies only an inner error says which property it was.
        found += [e.get(key) for e in errors if isinstance(e, Mapping) for key in (*keys, "code")]
    return "\n".join(word for word in found if isinstance(word, str))


def _message(error: Mapping[str, Any]) -> str:
    message = error.get("message")
    return message if isinstance(message, str) else ""
