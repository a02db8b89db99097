"""Both streams are durable before the answer."""

import asyncio
from pathlib import Path

from hub.clock import FakeClock
from hub.log import EVENTS, REJECTED, Entry
from hub.log.memory import MemoryLog
from hub.metrics import Metrics
from ingest.admission import Room, Stay
from ingest.dedupe import Seen
from ingest.happenings import Happenings
from ingest.keeping import Keeping, Ticket
from tests.ingest.scenes import AwayLog, HeldLog, Hub, track, until


async def test_a_refusal_that_cannot_be_kept_is_no_answer(start) -> None:
    """503, though the good events are durable: the retry's are duplicates, and none is twice."""
    log = AwayLog(REJECTED)
    hub = await start(log=log)
    batch = (track(messageId="good"), {"type": "track", "messageId": "bad"})
    first = await hub.send(*batch)
    log.streams = ()
    second = await hub.send(*batch)

    assert (503, 200) == (first.status, second.status)
    assert (["good"], ["bad"]) == (
        [one["messageId"] for one in await hub.events()],
        [one["messageId"] for one in await hub.rejected()],
    )


async def test_events_that_cannot_be_kept_leave_no_refusals(start) -> None:
    """Else each retry would keep them again."""
    log = AwayLog(EVENTS)
    hub = await start(log=log)
    reply = await hub.send(track(), {"type": "track"})

    assert 503 == reply.status
    assert [] == await hub.rejected()


async def test_who_waits_for_another_s_promise_hears_when_it_is_broken(start) -> None:
    """503 to both: neither is told what is not so."""

    class Breaking(HeldLog):
        async def append(self, stream, entries):
            await super().append(stream, [])
            return await AwayLog().append(stream, entries)

    log = Breaking()
    hub = await start(log=log)
    first = asyncio.create_task(hub.send(track(messageId="m")))
    await log.entered.wait()
    alone = await hub.metric('ingest_request_bytes_total{source="shop"}')
    second = asyncio.create_task(hub.send(track(messageId="m")))

    async def both() -> bool:
        return await hub.metric('ingest_request_bytes_total{source="shop"}') == 2 * alone

    await until(both)
    log.free.set()

    assert [503, 503] == [(await first).status, (await second).status]


async def test_two_batches_that_share_ids_crosswise_do_not_wait_for_ever(hub: Hub) -> None:
    """Each appends its own before it waits for the other."""
    one = [track(messageId=str(number)) for number in range(200)]
    replies = await asyncio.gather(*(hub.send(*(one if n % 2 else one[::-1])) for n in range(10)))

    assert {200} == {reply.status for reply in replies}
    assert 200 == len(await hub.events())


async def test_who_cannot_hear_is_not_the_end_of_its_neighbours() -> None:
    """The others of the same append are told that it is durable."""
    clock = FakeClock()
    seen: Seen[Ticket] = Seen(10, 1.0, 0.0)
    happenings = Happenings(Metrics(), clock, ["shop"])
    keeping = Keeping(MemoryLog(), seen, happenings, clock, 1.0)
    heard: list[str] = []

    def deaf(_: str) -> None:
        raise ZeroDivisionError

    for hear in (heard.append, deaf, heard.append):
        ticket = keeping.ticket("shop", Stay(Room(10, 10)))
        ticket.events.append(Entry(b"k", b"v"))
        keeping.keep(ticket, hear)
    await keeping.close()

    assert ["", ""] == heard


async def test_who_brings_what_another_promised_frees_none_of_it() -> None:
    """An id stays with who reserved it first, whatever becomes of the others."""
    clock = FakeClock()
    happenings = Happenings(Metrics(), clock, ["shop"])
    keeping = Keeping(MemoryLog(), Seen(10, 1.0, 0.0), happenings, clock, 1.0)
    first, second, third = (keeping.ticket("shop", Stay(Room(10, 10))) for _ in range(3))

    assert [True, True] == keeping.are_new(first, ["a", ""])
    assert [False, True, True, False] == keeping.are_new(second, ["a", "b", "", "b"])
    keeping.forget(second)
    assert [False, True] == keeping.are_new(third, ["a", "b"])


async def test_room_is_held_until_the_append_ends(start) -> None:
    """A slow log does not fill the memory with requests that were told 503."""
    log = HeldLog()
    hub = await start(log=log, ingest={"answer_seconds": 0.02, "max_requests_in_flight": 2})
    statuses = [(await hub.send(track())).status for _ in range(4)]
    log.free.set()

    async def free() -> bool:
        return (await hub.send(track())).status == 200

    await until(free)
    assert [503, 503, 429, 429] == statuses


async def test_a_process_knows_what_the_one_before_it_took(start) -> None:
    """A client whose answer was lost in a kill sends again: to the next process, in vain."""
    log = MemoryLog()
    first = await start(log=log)
    await first.send(*[track(messageId=str(number)) for number in range(50)])
    second = await start(log=log)
    replies = [await second.send(track(messageId=str(number))) for number in (0, 49, 50)]

    assert [200] * 3 == [reply.status for reply in replies]
    assert 51 == len(await second.events())


async def test_a_process_knows_what_is_spooled(start, tmp_path: Path) -> None:
    """A retry of what the process before could only spool is a duplicate, too."""
    log, spool = AwayLog(), {"spool": {"path": tmp_path / "spool"}}
    first = await start(log=log, ingest=spool)
    await first.send(track(messageId="m"))
    second = await start(log=log, ingest=spool)
    again = await second.send(track(messageId="m"))
    log.streams = ()

    async def there() -> bool:
        return bool(await second.events())

    await until(there)

    assert 200 == again.status
    assert 1.0 == await second.metric('ingest_duplicates_total{source="shop"}')
    assert ["m"] == [one["messageId"] for one in await second.events()]
