"""Both streams, durable before the answer: a promise is given when the log has given its own.

The answer waits `seconds` at most. An append that takes longer goes on, and so does its
reservation of message ids: when it succeeds after all, the client's retry is a duplicate, and is
answered 200 without being appended twice.

What requests bring in one turn of the event loop is appended at once: the log is asked per turn,
not per request.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Final, Protocol

from msgspec import Struct, field

from hub.clock import Clock
from hub.log import EVENTS, REJECTED, Entry, EntryTooLarge, Log, LogError
from ingest.admission import Stay
from ingest.dedupe import Known, Seen, digests_of
from ingest.happenings import Happenings
from ingest.spool import SpoolFull

Hear = Callable[[str], None]
"""Is told once that all of a ticket is durable, by nothing, or the code of why it is not."""

GATHERED_BYTES: Final = 4 * 1_048_576
"""Bytes that one append gathers at most; a request's own may be more."""

RECALLED: Final = 100_000
"""Records read at the start, for their ids; a second or two of reading."""


class Appending(Protocol):
    """A log as far as it is needed here, or the way around one."""

    async def append(self, stream: str, entries: Sequence[Entry]) -> object:
        """As `Log.append`; may raise SpoolFull, too."""


class Ticket(Struct, eq=False):
    """What one request wants kept, and whose promises it waits for."""

    source: str
    stay: Stay
    hear: Hear | None = None
    events: list[Entry] = field(default_factory=list)
    types: list[str] = field(default_factory=list)
    digests: list[int] = field(default_factory=list)
    refused: Sequence[Entry] = ()
    codes: Sequence[str] = ()
    others: frozenset[asyncio.Future[bool]] = frozenset()
    promise: asyncio.Future[bool] | None = None
    late: int = 0
    duplicates: int = 0

    def add(self, entries: Iterable[Entry], types: Iterable[str], late: int) -> None:
        """Events that are to be kept, of which so many came late."""
        self.events += entries
        self.types += types
        self.late += late

    def promised(self) -> asyncio.Future[bool]:
        """Whether its events are durable, for who brings one of them again meanwhile."""
        if self.promise is None:
            self.promise = asyncio.get_running_loop().create_future()
        return self.promise

    def entries(self, stream: str) -> Sequence[Entry]:
        """What is to be appended to a stream."""
        return self.events if stream == EVENTS else self.refused


