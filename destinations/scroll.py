"""Reads a stretch of a stream from its first record to its last, a page at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Final

from hub.log import Log, Record, Span

PAGE: Final = 500
"""Records read at once, unless the reader says otherwise."""


async def records(log: Log, stream: str, span: Span, page: int = PAGE) -> AsyncIterator[Record]:
    """The records of `span`; of what the log has deleted, nothing. Raises LogUnavailable."""
    async for some in pages(log, stream, span, page):
        for record in some:
            yield record


async def pages(
    log: Log, stream: str, span: Span, page: int = PAGE
) -> AsyncIterator[Sequence[Record]]:
    """The records of `span`, as many at once as one read gave."""
    offset = span.first
    while offset < span.end:
        found = await log.read(stream, span.partition, offset, min(page, span.end - offset))
        some = [record for record in found if record.offset < span.end]
        if not some:
            return
        yield some
        offset = some[-1].offset + 1


async def spans(
    log: Log, stream: str, since: float | None = None, until: float | None = None
) -> list[Span]:
    """What each partition holds now of what was appended from `since` on and before `until`.

    Times are in seconds since the epoch; None is the beginning, or the end as it is now.
    """
    status = next((one for one in await log.status() if one.stream == stream), None)
    found = []
    for span in status.spans if status else ():
        p, first, end = span.partition, span.first, span.end
        if since is not None:
            first = max(first, min(end, await log.offset_at(stream, p, since)))
        if until is not None:
            end = max(first, min(end, await log.offset_at(stream, p, until)))
        found.append(Span(p, first, end))
    return found
