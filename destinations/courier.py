"""Carries a talk to its end: sends requests, tells replies, brings home an outcome per row."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Protocol

from msgspec import Struct

from destinations.outcome import Barred, Failed, Outcome, Refused, different
from destinations.sender import ForbiddenAddress, Unsent
from destinations.spec import Account, Action, Row
from destinations.talk import Reply, Request, Talk, Unreadable, all_rows

MAX_REQUESTS = 20
"""Requests in one talk; a talk that wants more goes in circles."""

MAX_REASON = 500
"""Characters of a vendor's sentence that are kept."""

NEVER_LEFT = frozenset({"dns", "tls", "connection_refused"})
"""Why no reply came when no request got as far as the vendor."""

_WITH_A_SENTENCE = (Refused, Barred)

_OPAQUE = re.compile(r"[A-Za-z0-9_\-.|]{30,}")
_EMAIL = re.compile(r"[^\s@\"'<>=:]+@[^\s@\"'<>]+\.[A-Za-z]+")
_PHONE = re.compile(r"\+?\d[\d ()-]{7,}\d")


class Sends(Protocol):
    """Who sends one request: the Sender, or a test."""

    async def send(self, request: Request) -> Reply: ...


class Carried(Struct, eq=False):
    """What a talk came to: the outcomes, and the last reply that was heard, if any."""

    outcomes: Sequence[Outcome]
    reply: Reply | None = None
    error: Exception | None = None


async def carry(
    action: Action[Any], rows: Sequence[Row], account: Account[Any], sender: Sends
) -> Carried:
    """Carry the action's talk about `rows`. Never raises for what a vendor or its talk does.

    An answer that cannot be read, too few outcomes, and a bug in a talk are failures: nothing is
    delivered by mistake, and nothing is lost.
    """
    talk: Talk | None = None
    reply: Reply | None = None
    try:
        talk = action.talk(rows, account)
        request = next(talk)
        for _ in range(MAX_REQUESTS):
            reply = await sender.send(request)
            request = talk.send(reply)
        return Carried(all_rows(Failed("endless_talk", unknown=True), rows), reply)
    except StopIteration as end:
        outcomes = _outcomes(end.value, len(rows))
        if outcomes is None:
            outcomes = all_rows(Failed("wrong_outcomes", unknown=True), rows)
        return Carried(outcomes, reply)
    except Unsent as error:
        unknown = reply is not None or error.reason not in NEVER_LEFT
        return Carried(all_rows(Failed(error.reason, unknown=unknown), rows))
    except ForbiddenAddress as error:
        return Carried(all_rows(Barred("forbidden_address", str(error)), rows))
    except Unreadable:
        return Carried(all_rows(Failed("unreadable_reply", unknown=True), rows), reply)
    except Exception as error:
        return Carried(
            all_rows(Failed("bug_in_talk", unknown=reply is not None), rows), reply, error
        )
    finally:
        if talk is not None:
            talk.close()


def redact(sentence: str) -> str:
    """A vendor's sentence without what it echoes: tokens, addresses, numbers; at most MAX_REASON.

    Meta and TikTok repeat tokens in their errors, HubSpot and Klaviyo the value that they refuse.
    """
    # The patterns take quadratic time, and a vendor's sentence can be its whole reply.
    sentence = sentence[: 4 * MAX_REASON]
    # Numbers last: one inside a token would be masked alone, and leave its ends to be read.
    masked = _PHONE.sub("***", _OPAQUE.sub("***", _EMAIL.sub("***", sentence)))
    return masked[:MAX_REASON]


def _outcomes(said: Any, rows: int) -> Sequence[Outcome] | None:
    """What a talk returned, with sentences that may be kept; None when that is not one outcome for
    each row.
    """
    if not isinstance(said, Sequence) or len(said) != rows:
        return None
    clean: dict[int, Outcome] = {}
    for one in different(said):
        if isinstance(one, _WITH_A_SENTENCE):
            clean[id(one)] = replace(one, reason=redact(one.reason))
        elif not isinstance(one, Outcome):
            return None
    outcomes: Sequence[Outcome] = said
    return [clean.get(id(one), one) for one in outcomes] if clean else outcomes
