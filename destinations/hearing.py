"""What an instance hears, as far as headers tell; each kind of event is judged once. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from destinations.instance import Filter, Instance
from destinations.spec import Action
from hub.event import KIND, KIND_NAMES, Event
from hub.log import Headers, Record

# The words are Segment's discard codes, in lower case, so that a dashboard of one reads the other.
BY_SOURCE = "filtered_by_source"
BY_RULES = "filtered_by_rules"
NO_ACTION = "no_matching_action"

KINDS: Final = 10_000
"""Kinds whose verdict is remembered: senders choose the names of events, and may invent more."""


_UNJUDGED: Final = "unjudged"


class Hearing:
    """One instance's ear."""

    def __init__(self, instance: Instance, actions: Sequence[Action[Any]]) -> None:
        self._instance = instance
        self._actions = actions
        self._known: dict[Headers, str | None] = {}

    def unheard(self, record: Record) -> str | None:
        """Why the instance does not hear the event of `record`; None when it does.

        Raises KeyError when a header is missing.
        """
        kind = record.headers[KIND]
        known = self._known
        why = known.get(kind, _UNJUDGED)
        if why is not _UNJUDGED:
            return why
        why = self._judge(Event.of(record))
        # Of what another wrote, in another order, the slice is not the whole kind.
        if tuple(name for name, _ in kind) == KIND_NAMES:
            if len(known) >= KINDS:
                known.clear()
            known[kind] = why
        return why

    def _judge(self, event: Event) -> str | None:
        sources = self._instance.sources
        if "*" not in sources and event.source not in sources:
            return BY_SOURCE
        if not _heard(self._instance.filter, event):
            return BY_RULES
        if not any(named(action, event) for action in self._actions):
            return NO_ACTION
        return None


def named(action: Action[Any], event: Event) -> bool:
    """Whether the action is for events of this type and name."""
    on = action.on
    return event.type in on.types and (on.names is None or event.name in on.names)


def _heard(filter: Filter, event: Event) -> bool:  # noqa: A002 - the setting's name
    if filter.types is not None and event.type not in filter.types:
        return False
    if filter.events is not None and event.name not in filter.events:
        return False
    return event.name not in filter.except_events
