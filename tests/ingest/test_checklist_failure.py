"""Rows 59 to 61 and 63 to 66 of the drop-in checklist: when something is wrong."""

import asyncio
from pathlib import Path

import pytest

from ingest.settings import Ingest
from tests.ingest.scenes import (
    KEY,
    UNKNOWN,
    AwayLog,
    HeldLog,
    Hub,
    basic,
    track,
    until,
    zipped,
)


async def test_row_59_too_many_events_are_429_with_whole_seconds(start) -> None:
    """Retry-After and X-RateLimit-Reset agree, and the wait they name is enough."""
    hub = await start(events_per_second=2, burst=4)
    passed = await hub.send(*[track()] * 10)
    refused = await hub.send(track())
    wait = int(refused.headers["Retry-After"])

    assert (200, 429) == (passed.status, refused.status)
    assert refused.headers["Retry-After"] == refused.headers["X-RateLimit-Reset"]
    assert {"success": False, "code": "too_many_requests", "message": "too many events"} == (
        refused.json
    )
    assert 1 <= wait <= 300
    hub.clock.advance(wait)
    assert 200 == (await hub.send(track())).status


async def test_row_60_overload_is_429(start) -> None:
    """What there is no room for is not promised, and not read."""
    log = HeldLog()
    hub = await start(log=log, ingest={"max_requests_in_flight": 1})
    first = asyncio.create_task(hub.send(track()))
    await log.entered.wait()
    second = await hub.send(track())
    log.free.set()

    assert (429, "1") == (second.status, second.headers["Retry-After"])
    assert 200 == (await first).status
    assert 200 == (await hub.send(track())).status


async def test_row_60_bytes_in_flight_are_bounded(start) -> None:
    """Also the bytes that come out of compressed ones."""
    hub = await start(ingest={"max_bytes_in_flight": 10_000})
    large = track(properties={"pad": "x" * 20_000})
    plain = await hub.send(large)
    packed = await hub.post(
        "/v1/b", zipped({"batch": [large]}), headers=basic(KEY) | {"Content-Encoding": "gzip"}
    )

    assert (429, 429) == (plain.status, packed.status)
    assert 0.0 == await hub.metric("ingest_in_flight_bytes")


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"null", b"[]", b'"text"', b'{"a":NaN}', b'{"a":-Infinity}', b'{"a":"\xff"}',
        b'{"batch":[]}', b'{"batch":{}}', b"{}", b'{"batch":[1]}', b'{"batch":null}',
    ],
)  # fmt: skip
async def test_row_61_permanent_refusals_are_400(hub: Hub, body: bytes) -> None:
    """Swift keeps what is answered 401, 404 or 413 for ever. All is kept with its reason."""
    reply = await hub.post("/v1/batch", body, headers=basic(KEY))

    assert (400, "invalid_request") == (reply.status, reply.json["code"])
    assert 1 == len(await hub.rejected())


async def test_row_61_malformed_json_names_its_place(hub: Hub) -> None:
    """Segment's words first, then where."""
    reply = await hub.post("/v1/t", b'{"a": 1,\n "b": NaN}', headers=basic(KEY))
    latin = await hub.post("/v1/t", b'{"a": 1,\n "b": "\xe4"}', headers=basic(KEY))

    assert "malformed JSON: at line 2, column 7" == reply.message
    assert "malformed JSON: no UTF-8 at line 2, column 8" == latin.message


async def test_row_61_what_nobody_can_be_charged_with_is_counted(hub: Hub) -> None:
    """A body without a readable key leaves a count."""
    await hub.post("/v1/t", b"{")
    await hub.post("/v1/t", track(writeKey=UNKNOWN))

    assert [] == await hub.rejected()
    assert 1.0 == await hub.metric('ingest_unkept_total{code="malformed_json"}')


async def test_a_log_that_is_away_is_503(start) -> None:
    """Never a 200, and the client is told when to come again."""
    hub = await start(log=AwayLog())
    good, bad = await hub.send(track()), await hub.send({"type": "track"})

    assert (503, 503) == (good.status, bad.status)
    assert "1" == good.headers["Retry-After"]
    assert {"success", "code", "message"} == set(good.json)
    assert 2.0 == await hub.metric('ingest_limited_total{cause="log_unavailable",source="shop"}')


async def test_a_full_spool_is_429(start, tmp_path: Path) -> None:
    """With a wait that is worth it; and when the log is back all goes on."""
    log = AwayLog()
    spool = {"path": tmp_path / "spool", "max_bytes": 3_000}
    hub = await start(log=log, ingest={"spool": spool})
    promised = []
    while (reply := await hub.send(track(messageId=f"m-{len(promised)}"))).status == 200:
        promised.append(f"m-{len(promised)}")
    log.streams = ()

    async def taken() -> bool:
        return (await hub.send(track(messageId="last"))).status == 200

    await until(taken)

    async def there() -> bool:
        return {one["messageId"] for one in await hub.events()} == {*promised, "last"}

    await until(there)

    assert promised
    assert (429, "too_many_requests", "30") == (
        reply.status,
        reply.json["code"],
        reply.headers["Retry-After"],
    )


async def test_row_63_a_slow_log_is_not_waited_for(start) -> None:
    """503 in time; when the append succeeds after all, the retry is a duplicate."""
    log = HeldLog()
    hub = await start(log=log, ingest={"answer_seconds": 0.05})
    first = await hub.send(track(messageId="m"))
    again = await hub.send(track(messageId="m"))
    log.free.set()
    await until(lambda: some(hub))
    last = await hub.send(track(messageId="m"), headers={"X-Retry-Count": "2"})

    assert (503, 503, 200) == (first.status, again.status, last.status)
    assert 1 == len(await hub.events())


async def some(hub: Hub) -> bool:
    return bool(await hub.events())


def test_row_63_the_promise_is_kept_within_five_seconds() -> None:
    """The default leaves half a second for the way."""
    assert Ingest().answer_seconds < 5.0


async def test_row_64_retries_are_counted(hub: Hub) -> None:
    """The best signal of a bad network or a bad answer of ours."""
    await hub.send(track(), headers={"X-Retry-Count": "0"})
    await hub.send(track(), headers={"X-Retry-Count": "3"})
    await hub.send(track(), headers={"X-Retry-Count": "many"})

    assert 1.0 == await hub.metric('ingest_client_retries_total{source="shop"}')


async def test_row_65_late_events_are_taken_and_counted(start) -> None:
    """An id is remembered for a day, at least; older events are marked by a metric."""
    hub = await start()
    await hub.send(track(messageId="m"))
    hub.clock.advance(86_400 - 1)
    await hub.send(track(messageId="m"))
    await hub.send(track(timestamp="2026-11-19T10:00:00Z"))

    assert 2 == len(await hub.events())
    assert 1.0 == await hub.metric('ingest_late_total{source="shop"}')


async def test_row_66_apps_are_moved_by_the_settings(start) -> None:
    """What the settings name follows our own setting, else the host that was asked."""
    hub = await start()
    host = {"Host": "events.shop.example:8443"}
    strange = {"Host": "a b<script>"}
    told = (await hub.get(f"/v1/projects/{KEY}/settings", headers=host)).json
    odd = (await hub.get(f"/v1/projects/{KEY}/settings", headers=strange)).json

    assert "events.shop.example:8443/v1" == told["integrations"]["Segment.io"]["apiHost"]
    assert "localhost/v1" == odd["integrations"]["Segment.io"]["apiHost"]