class Keeping:
    """Keeps what requests bring."""

    def __init__(
        self,
        log: Appending,
        seen: Seen[Ticket],
        happenings: Happenings,
        clock: Clock,
        seconds: float,
    ) -> None:
        self._log = log
        self._seen = seen
        self._happenings = happenings
        self._clock = clock
        self._seconds = seconds
        self._loop = asyncio.get_running_loop()
        self._gathered: list[Ticket] = []
        self._bytes = 0
        self._tasks: set[asyncio.Task[None]] = set()

    def ticket(self, source: str, stay: Stay) -> Ticket:
        """An empty one."""
        return Ticket(source, stay)

    def is_new(self, ticket: Ticket, given_id: str) -> bool:
        """Whether an event is the first with its id, if it was given one; then the id is the
        ticket's."""
        return self.are_new(ticket, (given_id,))[0]

    def are_new(self, ticket: Ticket, given_ids: Sequence[str]) -> Sequence[bool]:
        """The same of each event in turn."""
        source = ticket.source
        digests = digests_of([(source, one) for one in given_ids if one])
        holders = self._seen.reserve(digests, ticket)
        ours = [digest for digest, held in zip(digests, holders, strict=True) if held is None]
        ticket.digests += ours
        if len(ours) == len(digests):
            return [True] * len(given_ids)
        for held in holders:
            if held is not None:
                ticket.duplicates += 1
                if not isinstance(held, Known) and held is not ticket:
                    ticket.others |= {held.promised()}
        told = iter(holders)
        return [not one or next(told) is None for one in given_ids]

    def forget(self, ticket: Ticket) -> None:
        """Promise nothing for what of the ticket is not durable."""
        self._seen.release(ticket.digests)
        if ticket.promise is not None and not ticket.promise.done():
            ticket.promise.set_result(False)

    def keep(self, ticket: Ticket, hear: Hear) -> None:
        """Make all of it durable; `hear` will be told later what came of it."""
        # The room is left when the append has ended, however long the client has been gone.
        ticket.stay.kept = True
        ticket.hear = hear
        if not self._gathered:
            self._loop.call_soon(self._begin)
        self._gathered.append(ticket)
        self._bytes += ticket.stay.size
        if self._bytes > GATHERED_BYTES:
            self._begin()

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
                    known = digests_of(
                        (one["source"].decode(), one["id"].decode())
                        for one in headers
                        if "source" in one and "id" in one
                    )
                    self._seen.confirm(known, self._clock.steady())
                    learnt += len(known)
                    if offset >= span.end:
                        break
        return learnt

    async def close(self) -> None:
        """Hear out the appends that are under way."""
        self._begin()
        if self._tasks:
            await asyncio.wait(set(self._tasks))

    def _begin(self) -> None:
        """Append what has been gathered."""
        tickets, self._gathered, self._bytes = self._gathered, [], 0
        if tickets:
            task = self._loop.create_task(self._keep(tickets))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _keep(self, tickets: Sequence[Ticket]) -> None:
        """Make durable what is in these tickets, and answer each."""
        limit = self._loop.call_later(self._seconds, self._late, tickets)
        code = "internal"
        try:
            kept = await self._append(EVENTS, tickets)
            self._accepted(kept)
            kept = await self._append(REJECTED, kept)
            for ticket in kept:
                self._refused(ticket)
            await asyncio.gather(*(self._heard(ticket) for ticket in kept if ticket.others))
            code = ""
        except Exception as error:
            self._happenings.failed(error)
        finally:
            limit.cancel()
            for ticket in tickets:
                self._end(ticket, code)

    async def _append(self, stream: str, tickets: Sequence[Ticket]) -> Sequence[Ticket]:
        """Append what the tickets have for a stream; returns those of which all is durable. The
        others have their answer.
        """
        entries = [entry for ticket in tickets for entry in ticket.entries(stream)]
        if not entries:
            return tickets
        began = self._clock.steady()
        try:
            await self._log.append(stream, entries)
        except EntryTooLarge as error:
            # Nothing was written, and one entry must not be the end of its neighbours.
            if len(tickets) > 1:
                alone = [await self._append(stream, [ticket]) for ticket in tickets]
                return [ticket for some in alone for ticket in some]
            return self._unkept(stream, tickets, error)
        except LogError as error:
            return self._unkept(stream, tickets, error)
        self._happenings.appended(self._clock.steady() - began)
        return tickets

    def _unkept(self, stream: str, tickets: Sequence[Ticket], error: LogError) -> Sequence[Ticket]:
        """Answer those that the log did not take; the others had nothing for the stream."""
        code = _code_of(error)
        for ticket in tickets:
            if ticket.entries(stream):
                self._end(ticket, code)
        return [ticket for ticket in tickets if not ticket.entries(stream)]

    def _accepted(self, tickets: Sequence[Ticket]) -> None:
        """The tickets' events are durable."""
        digests = [digest for ticket in tickets for digest in ticket.digests]
        self._seen.confirm(digests, self._clock.steady())
        types: defaultdict[str, list[str]] = defaultdict(list)
        late: Counter[str] = Counter()
        for ticket in tickets:
            ticket.digests = []
            if ticket.promise is not None:
                ticket.promise.set_result(True)
            types[ticket.source] += ticket.types
            late[ticket.source] += ticket.late
        for source, those in types.items():
            self._happenings.accepted(source, Counter(those), late[source])

    def _refused(self, ticket: Ticket) -> None:
        """So are its refusals, and nothing of it waits for the log any more."""
        if ticket.codes:
            self._happenings.refused(ticket.source, ticket.codes)
        if not ticket.others:
            self._end(ticket, "")

    async def _heard(self, ticket: Ticket) -> None:
        """Answer when others have kept what they promised, or have not."""
        await asyncio.wait(ticket.others)
        kept = all(promise.result() for promise in ticket.others)
        self._end(ticket, "" if kept else "log_unavailable")

    def _end(self, ticket: Ticket, code: str) -> None:
        """Answer a ticket, if it has not ended; what of it is not durable is not promised."""
        if ticket.stay.left:
            return
        if ticket.duplicates and not code:
            self._happenings.duplicated(ticket.source, ticket.duplicates)
        if ticket.digests or ticket.promise is not None:
            self.forget(ticket)
        ticket.stay.leave()
        self._answer(ticket, code)

    def _late(self, tickets: Iterable[Ticket]) -> None:
        """The log takes too long: who waits is told so, and the append goes on."""
        for ticket in tickets:
            self._answer(ticket, "log_slow")

    def _answer(self, ticket: Ticket, code: str) -> None:
        """Tell who hears, the first time; one that fails must not be the end of its neighbours."""
        hear, ticket.hear = ticket.hear, None
        if hear is not None:
            try:
                hear(code)
            except Exception as error:
                self._happenings.failed(error)


def _code_of(error: LogError) -> str:
    match error:
        case EntryTooLarge():
            return "event_too_large"
        case SpoolFull():
            return "spool_full"
        case _:
            return "log_unavailable"
