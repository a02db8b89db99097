"""Events of a range of the log as an errand: chosen ones are sent once more to one instance.

Where it stands is in the ledger: its own pages carry its name, and what they call final is done. So
the same replay may be begun again after any end, and repeats at most what was on the road.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass

from destinations import scroll, verdicts
from destinations.choice import Chooser
from destinations.errand import Errand
from destinations.selection import Selection
from destinations.verdicts import OURS, Verdicts
from hub.clock import Clock
from hub.event import Event
from hub.log import EVENTS, Log, Place, Record, Span


@dataclass(slots=True)
class Range:
    """A range of the log as one instance stands to it; `looked`: records that were looked at."""

    spans: Mapping[int, Span]
    chooser: Chooser
    until: float
    looked: int = 0

    @property
    def total(self) -> int:
        """Records that there are, chosen or not."""
        return sum(span.end - span.first for span in self.spans.values())

    @property
    def verdicts(self) -> Verdicts:
        """What was said of them before."""
        return self.chooser.verdicts


async def surveyed(
    log: Log, name: str, selection: Selection, now: float, *, replay: str, everything: bool = False
) -> Range:
    """The range that is meant, and what is known of it at `now`. Raises LogUnavailable.

    Without an end it ends now; when the replay was begun before, when its first page was written.
    """
    # First the places and then the ledger: what is told after a place was read is known anyhow.
    groups = next(one.groups for one in await log.status() if one.stream == EVENTS)
    until = now if selection.until is None else selection.until
    spans = await _spans(log, selection.since, until)
    known = await verdicts.told(log, name, spans, selection.since, replay)
    if selection.until is None and known.began is not None:
        until = known.began
        spans = await _spans(log, selection.since, until)
    return Range(spans, Chooser(selection, known, groups.get(name, {}), everything), until)


async def _spans(log: Log, since: float | None, until: float) -> dict[int, Span]:
    return {span.partition: span for span in await scroll.spans(log, EVENTS, since, until)}


async def chosen(log: Log, of: Range) -> AsyncGenerator[Sequence[Event], None]:
    """The events that are to be sent, a page of each partition in turn."""
    turns = deque(scroll.pages(log, EVENTS, span) for span in of.spans.values())
    while turns:
        some = await anext(turns[0], None)
        if some is None:
            turns.popleft()
            continue
        turns.rotate(-1)
        of.looked += len(some)
        yield [event for record in some if (event := of.chooser.choose(record)) is not None]


def replay(log: Log, of: Range, clock: Clock, rate: float) -> Errand[Place]:
    """The errand of sending the events of a range, `rate` of them a second."""

    async def given() -> AsyncGenerator[Sequence[tuple[Record, Place]], None]:
        async for events in chosen(log, of):
            yield [(event.record, _place(event)) for event in events]

    async def finish(places: Sequence[Place]) -> None:
        for place in places:
            of.verdicts.finish(place.partition, place.offset)

    return Errand(of.verdicts.replay, given(), finish, clock, rate, of.verdicts.doubts)


def is_settled(of: Range, place: Place) -> bool:
    """Whether the replay has done with the event at `place`, so that no letter of it is open."""
    return of.verdicts.of(place.partition, place.offset) == OURS


def _place(event: Event) -> Place:
    return Place(event.record.partition, event.record.offset)
