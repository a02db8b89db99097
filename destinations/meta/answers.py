"""What Meta's answers mean: by the codes in the body, never by the HTTP status."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import orjson

from destinations.spec import (
    Barred,
    Busy,
    Delivered,
    Failed,
    Heard,
    Outcome,
    Refused,
    Reply,
    Unreadable,
    all_rows,
    by_status,
    retry_after,
)

THROTTLED = frozenset({4, 17, 32, 613, *range(80_000, 80_015)})
"""The app's, the user's, the ad account's and the business use case's limits."""

FAILED = MappingProxyType(
    {
        1: "unknown_error",
        2: "service_down",
        341: "app_limit",
        368: "temporarily_blocked",
        5000: "temporarily_down",
        21009: "dataset_not_ready",
    }
)
"""Codes that pass by themselves."""

BARRED = MappingProxyType(
    {
        3: "capability",
        10: "permission",
        102: "token_dead",
        104: "token_missing",
        190: "token_dead",
        803: "unknown_dataset",
        2500: "token_missing",
        **dict.fromkeys(range(200, 300), "permission"),
    }
)
"""Codes that a person has to do something about. There is no way to renew a token."""

TOKEN = MappingProxyType(
    {
        458: "app_removed",
        460: "password_changed",
        463: "token_expired",
        467: "token_invalid",
        492: "session_ended",
    }
)
"""Subcodes of 190 and 102: why the token is dead."""

REFUSED = MappingProxyType(
    {
        2804003: "expired",
        2804009: "purchase_without_value",
        2804016: "not_hashed",
        2804050: "not_enough_customer_information",
        2804066: "event_name_not_allowed",
    }
)
"""Subcodes of 100 that we know; all other 2804xxx are `invalid_event`, and the rest of 100 is
`invalid_parameter`."""

USAGE = ("x-business-use-case-usage", "x-app-usage", "x-ad-account-usage")
SLOW_AT, FULL_AT = 75.0, 100.0
SLOW_SECONDS, FULL_SECONDS = 10.0, 60.0
MOST_SECONDS = 86_400.0

_PLACE = re.compile(r"data\[(\d{1,4})\]")


def outcomes(
    reply: Reply, rows: Sequence[object], version: str, now: float, throttled: float
) -> list[Outcome]:
    """One outcome per row. Meta takes all of a request or nothing of it."""
    try:
        said = reply.object()
    except Unreadable:
        return all_rows(_unread(reply, now), rows)
    if not reply.ok or "error" in said:
        error = said.get("error")
        if not isinstance(error, dict) or not _is_code(error.get("code")):
            return all_rows(_unread(reply, now), rows)
        found = meaning(error, reply, now, throttled)
        if isinstance(found, Refused) and (culprits := _named(error, len(rows))):
            culprit = replace(found, named=True)
            return [culprit if n in culprits else Busy(0) for n in range(len(rows))]
        return all_rows(found, rows)
    received = said.get("events_received")
    if not _is_code(received):
        return all_rows(Failed("unreadable_reply"), rows)
    if received != len(rows):
        return all_rows(Failed("events_received_differ"), rows)
    return all_rows(Delivered(_note(reply, said, version)), rows)


def meaning(error: Mapping[str, Any], reply: Reply, now: float, throttled: float) -> Outcome:
    """What the `error` object of an answer means."""
    code = error["code"]
    subcode = error["error_subcode"] if _is_code(error.get("error_subcode")) else 0
    reason = _sentence(error)
    if code in THROTTLED:
        wait = _usage(reply)[1] or retry_after(reply, now, throttled)
        return Busy(wait, "throttled")
    if code in BARRED:
        label = BARRED[code]
        return Barred(TOKEN.get(subcode, label) if label == "token_dead" else label, reason)
    if code in FAILED:
        return Failed(FAILED[code])
    if error.get("is_transient") is True:
        return Failed("transient")
    if code != 100:
        return Busy(retry_after(reply, now, throttled)) if reply.status == 429 else _unknown(reply)
    if subcode == 33:
        return Barred("unknown_dataset", reason)
    # Not in Meta's tables, but in its words: a wrong proof is a 100 without a subcode, and would
    # otherwise bury every event for a mistake in the settings.
    if "appsecret_proof" in reason:
        return Barred("appsecret_proof", reason)
    if 2_804_000 <= subcode < 2_805_000:
        return Refused(REFUSED.get(subcode, "invalid_event"), reason)
    return Refused("invalid_parameter", reason)


def hint(reply: Reply, now: float) -> Heard:
    """The usage headers: from 75 percent on pauses that grow, at 100 none before we may come."""
    del now
    percent, regain = _usage(reply)
    if percent >= FULL_AT:
        return Heard(hold=regain or FULL_SECONDS)
    return Heard(hold=max(0.0, (percent - SLOW_AT) / (FULL_AT - SLOW_AT)) * SLOW_SECONDS)


def _usage(reply: Reply) -> tuple[float, float]:
    """The fullest of all limits in percent, and in how many seconds we may come again."""
    percent = minutes = 0.0
    for header in USAGE:
        if header not in reply.headers:
            continue
        try:
            said = orjson.loads(reply.headers[header])
        except orjson.JSONDecodeError:
            continue
        for usage in _flat(said):
            for key, value in usage.items():
                if isinstance(value, bool) or not isinstance(value, int | float):
                    continue
                if key == "estimated_time_to_regain_access":
                    minutes = max(minutes, value)
                elif key in ("call_count", "total_cputime", "total_time", "acc_id_util_pct"):
                    percent = max(percent, value)
    return percent, min(minutes * 60.0, MOST_SECONDS)


def _flat(said: Any) -> list[dict[str, Any]]:
    """The usages in a header: the object itself, or the lists of objects under each business."""
    if not isinstance(said, dict):
        return []
    lists = (value for value in said.values() if isinstance(value, list))
    return [said, *(one for many in lists for one in many if isinstance(one, dict))]


def _named(error: Mapping[str, Any], rows: int) -> frozenset[int]:
    """The rows that the error names as `data[i]`; none if it names one that we did not send."""
    texts = (error.get(key) for key in ("message", "error_user_msg", "error_user_title"))
    places = {int(n) for text in texts if isinstance(text, str) for n in _PLACE.findall(text)}
    return frozenset(places) if all(place < rows for place in places) else frozenset()


def _sentence(error: Mapping[str, Any]) -> str:
    parts = (error.get(key) for key in ("message", "error_user_title", "error_user_msg"))
    said = ": ".join(part for part in parts if isinstance(part, str) and part)
    subcode = error.get("error_subcode")
    number = f"{error['code']}/{subcode}" if _is_code(subcode) else f"{error['code']}"
    return f"({number}) {said}"


def _note(reply: Reply, said: Mapping[str, Any], version: str) -> str:
    """What an acceptance says besides: another version (an ended one is silently replaced)."""
    served = reply.headers.get("facebook-api-version", version)
    notes = [f"served by {served[:8]}"] if served != version else []
    messages = said.get("messages")
    if isinstance(messages, list) and messages:
        notes.append(f"{len(messages)} messages")
    return "; ".join(notes)


def _unread(reply: Reply, now: float) -> Outcome:
    """An answer without a code: busy or failed, never a verdict on events or credentials."""
    found = by_status(reply, now)
    return found if isinstance(found, Busy | Failed) else Failed("unreadable_reply")


def _unknown(reply: Reply) -> Failed:
    return Failed("http_5xx" if reply.status >= 500 else "unknown_code")


def _is_code(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
