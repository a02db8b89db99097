"""What a schema asks, as a type of msgspec's: a yes from the text itself, before anyone parses it.

Only the yes counts: what the type takes, the schema takes. For much of what JSON Schema can say a
type has no words; there it takes nothing, and `schemas.checker` has to look.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache, reduce
from itertools import count
from keyword import iskeyword
from math import ceil, floor
from operator import and_
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal, TypeVar, Union
from urllib.parse import unquote

import msgspec
from msgspec import UNSET, Meta, Raw, UnsetType

from schemas.pattern import in_python

_DEPTH: Final = 32
"""Schemas within schemas that are followed; one that refers to itself has no end."""

_STEPS: Final = 2_000
"""Schemas that are read for one shape: those that refer to each other may unfold without end."""

_KINDS: Final = MappingProxyType(
    {
        "array": frozenset({"array"}),
        "boolean": frozenset({"boolean"}),
        "integer": frozenset({"integer"}),
        "null": frozenset({"null"}),
        "number": frozenset({"integer", "fraction"}),
        "object": frozenset({"object"}),
        "string": frozenset({"string"}),
    }
)

# Keywords that ask for nothing, beside all that begin with x-.
_SILENT: Final = frozenset(
    {
        *("$comment", "$defs", "$schema", "default", "definitions", "deprecated", "description"),
        *("examples", "readOnly", "title", "writeOnly"),
    }
)

# Patterns that mean the same in every dialect: single letters and classes of letters, repeated.
_PLAIN: Final = re.compile(
    r"\^?(?:(?:[\w@ -]|\[\^?(?:(?!--)[^\\\[\]&~|]|\\[tnr]|\\u(?![dD][89a-fA-F])[\da-fA-F]{4})+\])"
    r"[+*?]?)*\$?",
    re.ASCII,
)

_STEADY: Final = re.compile(r"\^[^+*?]*[+*?]?[^+*?]*")
"""Patterns that begin at one place and have one choice: Python takes no more steps than there are
letters, where others may take the square of that, or worse, for a text made to that end."""

_HELD: Final = frozenset({"array", "object"})
"""Kinds that may not stand beside a pattern: msgspec 0.22 frees the wrong one of the two types
(`TypeNode_get_traverse_ranges` does not count the pattern's place) and may end the process."""

_EXACT: Final = 2**53
"""Below it, an integer and the double that others make of it are the same number. And an integer of
any number of digits is an `int` to msgspec, and no double to others."""

_NEVER: Final = Annotated[str, Meta(min_length=1, max_length=0)]


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Shape:
    """The values of some kinds, each held against what is asked of its kind."""

    kinds: frozenset[str] = frozenset().union(*_KINDS.values())
    fields: tuple[tuple[str, Shape], ...] = ()  # of an object, by name
    required: frozenset[str] = frozenset()
    rest: Shape | None = None  # of an object's other fields
    items: Shape | None = None  # of an array
    least: float | None = None  # of a number
    most: float | None = None
    fewest: int = 0  # items of an array
    shortest: int = 0  # characters of a string
    longest: int | None = None
    patterns: tuple[str, ...] = ()  # of a string
    among: frozenset[str] | None = None  # strings

    def __and__(self, other: Shape) -> Shape:
        """What both take."""
        if self is ANY or other is ANY:
            return other if self is ANY else self
        mine, theirs = dict(self.fields), dict(other.fields)
        fields = {
            name: mine.get(name, self.rest or ANY) & theirs.get(name, other.rest or ANY)
            for name in {**mine, **theirs}
        }
        return Shape(
            self.kinds & other.kinds,
            tuple(fields.items()),
            self.required | other.required,
            _both(and_, self.rest, other.rest),
            _both(and_, self.items, other.items),
            _both(max, self.least, other.least),
            _both(min, self.most, other.most),
            max(self.fewest, other.fewest),
            max(self.shortest, other.shortest),
            _both(min, self.longest, other.longest),
            tuple(dict.fromkeys((*self.patterns, *other.patterns))),
            _both(and_, self.among, other.among),
        )


def _both(how: Callable[[T, T], T], one: T | None, other: T | None) -> T | None:
    """What both ask, where None asks nothing."""
    if one is None or other is None:
        return other if one is None else one
    return how(one, other)


ANY: Final = Shape()
NOTHING: Final = Shape(frozenset())


def closed(shape: Shape) -> Shape:
    """Those of the values that hold nothing but what the shape names."""
    if shape == ANY:
        return NOTHING
    return replace(
        shape,
        fields=tuple((name, closed(one)) for name, one in shape.fields),
        rest=closed(shape.rest) if shape.rest else NOTHING,
        items=closed(shape.items) if shape.items else NOTHING,
    )


def shape_of(schema: Any, documents: Mapping[str, Any]) -> Shape:
    """The shape of a schema that may refer to `documents` by $id; NOTHING where words fail."""
    return _Reader(schema, documents).read(schema)


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads one document's schemas, `depth` of them within each other; `steps` counts all."""

    document: Any
    documents: Mapping[str, Any]
    depth: int = 0
    steps: Iterator[int] = field(default_factory=count)

    @property
    def is_shipped(self) -> bool:
        """Whether the document is one of those that lie at hand, and no stranger's."""
        document = self.document
        return (
            isinstance(document, dict) and self.documents.get(str(document.get("$id"))) is document
        )

    def read(self, schema: Any) -> Shape:
        if schema is True:
            return ANY
        if not isinstance(schema, dict) or self.depth > _DEPTH or next(self.steps) > _STEPS:
            return NOTHING
        inner = replace(self, depth=self.depth + 1)
        asked = [
            inner.asked(keyword, said, schema)
            for keyword, said in schema.items()
            if keyword not in _SILENT and not keyword.startswith("x-")
        ]
        return reduce(Shape.__and__, asked, ANY)

    def asked(self, keyword: str, said: Any, schema: Mapping[str, Any]) -> Shape:
        match keyword, said:
            case "type", str():
                return Shape(_KINDS.get(said, frozenset()))
            case "type", list():
                return Shape(frozenset().union(*(_KINDS.get(name, frozenset()) for name in said)))
            case "properties", dict():
                return Shape(fields=tuple((name, self.read(one)) for name, one in said.items()))
            case "required", list():
                return Shape(required=frozenset(said))
            case "additionalProperties", _:
                named = tuple((name, ANY) for name in schema.get("properties", ()))
                return Shape(fields=named, rest=self.read(said))
            case "items", dict():
                return Shape(items=self.read(said))
            case "const", str():
                return Shape(_KINDS["string"], among=frozenset({said}))
            case "enum", list() if all(one is None or isinstance(one, str) for one in said):
                kinds = {"null" if one is None else "string" for one in said}
                return Shape(frozenset(kinds), among=frozenset(said) - {None})
            case "minimum", int() | float() if abs(said) < _EXACT:
                return Shape(least=said)
            case "maximum", int() | float() if abs(said) < _EXACT:
                return Shape(most=said)
            case "minItems", int() if said < _EXACT:
                return Shape(fewest=said)
            case "minLength", int() if said < _EXACT:
                return Shape(shortest=said)
            case "maxLength", int() if said < _EXACT:
                return Shape(longest=said)
            case "pattern", str() if _PLAIN.fullmatch(said) and (
                self.is_shipped or _STEADY.fullmatch(said)
            ):
                return Shape(patterns=(said,))
            case "allOf", list():
                return reduce(Shape.__and__, map(self.read, said), ANY)
            case "$ref", str():
                return self.referred(said)
            case "$id", _ if schema is self.document:
                return ANY
        return NOTHING

    def referred(self, target: str) -> Shape:
        name, _, pointer = target.partition("#")
        document = self.documents.get(name) if name else self.document
        schema = document
        for step in pointer.split("/")[1:] if pointer else ():
            step = unquote(step).replace("~1", "/").replace("~0", "~")
            schema = schema.get(step) if isinstance(schema, dict) else None
            if isinstance(schema, dict) and "$id" in schema:
                return NOTHING  # what follows may refer to another document
        if pointer and not pointer.startswith("/"):
            return NOTHING  # an anchor
        return replace(self, document=document).read(schema)


@lru_cache(maxsize=1_024)
def type_of(shape: Shape) -> Any:
    """The type that takes what the shape does, or less. Fields have their own names as far as
    Python takes these; what is not asked after is not decoded.
    """
    if shape == ANY:
        return Raw
    types: list[Any] = []
    if "null" in shape.kinds:
        types.append(None)
    if "boolean" in shape.kinds:
        types.append(bool)
    if "integer" in shape.kinds:
        types.append(_number(shape))
    if "string" in shape.kinds:
        types += _strings(shape)
    if "array" in shape.kinds:
        items: Any = list[type_of(shape.items or ANY)]  # type: ignore[misc]
        types.append(Annotated[items, Meta(min_length=shape.fewest)] if shape.fewest else items)
    if "object" in shape.kinds:
        types += _objects(shape)
    return Union[tuple(types)] if types else _NEVER  # noqa: UP007 - of a tuple


def _number(shape: Shape) -> Any:
    least, most = shape.least, shape.most
    if "fraction" in shape.kinds:
        is_free = least is None and most is None
        return float if is_free else Annotated[float, Meta(ge=least, le=most)]
    # To msgspec, an integer has integers for bounds.
    low = None if least is None else ceil(least)
    return Annotated[int, Meta(ge=low, le=_EXACT if most is None else floor(most))]


def _strings(shape: Shape) -> list[Any]:
    longest = _EXACT if shape.longest is None else shape.longest
    if shape.among is not None:
        fitting = sorted(s for s in shape.among if shape.shortest <= len(s) <= longest)
        return [Literal[tuple(fitting)]] if fitting and not shape.patterns else []
    if len(shape.patterns) > 1 or (shape.patterns and not shape.kinds.isdisjoint(_HELD)):
        return []
    meta: dict[str, Any] = {}
    if shape.shortest:
        meta["min_length"] = shape.shortest
    if shape.longest is not None:
        meta["max_length"] = shape.longest
    for pattern in shape.patterns:
        meta["pattern"] = in_python(pattern)
    return [Annotated[str, Meta(**meta)] if meta else str]


def _objects(shape: Shape) -> list[Any]:
    fields = dict.fromkeys(shape.required, shape.rest or ANY) | dict(shape.fields)
    closed = shape.rest is not None and not shape.rest.kinds
    if shape.rest is not None and not closed:
        alike = all(one == shape.rest for one in fields.values())
        return [dict[str, type_of(shape.rest)]] if alike and not shape.required else []  # type: ignore[misc]
    specs: list[Any] = []
    names: dict[str, str] = {}
    for number, (name, one) in enumerate(fields.items()):
        if one == ANY and not closed and name not in shape.required:
            continue
        own = name.isidentifier() and not name.startswith("_") and not iskeyword(name)
        attribute = name if own else f"_{number}"
        names[attribute] = name
        type_ = type_of(one)
        if name in shape.required:
            specs.append((attribute, type_))
        else:
            either = type_ if type_ is Raw else Union[type_, UnsetType]  # noqa: UP007
            specs.append((attribute, either, UNSET))
    return [
        msgspec.defstruct(
            "Object", specs, kw_only=True, gc=False, rename=names, forbid_unknown_fields=closed
        )
    ]
