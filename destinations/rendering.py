"""A request as it would be sent, for a person to read: nothing secret, nothing personal. Pure."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

import orjson

from destinations.courier import redact
from destinations.masks import masked
from destinations.plan import Boarding, Filtered, Plan
from destinations.spec import Account, Refused
from destinations.talk import Request
from hub.event import Event

SHOWN: Final = frozenset({"accept", "content-encoding", "content-type", "user-agent"})
"""Headers whose values are shown; any other may be a secret, or a signature."""


def rendered(plan: Plan, event: Event, now: float) -> dict[str, Any]:
    """What `plan` does with `event` at `now` (seconds since the epoch), as JSON takes it.

    For what is sent: the first request of its talk, alone in it. A vendor that asks for a catalogue
    or for a token first shows that request; its answer is not known here.
    """
    try:
        verdict = plan.judge(event, now)
    except Exception as error:
        return {"broke": type(error).__name__}
    match verdict:
        case Filtered(reason):
            return {"filtered": reason}
        case Refused(code, reason):
            return {"refused": code, "reason": redact(reason)}
    # Its words are known to who chose the event.
    shown = frozenset({event.id, event.name, event.type, event.source}) - {""}
    return {
        "action": verdict.action.name,
        "fields": masked(verdict.row.fields, shown),
        **_first(plan, verdict, now, shown),
    }


def _first(plan: Plan, boarding: Boarding, now: float, shown: frozenset[str]) -> dict[str, Any]:
    try:
        talk = boarding.action.talk([boarding.row], Account(plan.settings, lambda: now))
        request = next(talk)
        talk.close()
    except StopIteration:
        return {"request": None}
    except Exception as error:
        return {"broke": type(error).__name__}
    return {"request": _shown(request, shown)}


def _shown(request: Request, words: frozenset[str]) -> dict[str, Any]:
    url = urlsplit(request.url)
    path = "/".join(redact(unquote(part)) for part in url.path.split("/"))
    return {
        "method": request.method,
        "url": f"{url.scheme}://{url.netloc.rpartition('@')[2]}{path}",
        "headers": {
            name: value if name.lower() in SHOWN else "***"
            for name, value in request.headers.items()
        },
        "body": _body(request, words),
    }


def _body(request: Request, words: frozenset[str]) -> Any:
    try:
        return masked(orjson.loads(request.body), words) if request.body else None
    except orjson.JSONDecodeError:
        pass
    headers = {name.lower(): value for name, value in request.headers.items()}
    if headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        form = parse_qsl(request.body.decode(errors="replace"), keep_blank_values=True)
        return masked(dict(form), words)
    return f"{len(request.body)} bytes"
