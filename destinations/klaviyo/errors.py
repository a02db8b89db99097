"""What Klaviyo's answers mean: JSON:API errors as outcomes, and the rows that their pointers name.

An error document is `{"errors": [{status, code, title, detail, source: {pointer}, meta}]}`. The
meaning is looked up by status and code together: a 403 without such a document is Cloudflare's,
which passes, while a 403 with one is a key without the scope, which does not.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from destinations.spec import (
    Barred,
    Busy,
    Failed,
    Heard,
    Left,
    Outcome,
    Refused,
    Reply,
    Row,
    Unreadable,
    all_rows,
    by_status,
    retry_after,
)

MEANINGS: Mapping[tuple[int, str], type[Refused] | type[Barred]] = {
    (400, "invalid"): Refused,
    (401, "not_authenticated"): Barred,
    (401, "authentication_failed"): Barred,
    (403, "permission_denied"): Barred,
    (404, "not_found"): Refused,
    (409, "duplicate_profile"): Refused,
}
"""What a status and a code mean together; the code is then the outcome's label."""

STATUSES: Mapping[int, tuple[type[Refused] | type[Barred], str, str]] = {
    405: (Barred, "http_405", "the method is not allowed: is `base_url` right?"),
    406: (Barred, "http_406", "the reply's media type is not acceptable: is `base_url` right?"),
    410: (Barred, "revision_retired", "the API revision is retired: set a newer `revision`"),
    413: (Refused, "too_large", "the request is larger than they take"),
    415: (Barred, "http_415", "the media type is not supported: is `base_url` right?"),
}
"""What a status means whatever its code; the rest is as it is everywhere."""

# Also "1 second" (klaviyo-api-node #66), and 0 seconds (klaviyo-api-python #15).
_SECONDS = re.compile(r"available in (\d{1,6}(?:\.\d{1,6})?) second")
_ROW = re.compile(r"/data/attributes/(?:events-bulk-create|profiles)/data/(\d{1,5})(?:/|$)")
_PROFILE = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class Fault:
    """One error of an answer, as far as it can be read."""

    code: str
    sentence: str
    pointer: str
    duplicate: str

    @property
    def row(self) -> int | None:
        """The index of the row that the pointer names."""
        found = _ROW.match(self.pointer)
        return int(found[1]) if found else None


def faults(reply: Reply) -> tuple[Fault, ...]:
    """The errors of an answer; none when it is no error document."""
    try:
        said = reply.object().get("errors")
    except Unreadable:
        return ()
    errors = said if isinstance(said, list) else []
    return tuple(_fault(error) for error in errors if isinstance(error, dict))


def accepted(reply: Reply) -> bool:
    """202, and nothing or a resource with it: validated by Klaviyo, to be processed by it later."""
    if reply.status != 202:
        return False
    if not reply.body.strip():
        return True
    said = reply.object()
    return isinstance(said.get("data"), dict) and "errors" not in said


def meaning(reply: Reply, now: float) -> Outcome:
    """What an answer that is no success means, for all that was asked."""
    if reply.status == 429:
        return Busy(_wait(reply, now))
    found = faults(reply)
    if reply.status == 403 and not found:
        return Failed("http_403")
    return _verdict(reply, found[0] if found else None, now)


def verdicts(reply: Reply, rows: Sequence[Row], now: float) -> list[Outcome]:
    """An outcome for each row: those that errors point at are refused, their neighbours go again.

    Nothing of a request with an error was processed. Where an error names no row, all are refused,
    and the engine bisects.
    """
    whole = meaning(reply, now)
    found = faults(reply)
    if reply.status != 400 or not found:
        return all_rows(whole, rows)
    culprits: dict[int, Outcome] = {}
    for fault in found:
        if fault.row is None or fault.row >= len(rows):
            return all_rows(whole, rows)
        verdict = _verdict(reply, fault, now)
        named = replace(verdict, named=True) if isinstance(verdict, Refused) else verdict
        culprits.setdefault(fault.row, named)
    return [culprits.get(index, Busy(0.0, "neighbour")) for index in range(len(rows))]


def duplicate(reply: Reply) -> str:
    """The profile that a 409 says holds one of our identifiers; empty if it says none."""
    if reply.status != 409:
        return ""
    return next((fault.duplicate for fault in faults(reply) if fault.duplicate), "")


def hint(reply: Reply, now: float) -> Heard:
    """What is left of the minute; all replies but a 429 tell of it."""
    del now
    left = _number(reply, "ratelimit-remaining")
    reset = _number(reply, "ratelimit-reset")
    if left is None or reset is None:
        return Heard()
    return Heard(left=(Left(60.0, left, min(reset, 60.0)),))


def _number(reply: Reply, header: str) -> float | None:
    said = reply.headers.get(header, "").strip()
    return float(said) if re.fullmatch(r"[0-9]{1,6}", said) else None


def _fault(error: Mapping[str, Any]) -> Fault:
    source, meta = error.get("source"), error.get("meta")
    pointer = source.get("pointer") if isinstance(source, dict) else None
    profile = meta.get("duplicate_profile_id") if isinstance(meta, dict) else None
    told = error.get("detail") or error.get("title")
    sentence = told if isinstance(told, str) else "no reason given"
    return Fault(
        code=error["code"] if isinstance(error.get("code"), str) else "",
        sentence=f"{sentence} (at {pointer})" if isinstance(pointer, str) else sentence,
        pointer=pointer if isinstance(pointer, str) else "",
        duplicate=profile if isinstance(profile, str) and _PROFILE.fullmatch(profile) else "",
    )


def _verdict(reply: Reply, fault: Fault | None, now: float) -> Outcome:
    if reply.status in STATUSES:
        kind, label, advice = STATUSES[reply.status]
        return kind(label, f"{fault.sentence}; {advice}" if fault else advice)
    if fault is None:
        return by_status(reply, now)
    if reply.status == 404 and fault.sentence.startswith("No valid revisions"):
        return Barred("revision_unknown", fault.sentence)
    known = MEANINGS.get((reply.status, fault.code))
    if known is Barred:
        return Barred(fault.code, fault.sentence, stale_token=reply.status == 401)
    if known is not None:
        return known(fault.code, fault.sentence)
    outcome = by_status(reply, now)
    if isinstance(outcome, Refused):
        return Refused(outcome.code, fault.sentence)
    return Barred(outcome.code, fault.sentence) if isinstance(outcome, Barred) else outcome


def _wait(reply: Reply, now: float) -> float:
    """Seconds by the header, else by the sentence; at least one, so that no loop runs hot."""
    found = faults(reply)
    said = _SECONDS.search(found[0].sentence) if found else None
    return max(1.0, retry_after(reply, now, float(said[1]) if said else 5.0))
