"""What the ledger says of each event of a range at one instance, in a byte for each.

A range may hold millions of events, so what is known of one is a number: the last word that any
page says of it, told apart from what the replay that asks has done itself.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Final

from destinations import ledger, scroll
from destinations.ledger import FINAL, Line, Page, offsets_of, page_of
from hub.log import DELIVERIES, Log, Span

UNTOLD: Final = 0
DELIVERED: Final = 1
PARKED: Final = 2
OURS: Final = 3
_CODES: Final = 4
"""From here on a number stands for a code: why it was filtered, refused, or expired."""

MARGIN_SECONDS: Final = 3_600.0
"""So much earlier than the range the ledger is read: clocks differ, and are set."""


class Verdicts:
    """About the offsets of `spans`; `replay` is the one that asks, if one does."""

    def __init__(self, destination: str, spans: Iterable[Span], replay: str = "") -> None:
        self.destination = destination
        self.replay = replay
        self.began: float | None = None
        """When the replay wrote its first page, in seconds since the epoch."""
        self.doubts: dict[int, dict[int, int]] = defaultdict(dict)
        """By partition, offsets that the replay began to send, and the page that tells so."""
        self._spans = {span.partition: span for span in spans}
        self._said = {p: bytearray(span.end - span.first) for p, span in self._spans.items()}
        self._codes: list[str] = []
        self._numbers: dict[str, int] = {}

    def of(self, partition: int, offset: int) -> int:
        """UNTOLD, DELIVERED, PARKED or OURS, or a number that `code` reads."""
        span = self._spans.get(partition)
        if span is None or not span.first <= offset < span.end:
            return UNTOLD
        return self._said[partition][offset - span.first]

    def code(self, verdict: int) -> str | None:
        """Why the event was not delivered, if that is what was said."""
        return self._codes[verdict - _CODES] if verdict >= _CODES else None

    def finish(self, partition: int, offset: int) -> None:
        """The replay has done with the event."""
        self._say(partition, offset, offset + 1, OURS)

    def hear(self, page: Page, place: int) -> None:
        """What the page at offset `place` of the ledger says, after all pages before it."""
        ours = bool(self.replay) and page.replay == self.replay
        if ours and (self.began is None or page.at < self.began):
            self.began = page.at
        for line in page.lines:
            if ours:
                self._hear_intent(page.partition, line, place)
            outcome = line["outcome"]
            if outcome in FINAL:
                verdict = OURS if ours else self._verdict(line)
            elif outcome == ledger.PARKED:
                verdict = PARKED
            else:
                continue
            for first, end in offsets_of(line):
                self._say(page.partition, first, end, verdict)

    def _hear_intent(self, partition: int, line: Line, place: int) -> None:
        if line["outcome"] == ledger.SENDING:
            self.doubts[partition].setdefault(line["offset"], place)
        elif "offset" in line and not (line["outcome"] == ledger.FAILED and "in_doubt" in line):
            self.doubts[partition].pop(line["offset"], None)

    def _verdict(self, line: Line) -> int:
        if line["outcome"] == ledger.DELIVERED:
            return DELIVERED
        code = line["code"]
        if code not in self._numbers:
            # Codes are few by their nature; if they are not, the last ones share a number.
            if len(self._codes) < 256 - _CODES:
                self._codes.append(code)
            self._numbers[code] = _CODES + len(self._codes) - 1
        return self._numbers[code]

    def _say(self, partition: int, first: int, end: int, verdict: int) -> None:
        span = self._spans.get(partition)
        if span is None:
            return
        said = self._said[partition]
        first, end = max(first, span.first), min(end, span.end)
        for at in range(first - span.first, end - span.first):
            # What the replay has done is done, whatever others say of it later.
            if said[at] != OURS:
                said[at] = verdict


async def told(
    log: Log, destination: str, spans: Mapping[int, Span], since: float | None, replay: str = ""
) -> Verdicts:
    """What the ledger says now of events in `spans`, by partition, that were appended from `since`
    on (None: ever), in seconds since the epoch. Raises LogUnavailable.
    """
    verdicts = Verdicts(destination, spans.values(), replay)
    low = min((span.first for span in spans.values()), default=0)
    high = max((span.end for span in spans.values()), default=0)
    begins = None if since is None else max(0.0, since - MARGIN_SECONDS)
    for span in await scroll.spans(log, DELIVERIES, begins):
        async for record in scroll.records(log, DELIVERIES, span):
            headers = dict(record.headers)
            if headers.get("to") != destination.encode():
                continue
            if int(headers["low"]) < high and int(headers["high"]) >= low:
                verdicts.hear(page_of(record), record.offset)
    return verdicts
