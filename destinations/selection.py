"""Which events a person means: by name, type, source, id, and when they were taken in. Pure."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from hub.log.moment import moment
from hub.settings import Fault, Misconfigured

TYPES: Final = ("track", "identify", "page", "screen", "group", "alias")


@dataclass(frozen=True, slots=True)
class Selection:
    """All that is given must hold; what is empty or None asks for nothing.

    `since` and `until` in seconds since the epoch: from then on, and before then.
    """

    names: frozenset[str] = frozenset()
    types: frozenset[str] = frozenset()
    sources: frozenset[str] = frozenset()
    ids: frozenset[str] = frozenset()
    codes: frozenset[str] = frozenset()
    since: float | None = None
    until: float | None = None

    def means(self, *, id: str, type: str, name: str, source: str) -> bool:  # noqa: A002
        """Whether an event is meant, as far as its headers tell."""
        return (
            (not self.names or name in self.names)
            and (not self.types or type in self.types)
            and (not self.sources or source in self.sources)
            and (not self.ids or id in self.ids)
        )


def add_arguments(parser: argparse.ArgumentParser, when: str) -> None:
    """The words that `selection_of` reads; `when` says which time is meant."""
    parser.add_argument("--event", action="append", metavar="NAME", help="with this name")
    parser.add_argument("--type", action="append", choices=TYPES, help="of this type")
    parser.add_argument("--source", action="append", metavar="NAME", help="from this source")
    parser.add_argument("--id", action="append", metavar="MESSAGE_ID", help="with this messageId")
    parser.add_argument("--code", action="append", help="with this code")
    said = "start, 15m, 2h or 7d ago, or 2026-11-21T10:00:00Z"
    parser.add_argument("--from", dest="since", metavar="T", help=f"{when} at or after: {said}")
    parser.add_argument("--to", dest="until", metavar="T", help=f"{when} before")


def selection_of(options: argparse.Namespace, now: float) -> Selection:
    """What the words say at `now`. Raises Misconfigured for what is no time."""
    return Selection(
        _set(options.event),
        _set(options.type),
        _set(options.source),
        _set(options.id),
        _set(options.code),
        _time("--from", options.since, now),
        _time("--to", options.until, now),
    )


def _set(said: Sequence[str] | None) -> frozenset[str]:
    return frozenset(said or ())


def _time(name: str, said: Any, now: float) -> float | None:
    if said is None:
        return None
    try:
        return moment(said, now)
    except ValueError as error:
        raise Misconfigured([Fault(name, str(error))]) from None
