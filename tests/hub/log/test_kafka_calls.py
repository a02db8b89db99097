"""Who waits for an append to Kafka."""

from __future__ import annotations

import asyncio

import pytest

from hub.log import LogUnavailable
from hub.log.kafka_calls import Call, Line, Part, refuse
from hub.log.kafka_topics import Topic


def part() -> Part:
    """What a call appends to one partition."""
    return Part(Call(asyncio.get_running_loop().create_future(), 1, 1), 0)


async def test_a_line_begins_with_who_still_waits() -> None:
    """Calls that were answered, refused or given up are passed over; those behind them are not."""
    answered, refused, cancelled, waits, last = (part() for _ in range(5))
    line = Line(Topic("t", 1, 1), 0)
    line.waiting.extend([answered, refused, cancelled, waits, last])
    answered.call.answer.set_result(None)
    refuse([refused], LogUnavailable("away"))
    cancelled.call.answer.cancel()

    assert waits is line.next()
    assert [waits, last] == list(line.waiting)
    assert None is Line(Topic("t", 1, 1), 0).next()
    with pytest.raises(LogUnavailable):
        await refused.call.answer


async def test_who_has_an_answer_keeps_it() -> None:
    """To refuse a call that was answered, or refused before, changes nothing."""
    one, other = part(), part()
    one.call.answer.set_result(None)
    refuse([other], LogUnavailable("first"))
    refuse([one, other, other], LogUnavailable("second"))

    assert None is one.call.answer.result()
    assert "first" == str(other.call.answer.exception())
