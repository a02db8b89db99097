"""The shipped schemas, read from their files and compiled once."""

from collections.abc import Mapping
from functools import reduce
from typing import Any, Final
from urllib.parse import quote

from schemas.checker import Checker, Shelf
from schemas.documents import URN, documents
from schemas.parts import Parts, parts_of, unversioned
from schemas.plan import Plan
from schemas.shape import Shape, shape_of

PARTS: Final = 1_000
"""Calls whose parts are remembered, those that come first: of plans with large rules some 40 KB and
5 ms each. Others are judged by their schemas, as they would be without any parts."""

TYPES: Final = ("track", "identify", "page", "screen", "group", "alias")


class Schemas:
    """All shipped schemas, compiled."""

    __slots__ = (
        "_accept",
        "_clean",
        "_parts",
        "_semantic",
        "_shelf",
        "_typed",
        "deadletter",
        "delivery",
        "envelope",
        "record",
        "rejected",
    )

    def __init__(self, shelf: Shelf) -> None:
        def checker(name: str) -> Checker:
            return Checker({"$ref": URN + name}, shelf)

        self._accept = {type_: checker(type_) for type_ in TYPES}
        self._typed = {type_: checker(f"typed#/$defs/{type_}") for type_ in TYPES}
        contract = {type_: (type_, f"typed#/$defs/{type_}", "clean") for type_ in TYPES}
        self._clean = {
            type_: Checker({"allOf": [{"$ref": URN + name} for name in names]}, shelf)
            for type_, names in contract.items()
        }
        self._semantic = {
            event: checker(f"{urn.removeprefix(URN)}#/$defs/{quote(event)}")
            for urn, document in shelf.documents.items()
            if urn.startswith(URN + "semantic:")
            for event in _events(document)
        }
        self._shelf = shelf
        self._parts: dict[tuple[str, str | None, Plan | None], Parts | None] = {}
        self.envelope = checker("envelope")
        self.record = checker("record")
        self.rejected = checker("rejected")
        self.deadletter = checker("deadletter")
        self.delivery = checker("delivery")

    def clean(self, type: str) -> Checker:  # noqa: A002 -- as below
        """Both `accept` and `typed`, and nothing to mend before: most events pass, by one look."""
        return self._clean[type]

    def accept(self, type: str) -> Checker:  # noqa: A002 -- the field's own name, in every SDK
        """The contract that decides whether a call of this type is kept; KeyError for no type."""
        return self._accept[type]

    def typed(self, type: str) -> Checker:  # noqa: A002 -- as above
        """The types we expect of the reserved fields: to report, not to refuse."""
        return self._typed[type]

    def semantic(self, type: str, event: str | None) -> Checker | None:  # noqa: A002 -- as above
        """The public specification of this event's name, if it has one; names are exact."""
        return self._semantic.get(event) if type == "track" and isinstance(event, str) else None

    def parts(
        self,
        type: str,  # noqa: A002 -- as above
        event: str | None,
        plan: Plan | None = None,
    ) -> Parts | None:
        """What `typed`, `semantic` and the plan ask of the parts of a call; None when it cannot be
        told so. A call that says something of its plan's rules fits none of the parts.

        `event` is a track's name, else None.
        """
        named = event in self._semantic or (plan is not None and plan.planned(type, event))
        key = (type, event if named else None, plan)
        try:
            return self._parts[key]
        except KeyError:
            if len(self._parts) >= PARTS:
                return None
        parts = self._parts[key] = self._parts_of(*key)
        return parts

    def _parts_of(self, type_: str, event: str | None, plan: Plan | None) -> Parts | None:
        checkers = [self._typed[type_]]
        if event in self._semantic:
            checkers.append(self._semantic[event])
        if plan is not None:
            checkers += plan.find(type_, event, None)
        shapes = [shape_of(checker.schema, self._shelf.documents) for checker in checkers]
        shape = reduce(Shape.__and__, shapes)
        return parts_of(type_, event, shape if plan is None else unversioned(shape))

    @property
    def semantic_events(self) -> tuple[str, ...]:
        """The names that a public specification knows."""
        return tuple(self._semantic)


def load() -> Schemas:
    """Read and compile all that is shipped; the caller keeps the result."""
    return Schemas(Shelf.of(documents()))


def _events(document: Mapping[str, Any]) -> list[str]:
    """A definition is an event's when it says so itself; the others are parts."""
    return [
        name
        for name, part in document["$defs"].items()
        if part.get("properties", {}).get("event", {}).get("const") == name
    ]
