"""One process, from its opening to its end."""

import asyncio
import gc
from pathlib import Path

import aiohttp
import pytest

from hub.log.memory import MemoryLog
from hub.settings import Misconfigured
from ingest.serving import free_port
from tests.ingest.scenes import AwayLog, HeldLog, hub_of, settings, track


async def test_what_is_in_flight_is_heard_out() -> None:
    """A request that was being answered when the end came is answered."""
    log = HeldLog()
    async with aiohttp.ClientSession() as client:
        async with hub_of(settings(), log) as hub:
            hub.client = client
            sent = asyncio.create_task(hub.send(track()))
            await log.entered.wait()
            asyncio.get_running_loop().call_later(0.1, log.free.set)
        reply = await sent

    assert 200 == reply.status
    assert 1 == len(await hub.events())


async def test_a_plan_that_cannot_be_read_stops_the_start() -> None:
    """Before a socket is opened."""
    with pytest.raises(Misconfigured) as raised:
        async with hub_of(settings(plan="nowhere")):
            pass

    assert ["sources.shop.plan"] == [fault.path for fault in raised.value.faults]


async def test_a_log_that_is_away_makes_it_not_ready() -> None:
    """Alive all the same."""
    log = MemoryLog()
    async with hub_of(settings(), log) as hub:
        await log.close()
        ready, alive = await hub.get("/readyz"), await hub.get("/healthz")

    assert (503, 200) == (ready.status, alive.status)


@pytest.mark.parametrize(
    ("most", "status", "said"), [(1_000_000, 200, "state"), (1, 503, "reason")]
)
async def test_with_room_in_the_spool_it_is_ready(
    tmp_path: Path, most: int, status: int, said: str
) -> None:
    """The log is away: ready while events can be spooled, and the answer says how it stands."""
    spool = {"path": tmp_path / "spool", "max_bytes": most}
    async with hub_of(settings(ingest={"spool": spool}), AwayLog()) as hub:
        await hub.send(track())
        ready = await hub.get("/readyz")

    assert (status, {"ok", said}) == (ready.status, set(ready.json))


def test_a_held_port_can_be_shared() -> None:
    """The one who starts workers keeps the port, and they listen on it."""
    held, port = free_port("127.0.0.1", 0)
    shared, same = free_port("127.0.0.1", port)
    held.close()
    shared.close()

    assert port == same


async def test_a_body_of_many_lists_does_not_set_the_collector_off() -> None:
    """Or half a megabyte would stop the process for a second, whoever else is waiting."""
    body = b'{"batch":[],"lists":[' + b"[]," * 150_000 + b"[]]}"
    before = gc.get_threshold()
    async with hub_of(settings()) as hub:
        begun = gc.get_stats()[2]["collections"]
        await hub.post("/v1/batch", body)
        ended = gc.get_stats()[2]["collections"]
        assert gc.get_freeze_count() > 0

    assert begun == ended
    assert (0, before) == (gc.get_freeze_count(), gc.get_threshold())
