"""A log is filled with what ingest keeps, and each record has an id and a user of its own."""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from hub.event import Event, entry_of
from hub.log import EVENTS, Record
from hub.log.memory import MemoryLog
from hub.log.settings import MemoryLog as Settings
from tests.bench.events import Events
from tests.bench.filling import Mould, fill

COUNT, USERS = 2_500, 7


async def _filled() -> Sequence[Record]:
    """A log of one partition, filled from one event of the load."""
    made = orjson.loads(Events(1).event())
    log = MemoryLog(Settings(partitions=1))
    await log.append(EVENTS, [entry_of("shop", made, 0.0)])
    (record,) = await log.read(EVENTS, 0, 0, 1)
    await fill(log, [Mould.of(record, made["userId"].encode())], COUNT, USERS)
    return await log.read(EVENTS, 0, 1, COUNT)


async def test_each_record_is_of_a_new_event() -> None:
    """So many records come as were asked for, each with an id of its own."""
    events = [Event.of(record) for record in await _filled()]

    assert COUNT == len({event.id for event in events})


async def test_a_record_agrees_with_itself() -> None:
    """The id in a record's headers is its body's, and its key is its user's."""
    records = await _filled()
    bodies = [orjson.loads(record.value) for record in records]

    assert [(Event.of(record).id, record.key) for record in records] == [
        (body["messageId"], b"shop\0" + body["userId"].encode()) for body in bodies
    ]


async def test_users_are_as_many_as_asked_for() -> None:
    """The records are of so many keys, and no more."""
    keys = {record.key for record in await _filled()}

    assert USERS == len(keys)
