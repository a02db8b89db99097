"""What became of events and is not in the ledger yet, page by page. Pure; `worker` appends it.

Events count as finished when their line is durable, not before.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from destinations import ledger
from destinations.item import Item
from destinations.ledger import (
    LINES,
    Line,
    Page,
    entry_of,
    filtered_line,
    line_of,
    offsets_of,
    shared_line,
)
from destinations.progress import Progress
from destinations.ranges import Range, joined
from hub.log import Entry


@dataclass(slots=True)
class Leaf:
    """Lines of one partition, and the offsets that are finished once they are durable.

    `told`: of how many events the lines tell.
    """

    progress: Progress
    lines: list[Line] = field(default_factory=list)
    filtered: dict[str, list[Range]] = field(default_factory=lambda: defaultdict(list))
    events: list[Range] = field(default_factory=list)
    parked: list[int] = field(default_factory=list)
    told: int = 0

    def __len__(self) -> int:
        """Ranges of `events`, and offsets of `parked`, that it finishes."""
        return len(self.events) + len(self.parked)

    def durable(self, page: int | None) -> None:
        """The leaf is page `page` of `deliveries` (None if it tells nothing): it has happened."""
        progress = self.progress
        for line in self.lines:
            if line["outcome"] == ledger.SENDING and page is not None:
                progress.intends(line["offset"], page)
            elif progress.awaits:
                progress.heard(offset for offset, _ in offsets_of(line))
        progress.events.finish_all(self.events)
        progress.parked.finish_all([(offset, offset + 1) for offset in self.parked])
        if page is not None:
            progress.paged(page)


class Book:
    """One instance's lines that are not durable. `replay`: whose work it is, if a replay's."""

    def __init__(self, destination: str, replay: str = "") -> None:
        self._destination = destination
        self.replay = replay
        self._open: dict[Progress, Leaf] = {}
        self._pressed = False
        self._full: list[Leaf] = []
        self._waiting = 0

    def __len__(self) -> int:
        """Events that are told of, and not durably; left-out neighbours count as one."""
        return self._waiting

    @property
    def empty(self) -> bool:
        """Whether there is nothing to append."""
        return not self._open and not self._full

    @property
    def pressing(self) -> bool:
        """Whether there is something that must not wait. What is left out may: if it is lost, it is
        left out again, at no cost to anybody.
        """
        return self._pressed or bool(self._full) or any(leaf.lines for leaf in self._open.values())

    def press(self) -> None:
        """All that there is has waited for company long enough."""
        self._pressed = not self.empty

    def ends(self, item: Item, outcome: str, **told: Any) -> None:
        """The item needs nothing more."""
        self._finishes(item)
        if item.parked is not None:
            told["parked"] = item.parked
        if item.in_doubt:
            told["in_doubt"] = True
        self._write(item, outcome, told)

    def delivered(self, items: Sequence[Item], **told: Any) -> None:
        """Items that were taken from `events` and that one request delivered at its first attempt.

        Those of one partition are one line.
        """
        for progress, all_ in _by_progress(items):
            for first in range(0, len(all_), LINES):
                some = all_[first : first + LINES]
                leaf = self._leaf(progress)
                leaf.events += [(item.offset, item.offset + 1) for item in some]
                line = shared_line([item.event for item in some], ledger.DELIVERED, **told)
                self._add(leaf, line, len(some))
        self._waiting += len(items)

    def moves(self, item: Item, parked: int) -> None:
        """The item's event waits in `parked` from now on, and not in `events`."""
        self.finished(item.progress, item.offset)
        self._write(item, ledger.PARKED, {"parked": parked})

    def goes_on(self, item: Item, outcome: str, **told: Any) -> None:
        """Something happened to the item, and more will."""
        if item.in_doubt:
            told["in_doubt"] = True
        self._write(item, outcome, told)

    def left_out(self, progress: Progress, read: Range, events: Iterable[Range], code: str) -> None:
        """Neighbours that stand at `events`, and began as `read`, are not for this instance."""
        leaf = self._leaf(progress)
        leaf.filtered[code] += events
        leaf.events.append(read)
        self._waiting += 1

    def filtered(self, item: Item, code: str) -> None:
        """The item is not for this instance, as its body tells."""
        offset = item.event.record.offset
        self._leaf(item.progress).filtered[code].append((offset, offset + 1))
        self._finishes(item)

    def finished(self, progress: Progress, offset: int) -> None:
        """A record needs nothing, and nothing can be told of it: it is no event."""
        self._leaf(progress).events.append((offset, offset + 1))
        self._waiting += 1

    def leaves(self) -> list[Leaf]:
        """All that is written since the last time; who takes it appends it, or puts it back."""
        leaves = [*self._full, *self._open.values()]
        self._full, self._open, self._pressed = [], {}, False
        return leaves

    def put_back(self, leaves: Sequence[Leaf]) -> None:
        """Leaves that were taken and could not be appended come before all that follows."""
        self._full = [*leaves, *self._full]

    def durable(self, leaf: Leaf, page: int | None) -> None:
        """A leaf that was taken is durable."""
        leaf.durable(page)
        self._waiting -= len(leaf)

    def entry(self, leaf: Leaf, now: float) -> Entry | None:
        """The leaf as an entry of `deliveries`; None when it has nothing to tell."""
        lines = list(leaf.lines)
        lines += [filtered_line(code, joined(found)) for code, found in leaf.filtered.items()]
        if not lines:
            return None
        page = Page(self._destination, leaf.progress.partition, now, lines, self.replay)
        return entry_of(page, leaf.progress.key)

    def _finishes(self, item: Item) -> None:
        if item.parked is None:
            self.finished(item.progress, item.offset)
        else:
            self._leaf(item.progress).parked.append(item.offset)
            self._waiting += 1

    def _write(self, item: Item, outcome: str, told: dict[str, Any]) -> None:
        self._add(self._leaf(item.progress), line_of(item.event, outcome, **told), 1)

    def _add(self, leaf: Leaf, line: Line, events: int) -> None:
        leaf.lines.append(line)
        leaf.told += events
        if leaf.told >= LINES:
            self._full.append(self._open.pop(leaf.progress))

    def _leaf(self, progress: Progress) -> Leaf:
        leaf = self._open.get(progress)
        if leaf is None:
            leaf = self._open[progress] = Leaf(progress)
        return leaf


def _by_progress(items: Sequence[Item]) -> Iterable[tuple[Progress, Sequence[Item]]]:
    if len(items) == 1:  # as in most requests
        return ((items[0].progress, items),)
    found: dict[Progress, list[Item]] = defaultdict(list)
    for item in items:
        found[item.progress].append(item)
    return found.items()
