"""Stretches of a stream, read page by page."""

from __future__ import annotations

from destinations import scroll
from hub.clock import FakeClock
from hub.log import EVENTS, Entry, Span
from hub.log.memory import MemoryLog
from hub.log.settings import MemoryLog as MemorySettings


async def _log(count: int) -> tuple[MemoryLog, float]:
    """One partition with a record each second; and the time of the first."""
    clock = FakeClock()
    log = MemoryLog(MemorySettings(partitions=1), clock=clock)
    began = clock.now()
    for number in range(count):
        await log.append(EVENTS, [Entry(b"k", b"%d" % number)])
        clock.advance(1.0)
    return log, began


async def test_a_stretch_is_read_whole_and_no_further() -> None:
    """All records of the span, in order, whatever the size of a page."""
    log, _ = await _log(10)
    found = [record.offset async for record in scroll.records(log, EVENTS, Span(0, 2, 9), page=3)]

    assert [2, 3, 4, 5, 6, 7, 8] == found


async def test_pages_end_where_the_span_ends() -> None:
    """A page holds as many records as were asked for; the last one the rest."""
    log, _ = await _log(10)
    found = [len(some) async for some in scroll.pages(log, EVENTS, Span(0, 0, 7), page=3)]

    assert [3, 3, 1] == found


async def test_spans_lie_between_times() -> None:
    """From a time on, and before another; nothing is found beyond the end."""
    log, began = await _log(10)
    ranges = [(None, None), (began + 3, began + 5), (began + 8, began + 99), (began + 99, None)]
    found = [await scroll.spans(log, EVENTS, *times) for times in ranges]

    assert [[Span(0, 0, 10)], [Span(0, 3, 5)], [Span(0, 8, 10)], [Span(0, 10, 10)]] == found
