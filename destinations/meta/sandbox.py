"""The Conversions API as far as we rely on it: one endpoint, all or nothing, and its error bodies.

It knows DATASET, TOKEN and APP_SECRET. A token of TOKENS is answered with that error. A dataset
whose id is a code of CODES is answered with that code (`/v26.0/17/events` is throttled); dataset
502 is a proxy's HTML page, 200200 takes one event less than it was told, 429 is HTTP 429 with a
code nobody knows. What Meta does not publish (which 2804xxx names which fault) is our guess, and
nothing outside relies on it.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import orjson

from destinations.spec import Reply, Request, Taken

DATASET = "1234567890123456"
QUIRKS = ("502", "200200", "429")
TOKEN = "EAABsandboxTokenEverybodyKnows0001"  # noqa: S105 - everybody's, to practise with
APP_SECRET = "0123456789abcdef0123456789abcdef"  # noqa: S105 - the same

# token: code, subcode, HTTP status (which is another one each time, as it is with Meta), sentence.
TOKENS = {
    "EAAB-app-removed": (190, 458, 400, "The user has not authorized application 1."),
    "EAAB-password": (190, 460, 401, "The session is invalid: the password was changed."),
    "EAAB-expired": (190, 463, 403, "Error validating access token: Session has expired."),
    "EAAB-invalid": (190, 467, 400, "Error validating access token: It is invalid."),
    "EAAB-session": (190, 492, 401, "Error validating access token: Session does not match."),
    "EAAB-102": (102, None, 400, "Session key invalid or no longer valid"),
    "EAAB-capability": (3, None, 400, "(#3) Application does not have the capability"),
    "EAAB-permission": (10, None, 403, "(#10) Application does not have permission"),
    "EAAB-200": (200, None, 403, "(#200) The user has no permission on this dataset"),
    "EAAB-299": (299, None, 400, "(#299) Permission missing"),
}

# code: HTTP status, transient, sentence.
CODES = {
    1: (500, True, "An unknown error occurred"),
    2: (503, True, "Service temporarily unavailable"),
    4: (400, True, "(#4) Application request limit reached"),
    17: (403, True, "(#17) User request limit reached"),
    32: (400, False, "(#32) Page request limit reached"),
    341: (400, False, "(#341) Feed action request limit reached"),
    368: (400, False, "(#368) The action attempted is deemed abusive or otherwise disallowed"),
    613: (400, False, "(#613) Calls to this api have exceeded the rate limit."),
    5000: (500, False, "(#5000) Unknown error"),
    21009: (400, False, "(#21009) The dataset is not ready for uploads"),
    80004: (400, False, "(#80004) There have been too many calls to this ad-account."),
    99999: (400, False, "(#99999) A code that nobody knows"),
}
THROTTLED = (4, 17, 32, 613, 80004)

# Versions on 2026-11-21, with the first day on which each is no longer served.
ENDS = {
    (21, 0): datetime(2027, 1, 21, tzinfo=UTC),
    (22, 0): datetime(2027, 5, 20, tzinfo=UTC),
    (23, 0): datetime(2027, 10, 8, tzinfo=UTC),
    (24, 0): datetime(2028, 2, 18, tzinfo=UTC),
    (25, 0): datetime(2028, 7, 29, tzinfo=UTC),
    (26, 0): datetime(9999, 1, 1, tzinfo=UTC),
}
SOURCES = (
    *("website", "app", "email", "phone_call", "chat", "physical_store"),
    *("system_generated", "business_messaging", "other"),
)
HASHED = ("em", "ph", "fn", "ln", "ge", "db", "ct", "st", "zp", "country")
THIN = (
    {"ct", "country", "st", "zp", "ge", "client_user_agent"},
    {"db", "client_user_agent"},
    {"fn", "ge"},
    {"ln", "ge"},
)
DAY = 86_400.0
REMEMBERED = 2 * DAY

_PATH = re.compile(r"/v(\d{1,3})\.(\d{1,3})/(\d{1,32})/events/?")
_SHA256 = re.compile(r"[a-f0-9]{64}")


class Sandbox:
    """A dataset that takes a whole request or nothing of it."""

    def __init__(self) -> None:
        self.taken: list[Taken] = []
        self.deduplicated = 0
        self._seen: dict[tuple[str, str, str], float] = {}

    def answer(self, request: Request, now: float) -> Reply:
        parts = urlsplit(request.url) if request.url.isascii() else urlsplit("/")
        path = _PATH.fullmatch(parts.path)
        if path is None:
            return _error(2500, None, 400, f"Unknown path components: {request.url[:80]}")
        asked = (int(path[1]), int(path[2]))
        if asked > max(ENDS):
            return _error(2500, None, 400, f"Unknown path components: v{path[1]}.{path[2]}")
        served = next(v for v in ENDS if v >= asked and now < ENDS[v].timestamp())
        reply = self._answer(request, _told(request, parts.query), path[3], now)
        headers = {"facebook-api-version": f"v{served[0]}.{served[1]}", **reply.headers}
        return Reply(reply.status, headers, reply.body)

    def _answer(self, request: Request, told: dict[str, Any], dataset: str, now: float) -> Reply:
        refusal = _who(request, told)
        if refusal is not None:
            return refusal
        if dataset == "502":
            page = b"<html><body><h1>502 Bad Gateway</h1></body></html>"
            return Reply(502, {"content-type": "text/html"}, page)
        if dataset == "429":
            return _error(99999, None, 429, "(#99999) Too many requests", retry_after="7")
        if len(dataset) < 6 and int(dataset) in CODES:
            return _coded(int(dataset))
        if request.method != "POST" or dataset not in (DATASET, *QUIRKS):
            sentence = f"Unsupported {request.method.lower()} request. Object with ID '{dataset}'"
            return _error(100, 33, 400, f"{sentence} does not exist, or you may not see it")
        data = told.get("data")
        if not isinstance(data, list):
            return _error(100, None, 400, "(#100) param data must be an array.")
        if not 0 < len(data) <= 1_000:
            return _error(100, None, 400, "(#100) param data must hold 1 to 1000 events.")
        events = [_object(one) for one in data]  # the SDK sends each event as a JSON string
        for place, event in enumerate(events):
            fault = _shape(place, event) or _rules(event, now)
            if fault is not None:
                return fault
        for event in events:
            self._take(dataset, event, now)
        received = len(events) - 1 if dataset == "200200" else len(events)
        usage = b'{"1":[{"type":"ads_management","call_count":1,"total_cputime":1,"total_time":1}]}'
        body = {"events_received": received, "messages": [], "fbtrace_id": "AbCdEf123"}
        return Reply.of(200, body, x_business_use_case_usage=usage.decode())

    def _take(self, dataset: str, event: dict[str, Any], now: float) -> None:
        said, name = event.get("event_id"), event["event_name"]
        if isinstance(said, str):
            key = (dataset, name, said)
            if now - self._seen.get(key, -REMEMBERED) < REMEMBERED:
                self.deduplicated += 1
                return
            self._seen[key] = now
        user = event["user_data"]
        who = user.get("external_id") or user.get("em") or user.get("fbp") or ""
        first = who[0] if isinstance(who, list) else who
        self.taken.append(Taken(said if isinstance(said, str) else None, str(first), name, event))


def _told(request: Request, query: str) -> dict[str, Any]:
    """Query, form or JSON: Graph reads a parameter wherever it stands."""
    told: dict[str, Any] = dict(parse_qsl(query))
    try:
        if "x-www-form-urlencoded" in request.headers.get("content-type", ""):
            told |= dict(parse_qsl(request.body.decode()))
            if isinstance(told.get("data"), str):
                told["data"] = orjson.loads(told["data"])
        else:
            said = orjson.loads(request.body)
            told |= said if isinstance(said, dict) else {}
    except ValueError:  # of bytes that are no text, and of text that is no JSON
        told.pop("data", None)
    return told


def _object(one: Any) -> Any:
    try:
        return orjson.loads(one) if isinstance(one, str) else one
    except orjson.JSONDecodeError:
        return one


def _who(request: Request, told: Mapping[str, Any]) -> Reply | None:
    scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
    token = bearer.strip() if scheme.lower() == "bearer" else told.get("access_token", "")
    if not isinstance(token, str) or not token:
        sentence = "An access token is required to request this resource."
        return _error(104, None, 400, sentence)
    if token in TOKENS:
        code, subcode, status, sentence = TOKENS[token]
        return _error(code, subcode, status, sentence)
    if token != TOKEN:
        return _error(190, None, 400, f"Malformed access token {token}")
    proof = hmac.new(APP_SECRET.encode(), TOKEN.encode(), hashlib.sha256).hexdigest()
    if "appsecret_proof" in told and told["appsecret_proof"] != proof:
        return _error(100, None, 400, "Invalid appsecret_proof provided in the API argument")
    return None


def _shape(place: int, event: Any) -> Reply | None:
    """Faults of types, which Graph finds before the Conversions API does: these name the place."""
    if not isinstance(event, dict):
        return _error(100, None, 400, f"(#100) Param data[{place}] must be an object")
    kinds = {
        "event_name": str,
        "event_time": int,
        "event_id": str,
        "event_source_url": str,
        "action_source": str,
        "user_data": dict,
        "custom_data": dict,
        "app_data": dict,
        "opt_out": bool,
        "data_processing_options": list,
        "data_processing_options_country": int,
        "data_processing_options_state": int,
    }
    for key, kind in kinds.items():
        if key not in event:
            continue
        odd = isinstance(event[key], bool) and kind is not bool
        if odd or not isinstance(event[key], kind):
            sentence = f"(#100) Param data[{place}]['{key}'] must be of type {kind.__name__}"
            return _error(100, None, 400, sentence)
    return None


def _rules(event: Mapping[str, Any], now: float) -> Reply | None:
    """Faults of one event; the first one found refuses all, and its place is not told."""
    if not event.get("event_name"):
        return _invalid(2804001, "Event Name Missing")
    source = event.get("action_source")
    at = event.get("event_time", 0)
    days = 62 if source == "physical_store" else 7
    if at < now - days * DAY:
        return _invalid(2804003, "Event Timestamp Too Old")
    if at > now + 60:
        return _invalid(2804007, "Event Timestamp In The Future")
    if source not in SOURCES:
        return _invalid(2804017, "Action Source Invalid")
    user = event.get("user_data") or {}
    for key in HASHED:
        said = user.get(key, [])
        values = said if isinstance(said, list) else [said]
        if not all(isinstance(one, str) and _SHA256.fullmatch(one) for one in values):
            return _invalid(2804016, f"{key} Is Not SHA-256")
    if any(user.keys() <= thin for thin in THIN):
        return _invalid(2804050, "Not Enough Customer Information")
    if source == "website" and not (
        user.get("client_user_agent") and event.get("event_source_url")
    ):
        return _invalid(2804019, "Website Event Without Browser Or Page")
    return _money(event) or _app(event, source)


def _money(event: Mapping[str, Any]) -> Reply | None:
    custom = event.get("custom_data", {})
    value, currency = custom.get("value"), custom.get("currency")
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if event["event_name"] == "Purchase" and not (number and currency):
        return _invalid(2804009, "Purchase Without Value Or Currency")
    if currency is not None and not re.fullmatch(r"[A-Za-z]{3}", str(currency)):
        return _invalid(2804048, "Currency Invalid")
    # Which names a messenger takes is not published whole; we know of these two.
    messenger = event.get("action_source") == "business_messaging"
    if messenger and event["event_name"] not in ("Purchase", "LeadSubmitted"):
        return _invalid(2804066, "Event Name Not Allowed For Business Messaging")
    return None


def _app(event: Mapping[str, Any], source: Any) -> Reply | None:
    extinfo = event.get("app_data", {}).get("extinfo")
    if source != "app":
        return None
    if not isinstance(extinfo, list) or len(extinfo) != 16 or extinfo[0] not in ("i2", "a2"):
        return _invalid(2804020, "App Data Invalid")
    return None if extinfo[4] else _invalid(2804020, "App Data Without OS Version")


def _invalid(subcode: int, title: str) -> Reply:
    return _error(100, subcode, 400, "Invalid parameter", title=title)


def _coded(code: int) -> Reply:
    status, transient, sentence = CODES[code]
    if code not in THROTTLED:
        return _error(code, None, status, sentence, transient=transient)
    usage = {"1": [{"type": "ads_management", "call_count": 100, "total_cputime": 20}]}
    if code == 80004:
        usage["1"][0]["estimated_time_to_regain_access"] = 3
    header = orjson.dumps(usage).decode()
    return _error(
        code, None, status, sentence, transient=transient, x_business_use_case_usage=header
    )


def _error(
    code: int,
    subcode: int | None,
    status: int,
    sentence: str,
    *,
    title: str = "",
    transient: bool = False,
    **headers: str,
) -> Reply:
    error: dict[str, Any] = {
        "message": sentence,
        "type": "OAuthException",
        "code": code,
        "is_transient": transient,
        "fbtrace_id": "A6Uy",
    }
    if subcode is not None:
        error["error_subcode"] = subcode
    if title:
        error |= {"error_user_title": title, "error_user_msg": f"{title}. See the reference."}
    return Reply.of(status, {"error": error}, **headers)
