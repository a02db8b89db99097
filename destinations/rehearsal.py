"""A replay without sending: what would become of each event of its range, and three samples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from destinations.choice import SENTENCES
from destinations.plan import EXPIRED, Boarding, Filtered, Plan
from destinations.rendering import rendered
from destinations.replay import Range, chosen
from hub.event import Event
from hub.log import Log

SAMPLES: Final = 3
"""Requests that are shown."""


@dataclass(slots=True)
class Rehearsal:
    """Counts by verdict. `twice`: of those to be sent, how many were delivered and would count
    twice at the vendor.
    """

    sent: Counter[str] = field(default_factory=Counter)
    filtered: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    expired: int = 0
    broke: int = 0
    twice: int = 0
    samples: list[dict[str, Any]] = field(default_factory=list)

    def judge(self, plan: Plan, event: Event, now: float, delivered: bool) -> None:
        """Count one event; `delivered`: the vendor took it before."""
        try:
            verdict = plan.judge(event, now)
        except Exception:
            # As the engine has it: the vendor's own function broke, and the next event goes on.
            self.broke += 1
            return
        match verdict:
            case Filtered(reason):
                self.filtered[reason] += 1
            case Boarding(action, _):
                self.sent[action.name] += 1
                self.twice += delivered and not plan.repeats(action, now - event.received_at)
                if len(self.samples) < SAMPLES:
                    self.samples.append({"id": event.id, **rendered(plan, event, now)})
            case refusal if refusal.code == EXPIRED:
                self.expired += 1
            case refusal:
                self.refused[refusal.code] += 1


async def rehearsed(plan: Plan, log: Log, of: Range, now: float) -> Rehearsal:
    """What would become of the range at `now` (epoch seconds). Raises LogUnavailable."""
    found = Rehearsal()
    async for events in chosen(log, of):
        for event in events:
            found.judge(plan, event, now, of.chooser.was_delivered(event))
    return found


def told(found: Rehearsal, of: Range) -> Iterator[str]:
    """The rehearsal, line by line."""
    yield f"{of.total:,} records in the range"
    yield from _counted("would be sent by ", found.sent)
    yield from _counted("would count twice: ", {"the vendor took them before": found.twice})
    yield from _counted("would be filtered: ", found.filtered)
    yield from _counted("would be refused: ", found.refused)
    yield from _counted(
        "would be ", {"expired": found.expired, "left, for their mapping breaks": found.broke}
    )
    yield from skipped(of)
    for sample in found.samples:
        yield orjson.dumps(sample, option=orjson.OPT_INDENT_2).decode()


def skipped(of: Range) -> Iterator[str]:
    """What was not chosen, and why."""
    counts = of.chooser.counts
    return _counted(
        "skipped: ",
        {sentence: counts[choice] for choice, sentence in SENTENCES.items() if choice != "sent"},
    )


def _counted(what: str, counts: Mapping[str, int]) -> Iterator[str]:
    return (f"{count:>12,}  {what}{name}" for name, count in counts.items() if count)
