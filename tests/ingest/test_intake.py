"""The way of one request, where no row of the checklist goes."""

import asyncio
import base64
import gc
from collections.abc import Awaitable, Callable
from typing import Any

from ingest.keys import hash_of
from tests.ingest.scenes import KEY, UNKNOWN, HeldLog, Hub, basic, track


async def test_an_oversize_body_is_charged_by_the_key_at_its_end(hub: Hub) -> None:
    """python's SDK writes it there."""
    body = b'{"batch":["' + b"x" * 600_000 + b'"],"writeKey":"%s"}' % KEY.encode()
    reply = await hub.post("/v1/batch", body)
    (kept,) = await hub.rejected()

    assert (400, "Exceed payload limit") == (reply.status, reply.message)
    assert ("body_too_large", "shop") == (kept["code"], kept["source"])
    assert KEY not in kept["raw"]


async def test_a_broken_pixel_with_a_key_beside_it_is_kept(hub: Hub) -> None:
    """Answered with the dot all the same."""
    reply = await hub.get(f"/v1/pixel/track?data=@@@&writeKey={KEY}")
    (kept,) = await hub.rejected()

    assert 200 == reply.status
    assert "malformed_json" == kept["code"]
    assert KEY not in kept["raw"]


async def test_an_incomplete_pixel_is_kept(hub: Hub) -> None:
    """Nobody reads the answer, so the stream is the only place to find it."""
    text = b'{"writeKey":"%s","event":"Opened"}' % KEY.encode()
    await hub.get("/v1/pixel/track?data=" + base64.b64encode(text).decode())

    assert ["no_user_anon_id"] == [one["code"] for one in await hub.rejected()]


async def test_a_bearer_token_leaves_the_key_to_the_body(hub: Hub) -> None:
    """SDKs with OAuth send both; the token is not looked at."""
    headers = {"Authorization": "Bearer abc"}

    assert 200 == (await hub.post("/v1/t", track(writeKey=KEY), headers=headers)).status
    assert 400 == (await hub.post("/v1/t", track(), headers=headers)).status


async def test_broken_bodies_count_against_the_rate(start) -> None:
    """What is kept costs room in the log, whatever it is."""
    hub = await start(events_per_second=1, burst=1)
    statuses = [(await hub.post("/v1/t", b"{", headers=basic(KEY))).status for _ in range(2)]

    assert [400, 429] == statuses


async def test_one_source_s_rate_is_no_other_s(start) -> None:
    """A noisy neighbour is heard alone."""
    hub = await start(events_per_second=1, burst=1, more={"blog": {"keys": (hash_of(UNKNOWN),)}})
    shop = [(await hub.post("/v1/t", track(), headers=basic(KEY))).status for _ in range(2)]
    blog = [(await hub.post("/v1/t", track(), headers=basic(UNKNOWN))).status for _ in range(2)]

    assert ([200, 429], [200, 200]) == (shop, blog)


async def test_everything_too_large_is_said_in_segment_s_words(start) -> None:
    """Also where refusals are not told, since Segment tells this one."""
    hub = await start(compat="segment")
    large = track(properties={"pad": "x" * 33_000})

    assert (400, "Exceed payload limit") == (
        (await hub.send(large, large)).status,
        (await hub.post("/v1/track", large, headers=basic(KEY))).message,
    )
    assert 200 == (await hub.send(large, track())).status


async def test_violations_are_counted(hub: Hub) -> None:
    """By kind of schema."""
    await hub.send(track(context={"locale": 5}))

    assert 1.0 == await hub.metric('ingest_violations_total{kind="typed",source="shop"}')


async def test_only_bytes_wait_for_the_log(start: Callable[..., Awaitable[Hub]]) -> None:
    """What was parsed takes up to twenty times the room of a body; it is gone while we wait."""
    log = HeldLog()
    hub = await start(log=log)
    body = b'{"batch":[{"type":"track","userId":"u","event":"E","marked":{}},{"marked":1}]}'
    sent = asyncio.create_task(hub.post("/v1/batch", body, headers=basic(KEY)))
    await log.entered.wait()
    left = [one for one in gc.get_objects() if type(one) is dict and "marked" in one]
    log.free.set()
    await sent

    assert [] == left


async def test_what_waits_for_the_log_takes_up_room(start: Callable[..., Awaitable[Hub]]) -> None:
    """A small body of many refused events is a large append."""
    log = HeldLog()
    hub = await start(log=log, ingest={"max_bytes_in_flight": 20_000})
    body: Any = {"batch": [None] * 100}
    sent = asyncio.create_task(hub.post("/v1/batch", body, headers=basic(KEY)))
    await log.entered.wait()
    crowded = await hub.send(track())
    log.free.set()
    await sent
    after = await hub.send(track())

    assert (429, 200) == (crowded.status, after.status)
