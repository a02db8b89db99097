"""The prepared answer is what a client would have been told anyway."""

import asyncio
from typing import Any

import pytest

from tests.ingest.lines import AUTHORISED, line, request
from tests.ingest.scenes import KEY as WRITE_KEY
from tests.ingest.scenes import Hub, Reply, basic, track

OURS = {"Content-Type", "Content-Length", "Server", "Vary", "Access-Control-Expose-Headers"}


@pytest.mark.parametrize("origin", [{}, {"Origin": "https://shop.example"}])
async def test_who_stays_and_who_leaves_is_told_the_same(hub: Hub, origin: dict[str, str]) -> None:
    """Only a connection that ends has its answer built anew, and says so."""

    async def told(**more: str) -> Reply:
        headers = {**basic(WRITE_KEY), **origin, **more}
        return await hub.post("/v1/track", track(), headers=headers)

    stays, leaves = await told(), await told(Connection="close")
    ours = {name for name in stays.headers if name != "Date"}

    assert OURS | {"Access-Control-Allow-Origin"} <= ours
    assert {name: leaves.headers[name] for name in ours} == {
        name: stays.headers[name] for name in ours
    }
    assert {"Connection"} == leaves.headers.keys() - stays.headers.keys()
    assert (leaves.status, leaves.bytes) == (stays.status, stays.bytes)
    assert stays.headers["Date"].endswith(" GMT")


async def test_a_connection_brings_many(hub: Hub) -> None:
    """What is written at once is read as one answer each."""
    replies = [await hub.post("/v1/track", track(), headers=basic(WRITE_KEY)) for _ in range(5)]

    assert [(200, {"success": True})] * 5 == [(one.status, one.json) for one in replies]
    assert 5 == len(await hub.events())


async def test_who_is_answered_finds_the_fast_path_next(hub: Hub) -> None:
    """aiohttp waits for the next request by then, however soon the client is back."""
    loop = asyncio.get_running_loop()
    connection = hub.process.server()
    waited: asyncio.Future[bool] = loop.create_future()

    class Wire(asyncio.Transport):
        def write(self, _: Any) -> None:
            # No client can have read it before the loop's next turn.
            loop.call_soon(lambda: waited.set_result(connection._waiter is not None))

        def is_closing(self) -> bool:
            return False

        def close(self) -> None:
            pass

    connection.connection_made(Wire())
    connection.data_received(request(track(), AUTHORISED))  # sooner than aiohttp has begun

    assert await waited
    connection.connection_lost(None)
    assert 1 == len(await hub.events())


async def test_what_was_sent_ahead_does_not_overtake(hub: Hub) -> None:
    """Python runs a task at once from 3.12 on, and the second answer needs no log either."""
    async with line(hub) as one:
        dropped = request(track(), AUTHORISED, path="/v1/m")
        one.write((dropped + request(b"", path="/nowhere", method="GET")) * 20)

        assert [200, 404] * 20 == [(await one.answer())[0] for _ in range(40)]


async def test_who_is_gone_is_not_written_to(hub: Hub) -> None:
    """Between the answer's being ready and its writing."""
    connection = hub.process.server()
    closing = asyncio.Event()
    written: list[bytes] = []

    class Wire(asyncio.Transport):
        def write(self, data: Any) -> None:
            written.append(data)

        def is_closing(self) -> bool:
            # Asked once when the answer is ready, and again before it is written.
            try:
                return closing.is_set()
            finally:
                closing.set()

        def close(self) -> None:
            pass

    connection.connection_made(Wire())
    connection.data_received(request(track(), AUTHORISED, path="/v1/m"))
    await closing.wait()
    await hub.get("/healthz")
    connection.connection_lost(None)

    assert [] == written
