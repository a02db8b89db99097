"""A request that is all there, from what its body says to what is answered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from msgspec import Struct

from ingest.admission import Stay
from ingest.enrich import Connection
from ingest.envelope import Envelope, batch, single
from ingest.errors import Answer, refuse
from ingest.keeping import Ticket
from ingest.plain import Request, request_of
from ingest.receive import Body
from ingest.sources import Source
from ingest.text import Malformed, parse


class Call(NamedTuple):
    """A request as far as it matters here. `type`: what the path says; None for a batch."""

    type: str | None
    connection: Connection
    authorization: str | None = None
    origin: str | None = None
    retries: int = 0


class Asked(Struct, frozen=True):
    """What a body asks: its write key, its items, and either way to them, or why there is none."""

    key: Any = None
    items: Sequence[Any] = ()
    envelope: Envelope = Envelope(())
    plain: Request | None = None
    fault: str = ""
    detail: str = ""


Decided = Answer | tuple[Ticket, Answer]
"""What to answer at once; or what to keep first, and what to answer then."""

NOTHING: Final = Asked()
UNDECIDED: Final = refuse("internal")
"""What is answered if a fault of ours leaves it at that."""


class Post(Struct, eq=False):
    """A POST, and what is known of it so far."""

    call: Call
    body: Body
    stay: Stay
    asked: Asked = NOTHING
    source: Source | None = None
    decided: Decided = UNDECIDED


def asked_by(type_: str | None, body: Body) -> Asked:
    """What the body asks, parsed only if its events are not plain at first sight."""
    if body.fault:
        return Asked(fault=body.fault)
    request = request_of(type_, body.text)
    if request is None:
        return parsed_by(type_, body.text)
    return Asked(request.key, request.items, plain=request)


def parsed_by(type_: str | None, text: bytes) -> Asked:
    """What the text asks, all of it parsed."""
    try:
        parsed = parse(text)
    except Malformed as error:
        return Asked(fault="malformed_json", detail=str(error))
    if not isinstance(parsed, dict):
        return Asked(fault="malformed_json", detail="must be an object")
    envelope = single(parsed, len(text)) if type_ else batch(parsed, text)
    return Asked(parsed.get("writeKey"), envelope.items, envelope=envelope)
