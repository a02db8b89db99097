"""Where a field's value comes from: sources that run on an event and print for a person."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from dataclasses import field as slot  # `field` is a mapped one here
from typing import Any, Protocol


class Unfit(Exception):
    """A value that cannot be said in the vendor's terms. The sentence never holds the value."""


class Source(Protocol):
    """Finds a value in a flat Segment event; None where there is none."""

    def find(self, event: Mapping[str, Any]) -> Any: ...

    def __str__(self) -> str: ...


@dataclass(frozen=True, slots=True)
class At:
    """The value at a dotted path: `properties.products.0.price`."""

    path: str
    steps: tuple[str, ...] = slot(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "steps", tuple(self.path.split(".")))

    def find(self, event: Mapping[str, Any]) -> Any:
        value: Any = event
        for step in self.steps:
            # A vendor may ask a hundred paths of an event: `dict` first spares the slow check.
            if isinstance(value, (dict, Mapping)):
                value = value.get(step)
            elif isinstance(value, list) and step.isdecimal() and int(step) < len(value):
                value = value[int(step)]
            else:
                return None
        return value

    def __str__(self) -> str:
        return self.path


@dataclass(frozen=True, slots=True)
class First:
    """The first source that finds something; empty text and empty lists count as nothing."""

    sources: tuple[Source, ...]

    def __init__(self, *sources: Source | str) -> None:
        object.__setattr__(
            self, "sources", tuple(At(s) if isinstance(s, str) else s for s in sources)
        )

    def find(self, event: Mapping[str, Any]) -> Any:
        for source in self.sources:
            value = source.find(event)
            if value is not None and value not in ("", [], {}):
                return value
        return None

    def __str__(self) -> str:
        return ", else ".join(map(str, self.sources))


@dataclass(frozen=True, slots=True)
class Const:
    """Always the same value."""

    value: Any

    def find(self, event: Mapping[str, Any]) -> Any:
        del event
        return self.value

    def __str__(self) -> str:
        return repr(self.value)


@dataclass(frozen=True, slots=True)
class Made:
    """A value that a vendor's own function makes of the event; `sentence` is how it is printed."""

    sentence: str
    make: Callable[[Mapping[str, Any]], Any]

    def find(self, event: Mapping[str, Any]) -> Any:
        return self.make(event)

    def __str__(self) -> str:
        return self.sentence


Form = Callable[[Any], Any]
"""Puts a raw value into the vendor's form (E.164, a hash). Raises Unfit; None: leave it out."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field of an action: a sentence, where it comes from, and the form it takes.

    Settings may replace the source; the form stays, so an overridden e-mail is hashed all the same.
    """

    sentence: str
    source: Source
    form: Form | None = None
    required: bool = False


def fill(fields: Mapping[str, Field], event: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of `event`; absent and unfit optional ones are left out.

    Raises Unfit naming the required field that is missing or unfit.
    """
    filled: dict[str, Any] = {}
    for name, field in fields.items():
        try:
            value = field.source.find(event)
            if value is not None and field.form is not None:
                value = field.form(value)
        except Unfit as error:
            if field.required:
                raise Unfit(f"{name}: {error}") from None
            continue
        if value is None or value in ("", [], {}):
            if field.required:
                raise Unfit(f"{name}: nothing found at {field.source}")
            continue
        filled[name] = value
    return filled


def source_of(said: Any) -> Source:
    """A source as `hub.toml` says it: a path, a list of paths (the first wins), or {const = ...}.

    Raises ValueError with the sentence that a settings fault shows.
    """
    if isinstance(said, str) and said:
        return At(said)
    if isinstance(said, list) and said and all(isinstance(path, str) and path for path in said):
        return First(*said)
    if isinstance(said, dict) and said.keys() == {"const"}:
        return Const(said["const"])
    raise ValueError("must be a path, a list of paths, or {const = value}")
