"""The parts of a call that schemas speak of, each with the type that its text has to meet."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

import msgspec

from schemas.shape import ANY, Shape, closed, type_of

OWN: Final = {
    "track": "properties",
    "identify": "traits",
    "page": "properties",
    "screen": "properties",
    "group": "traits",
    "alias": "",
}
"""What a call of each type says beside the fields that all calls share."""

_OBJECT: Final = Shape(frozenset({"object"}))

Decode = Callable[[Any], Any]
"""Takes a text, and returns what schemas ask after; raises what `REFUSING` names when it does not
fit, or might not."""

REFUSING: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class Parts(NamedTuple):
    """Of a call of one type and name: its context, and its properties or traits, both objects.

    `known_context`: the same, of a context that has nothing else in it. A call without its own part
    is like one in which that is empty.
    """

    context: Decode
    known_context: Decode
    own: Decode


def parts_of(type_: str, event: str | None, shape: Shape) -> Parts | None:
    """The parts of a call with this shape; None when it asks after anything else than these.

    `event`: the name that the call has, if its schema says so.
    """
    own, fields = OWN[type_], dict(shape.fields)
    context, said = fields.get("context", ANY), fields.get(own, ANY)
    known = {"context", "event", own}
    named = Shape(frozenset({"string"}), among=frozenset({event})) if event else ANY
    if (
        "object" not in shape.kinds
        or shape.rest is not None
        or not shape.required <= known
        or (own in shape.required and not said.required)  # an empty one would fit
        or any(one != ANY for name, one in fields.items() if name not in known)
        or fields.get("event", ANY) not in (ANY, named)
    ):
        return None
    return Parts(_decode(context), _decode(closed(context)), _decode(said))


def _decode(shape: Shape) -> Decode:
    return msgspec.json.Decoder(type_of(shape & _OBJECT)).decode
