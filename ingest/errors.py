"""The table of refusals: what we say no to, with which status, and in which words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import orjson

import schemas

INVALID_KEY: Final = "An invalid write key was provided"
MALFORMED: Final = "malformed JSON"
TOO_LARGE: Final = "Exceed payload limit"
NOTHING_ACCEPTABLE: Final = "no event of the request is acceptable"

# The `code` of an answer follows from its status: SDKs need one beside the message, or python
# retries a 400 ten times. Only 400 has a name that Segment uses.
ANSWER_CODES: Final = MappingProxyType(
    {
        400: "invalid_request",
        404: "not_found",
        408: "request_timeout",
        429: "too_many_requests",
        500: "internal_error",
        503: "service_unavailable",
    }
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """One way to say no. `kept`: whether the refused is in the stream `rejected`."""

    code: str
    status: int
    message: str
    kept: bool
    meaning: str


def _table() -> Mapping[str, Refusal]:
    rows = [
        # Whole requests that nobody can be charged with
        Refusal("no_write_key", 400, INVALID_KEY, False, "No write key, or one far too short."),
        Refusal(
            "unknown_write_key",
            400,
            INVALID_KEY,
            False,
            'A write key of no source; 200 with `ingest.compat = "segment"`.',
        ),
        Refusal("not_found", 404, "there is no such path", False, "A path that is no API path."),
        Refusal("wrong_method", 400, MALFORMED, False, "An API path asked with another method."),
        Refusal("malformed_head", 400, "malformed HTTP", False, "A request that is not HTTP/1.1."),
        Refusal("broken_body", 400, "malformed HTTP", False, "A body that breaks off."),
        Refusal("slow_head", 408, "the head took too long", False, "A head that does not end."),
        Refusal("slow_body", 408, "the body took too long", False, "A body that does not end."),
        # Whole requests of a source
        Refusal("malformed_json", 400, MALFORMED, True, "A body that is no JSON object."),
        Refusal("bad_encoding", 400, MALFORMED, True, "A body whose compression is broken."),
        Refusal("body_too_large", 400, TOO_LARGE, True, "More than 524,288 bytes when inflated."),
        Refusal("empty_batch", 400, "the batch has no events", True, "A batch without events."),
        Refusal("too_many_events", 400, TOO_LARGE, True, "More than 2,500 events in a batch."),
        Refusal(
            "origin_not_allowed",
            400,
            "this origin may not send to this source",
            True,
            "A browser's page that is not in the source's `origins`.",
        ),
        Refusal("source_disabled", 200, "the source is disabled", True, "`enabled = false`."),
        # Events
        Refusal("event_too_large", 400, TOO_LARGE, True, "An event of more than 32,768 bytes."),
        Refusal("event_not_object", 400, "must be an object", True, "An event that is no object."),
        Refusal("type_unknown", 400, "must be one of the six types", True, "No type we know."),
        Refusal("unplanned", 400, "is not in the tracking plan", True, '`unplanned = "refuse"`.'),
        *(
            Refusal(code, 400, "breaks the schema", True, "A schema, as its code says.")
            for code in sorted(schemas.CODES - {"empty_batch"})
        ),
        # Not now
        Refusal("rate_limited", 429, "too many events", False, "Beyond the source's rate."),
        Refusal("overloaded", 429, "too many requests", False, "No room for this request now."),
        Refusal("spool_full", 429, "too many events", False, "Kafka is away, the spool is full."),
        Refusal("log_unavailable", 503, "cannot keep events now", False, "The log is away."),
        Refusal("log_slow", 503, "cannot keep events in time", False, "The log took too long."),
        Refusal("internal", 500, "internal error", False, "A fault of ours."),
    ]
    return MappingProxyType({row.code: row for row in rows})


REFUSALS: Final = _table()


@dataclass(frozen=True, slots=True)
class Answer:
    """What a client is told: a status, JSON or an image, and headers."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()
    content_type: str = "application/json"


SUCCESS: Final = Answer(200, b'{"success": true}')


def refuse(
    code: str,
    detail: str = "",
    *,
    words: str = "",
    rejected: Iterable[Mapping[str, Any]] = (),
    retry_after: int | None = None,
) -> Answer:
    """The answer that says no by `code`; `detail` is added to the message, `words` replace it."""
    refusal = REFUSALS[code]
    message = words or refusal.message
    said = {
        "success": False,
        "code": ANSWER_CODES[refusal.status],
        "message": f"{message}: {detail}" if detail else message,
    }
    listed = list(rejected)
    headers: tuple[tuple[str, str], ...] = ()
    if retry_after is not None:
        headers = (("Retry-After", str(retry_after)), ("X-RateLimit-Reset", str(retry_after)))
    return Answer(
        refusal.status, orjson.dumps(said | ({"rejected": listed} if listed else {})), headers
    )


def accept(rejected: Iterable[Mapping[str, Any]] = ()) -> Answer:
    """The answer that says yes, and lists what it does not hold for."""
    listed = list(rejected)
    if not listed:
        return SUCCESS
    return Answer(200, orjson.dumps({"success": True, "rejected": listed}))
