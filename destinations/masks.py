"""What a value is, without saying it: fields of requests are shown to people who ask. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

DEEPEST: Final = 4
"""Levels of a value that are shown."""

MOST: Final = 50
"""Entries of one mapping that are shown."""

_KINDS: Final = (
    ("sha256…", re.compile(r"[0-9a-fA-F]{64}")),
    ("an e-mail address", re.compile(r"[^@\s]+@[^@\s]+")),
    ("a time", re.compile(r"\d{4}-\d\d-\d\d([T ][\d:.,]+(Z|[+-]\d\d:?\d\d)?)?")),
    ("an address", re.compile(r"[a-z]+://\S*")),
    ("a phone number", re.compile(r"\+\d[\d ()-]{5,}")),
    ("digits", re.compile(r"\d+")),
)


def masked(value: Any, shown: frozenset[str] = frozenset(), depth: int = DEEPEST) -> Any:
    """The shape of a value: names stay, values become their kinds; texts of `shown` stay."""
    match value:
        case None | bool():
            return value
        case int() | float():
            return "a number"
        case str():
            return value if value in shown else _kind(value)
        case Mapping():
            if depth == 0:
                return f"{len(value)} entries"
            some = list(value.items())[:MOST]
            return {str(name): masked(held, shown, depth - 1) for name, held in some}
        case list() | tuple():
            first = masked(value[0], shown, max(0, depth - 1)) if value and depth else None
            return [first, f"{len(value)} in all"] if len(value) > 1 else [first] * len(value)
        case _:
            return "a value"


def _kind(text: str) -> str:
    # Long texts are none of the kinds, and matching them takes time.
    for kind, pattern in _KINDS if len(text) <= 300 else ():
        if pattern.fullmatch(text):
            return kind
    return f"text of {len(text)}"
