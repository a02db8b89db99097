"""The prepared answer is what a client would have been told anyway."""

import pytest

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
