"""Headers that many records say alike, each as one object.

A backlog holds ten thousand records, and nearly all say the same but for their ids: made anew for
each, the same few words are some twenty objects a record, in memory that no cache holds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from typing import Final

from hub.log import Header

NAMES: Final = 64
"""Names of headers that are remembered; there are a dozen."""

VALUES: Final = 1_024
"""Values that are remembered of one name: the first that come. An id's repeat never."""

LENGTH: Final = 128
"""Characters of a name, and bytes of a value, that are remembered."""


class Pairs:
    """`known`: the headers that are remembered, by whatever the reader has in hand to ask with."""

    def __init__(self) -> None:
        self.known: dict[Hashable, Header] = {}
        self._names: dict[str, str] = {}
        self._values: Counter[str] = Counter()

    def made(self, by: Hashable, name: str, value: bytes) -> Header:
        """A header that is not known, and from now on known `by`, if there is room."""
        if name not in self._names:
            if len(self._names) >= NAMES or len(name) > LENGTH:
                return name, value
            self._names[name] = name
        made = self._names[name], value
        if self._values[name] < VALUES and len(value) <= LENGTH:
            self._values[name] += 1
            self.known[by] = made
        return made
