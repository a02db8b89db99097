"""The parts of a call that schemas speak of, each with the type that its text has to meet."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

import msgspec

from schemas.shape import ANY, NOTHING, Shape, closed, type_of

OWN: Final = {
    "track": "properties",
    "identify": "traits",
    "page": "properties",
    "screen": "properties",
    "group": "traits",
    "alias": "",
}
"""What a call of each type says beside the fields that all calls share."""

_TEXTS: Final = frozenset(
    {
        *("anonymousId", "category", "channel", "event", "groupId", "messageId", "name"),
        *("originalTimestamp", "previousId", "sentAt", "timestamp", "type", "userId"),
    }
)
"""Fields that a plain call says as text that is not empty, or not at all."""

_GIVEN: Final = frozenset({"context", "messageId", "type"})
"""Fields that every call has once a schema looks at it: ingest gives it what is missing."""

_FREE: Final = frozenset({"integrations", "_metadata"})
"""Fields that are objects, of which no more is known here."""

_OBJECT: Final = Shape(frozenset({"object"}))
_UNVERSIONED: Final = Shape(fields=(("context", Shape(fields=(("protocols", NOTHING),))),))

Decode = Callable[[Any], Any]
"""Takes a text, and returns what schemas ask after; raises what `REFUSING` names when it does not
fit, or might not."""

REFUSING: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class Parts(NamedTuple):
    """Of a call of one type and name: its context, and its properties or traits, both objects.

    `known_context`: the same, of a context that has nothing else in it. A call without its own part
    is like one in which that is empty, unless it is among the `needed`: the fields that a call must
    have.
    """

    context: Decode
    known_context: Decode
    own: Decode
    needed: frozenset[str] = frozenset()


def unversioned(shape: Shape) -> Shape:
    """Those of its calls that ask for no version of a rule, nor tell of any violation."""
    return shape & _UNVERSIONED


def parts_of(type_: str, event: str | None, shape: Shape) -> Parts | None:
    """The parts of a call with this shape; None when it asks after anything else than these, and
    than what is known of every plain call.

    `event`: the name that the call has, if its schema says so.
    """
    own, fields = OWN[type_], dict(shape.fields)
    context, said = fields.pop("context", ANY), fields.pop(own, ANY)
    needed = shape.required - _GIVEN
    if event:
        needed -= {"event"}
    if said.required:  # an empty one does not fit
        needed -= {own}
    names = {"type": type_, "event": event}
    if (
        "object" not in shape.kinds
        or shape.rest is not None
        or not needed <= _TEXTS | {own}
        or any(one != ANY for name, one in fields.items() if name in _FREE)
        or not all(_takes(one, names.get(n)) for n, one in fields.items() if n in _TEXTS)
    ):
        return None
    return Parts(_decode(context), _decode(closed(context)), _decode(said), needed)


def _takes(shape: Shape, text: str | None) -> bool:
    """Whether it takes the text; where that is None, any that is not empty."""
    if shape == ANY:
        return True
    among = shape.among is None or text in shape.among
    size = 1 if text is None else len(text)
    free = not shape.patterns and shape.longest is None
    return "string" in shape.kinds and among and free and shape.shortest <= size


def _decode(shape: Shape) -> Decode:
    return msgspec.json.Decoder(type_of(shape & _OBJECT)).decode
