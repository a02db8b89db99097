"""Both streams, durable before the answer: a promise is given when the log has given its own.

The answer waits `seconds` at most. An append that takes longer goes on, and so does its
reservation of message ids: when it succeeds after all, the client's retry is a duplicate, and is
answered 200 without being appended twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from hub.clock import Clock
from hub.log import EVENTS, REJECTED, Entry, EntryTooLarge, Log, LogError
from ingest.admission import Stay
from ingest.dedupe import Known, Seen, digest_of
from ingest.happenings import Happenings
from ingest.spool import SpoolFull
from ingest.validate import Valid

Promise = asyncio.Future[bool]

RECALLED: Final = 100_000
"""Records read at the start, for their ids; a second or two of reading."""


class Appending(Protocol):
    """A log as far as it is needed here, or the way around one."""

    async def append(self, stream: str, entries: Sequence[Entry]) -> object:
        """As `Log.append`; may raise SpoolFull, too."""


@dataclass(slots=True, eq=False)
class Ticket:
    """What one request wants kept, and whose promises it waits for."""

    source: str
    stay: Stay
    events: list[Entry] = field(default_factory=list)
    types: list[str] = field(default_factory=list)
    refused: list[Entry] = field(default_factory=list)
    codes: list[str] = field(default_factory=list)
    digests: list[bytes] = field(default_factory=list)
    others: set[Promise] = field(default_factory=set)
    promise: Promise | None = None
    late: int = 0
    duplicates: int = 0


class Keeping:
    """Keeps what requests bring."""

    def __init__(
        self,
        log: Appending,
        seen: Seen[Promise],
        happenings: Happenings,
        clock: Clock,
        seconds: float,
    ) -> None:
        self._log = log
        self._seen = seen
        self._happenings = happenings
        self._clock = clock
        self._seconds = seconds
        self._tasks: set[asyncio.Task[str]] = set()

    def is_new(self, ticket: Ticket, found: Valid) -> bool:
        """Whether this event is the first with its id; then the id is the ticket's."""
        if not found.given_id:
            return True
        if ticket.promise is None:
            ticket.promise = asyncio.get_running_loop().create_future()
        digest = digest_of(ticket.source, found.event["messageId"])
        held = self._seen.reserve(digest, ticket.promise)
        if held is None:
            ticket.digests.append(digest)
            return True
        ticket.duplicates += 1
        if not isinstance(held, Known):
            ticket.others.add(held)
        return False

    def forget(self, ticket: Ticket) -> None:
        """Promise nothing for what of the ticket is not durable."""
        self._seen.release(ticket.digests)
        if ticket.promise is not None and not ticket.promise.done():
            ticket.promise.set_result(False)

    async def keep(self, ticket: Ticket) -> str:
        """Nothing when all of the ticket is durable, else the code of why it is not."""
        if ticket.promise is not None:
            ticket.others.discard(ticket.promise)
        task = asyncio.ensure_future(self._append(ticket))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        # The room is left when the append has ended, however long the client has been gone.
        task.add_done_callback(lambda _: ticket.stay.leave())
        ticket.stay.kept = True
        done, _ = await asyncio.wait((task,), timeout=self._seconds)
        return task.result() if done else "log_slow"

    async def recall(self, log: Log, since: float) -> int:
        """Learn the ids that a log took since then, at most RECALLED; returns how many.

        A client whose answer was lost when a process died sends its events again to the next one.
        """
        learnt = 0
        for status in await log.status():
            if status.stream != EVENTS:
                continue
            for span in status.spans:
                offset = await log.offset_at(EVENTS, span.partition, since)
                offset = max(offset, span.end - RECALLED // len(status.spans))
                while records := await log.read(EVENTS, span.partition, offset, 1_000):
                    offset = records[-1].offset + 1
                    headers = [dict(record.headers) for record in records]
                    known = [
                        digest_of(one["source"].decode(), one["id"].decode())
                        for one in headers
                        if "source" in one and "id" in one
                    ]
                    self._seen.confirm(known, self._clock.steady())
                    learnt += len(known)
                    if offset >= span.end:
                        break
        return learnt

    async def close(self) -> None:
        """Hear out the appends that are under way."""
        if self._tasks:
            await asyncio.wait(set(self._tasks))

    async def _append(self, ticket: Ticket) -> str:
        try:
            return await self._appended(ticket)
        except LogError as error:
            return _code_of(error)
        except Exception as error:
            self._happenings.failed(error)
            return "internal"
        finally:
            self.forget(ticket)

    async def _appended(self, ticket: Ticket) -> str:
        if ticket.events:
            began = self._clock.steady()
            await self._log.append(EVENTS, ticket.events)
            self._happenings.appended(self._clock.steady() - began)
            self._seen.confirm(ticket.digests, self._clock.steady())
            ticket.digests = []
            if ticket.promise is not None:
                ticket.promise.set_result(True)
            self._happenings.accepted(ticket.source, ticket.types, ticket.late)
        if ticket.refused:
            await self._log.append(REJECTED, ticket.refused)
            self._happenings.refused(ticket.source, ticket.codes)
        if ticket.others:
            await asyncio.wait(ticket.others)
            if not all(promise.result() for promise in ticket.others):
                return "log_unavailable"
        if ticket.duplicates:
            self._happenings.duplicated(ticket.source, ticket.duplicates)
        return ""


def _code_of(error: LogError) -> str:
    match error:
        case EntryTooLarge():
            return "event_too_large"
        case SpoolFull():
            return "spool_full"
        case _:
            return "log_unavailable"
