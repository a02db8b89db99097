"""What the checker is told: the vendors' journals, followed as they grow, and the log's pages."""

from __future__ import annotations

import time
import tomllib
from collections import defaultdict
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, BinaryIO

import orjson
from pydantic import TypeAdapter

from hub.log import DELIVERIES, EVENTS, Log, Record
from hub.log.opening import open_log
from hub.log.settings import LogSettings
from tests.faults.checker import IN_DOUBT, Place, Took

PAGE = 1_000


class Journal:
    """A growing journal: what each vendor `took`, when it was seen here, whatever clock the vendor
    has; and when it took it `first` by its own clock, by id.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None
        self._rest = b""
        self.took: dict[str, list[Took]] = defaultdict(list)
        self.first: dict[str, dict[str, float]] = defaultdict(dict)
        self.grew_at = time.time()

    def follow(self) -> None:
        """Read what is new."""
        if self._file is None:
            if not self._path.exists():
                return
            self._file = self._path.open("rb")
        now = time.time()
        *lines, self._rest = (self._rest + self._file.read()).split(b"\n")
        for told in map(orjson.loads, lines):
            for one in told["took"]:
                self.grew_at = now
                self.took[told["place"]].append(Took(one, now))
                self.first[told["place"]].setdefault(one, told["at"])

    def misses(self, place: str, wanted: set[str]) -> bool:
        """Whether the vendor has not taken all that is wanted of it."""
        took = self.first[place]
        return len(took) < len(wanted) or not wanted <= took.keys()

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


async def opened(log: str) -> Log:
    """The log of a stage's `[log]` table."""
    settings = tomllib.loads(log)["log"]
    return await open_log(TypeAdapter(LogSettings).validate_python(settings))


async def accepted(log: Log) -> tuple[dict[Place, str], dict[str, float]]:
    """The message id of every record of `events`; and when ingest first received each id."""
    records: dict[Place, str] = {}
    received: dict[str, float] = {}
    async for record in _all(log, EVENTS):
        one = orjson.loads(record.value)["messageId"]
        records[record.partition, record.offset] = one
        at = int(dict(record.headers)["at"]) / 1_000
        received[one] = min(at, received.get(one, at))
    return records, received


async def told(log: Log) -> dict[str, dict[Place, frozenset[str]]]:
    """By instance, the outcomes that the ledger's pages tell of each place in `events`.

    The pages are read as `schemas/delivery.json` says, and not by the code that wrote them.
    """
    found: dict[str, dict[Place, frozenset[str]]] = defaultdict(dict)
    # One set for all places that have come to the same, since there may be millions.
    shared: dict[frozenset[str], frozenset[str]] = {}
    async for record in _all(log, DELIVERIES):
        page = orjson.loads(record.value)
        outcomes = found[page["destination"]]
        for line in page["lines"]:
            doubtful = line.get("code") == IN_DOUBT and line["outcome"] == "refused"
            outcome = IN_DOUBT if doubtful else line["outcome"]
            for offset in _offsets(line):
                place = page["partition"], offset
                ends = outcomes.get(place, frozenset()) | {outcome}
                outcomes[place] = shared.setdefault(ends, ends)
    return found


def _offsets(line: dict[str, Any]) -> list[int]:
    if "offset" in line:
        return [line["offset"]]
    if "events" in line:
        return [offset for offset, *_ in line["events"]]
    return [offset for first, end in line["offsets"] for offset in range(first, end)]


async def _all(log: Log, stream: str) -> AsyncIterator[Record]:
    (status,) = [one for one in await log.status() if one.stream == stream]
    for span in status.spans:
        place = span.first
        while place < span.end:
            records = await log.read(stream, span.partition, place, PAGE)
            if not records:
                break
            for record in records:
                yield record
            place = records[-1].offset + 1
