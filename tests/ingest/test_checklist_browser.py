"""Rows 22 to 30 and 32 of the drop-in checklist: browsers and settings."""

import pytest

from hub.log.memory import MemoryLog
from tests.ingest.scenes import KEY, UNKNOWN, Hub, basic, settings, track

ORIGIN = "https://shop.example"


@pytest.mark.parametrize(
    "path", ["/v1/t", "/v1/b", "/v1/m", "/v1/pixel/track", f"/v1/projects/{KEY}/settings", "/nope"]
)
async def test_row_22_preflight_allows_what_analytics_js_sends(hub: Hub, path: str) -> None:
    """Every request of 1.84 carries Authorization, and retries X-Retry-Count."""
    asked = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST"}
    reply = await hub.ask("OPTIONS", path, headers=asked)
    allowed = reply.headers["Access-Control-Allow-Headers"].split(", ")

    assert reply.status in (200, 204)
    assert {"authorization", "content-type", "x-retry-count", "cache-control"} <= set(allowed)
    assert int(reply.headers["Access-Control-Max-Age"]) >= 86_400
    assert "GET, POST, OPTIONS" == reply.headers["Access-Control-Allow-Methods"]


async def test_row_23_retry_after_can_be_read_by_a_page(start) -> None:
    """A page sees only the headers that are exposed."""
    hub = await start(events_per_second=1, burst=1)
    await hub.send(track(), headers={"Origin": ORIGIN})
    reply = await hub.send(track(), headers={"Origin": ORIGIN})

    assert (429, "1") == (reply.status, reply.headers["Retry-After"])
    assert {"Retry-After", "X-RateLimit-Reset"} == set(
        reply.headers["Access-Control-Expose-Headers"].split(", ")
    )


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("POST", "/v1/t", 400), ("GET", "/v1/t", 400), ("GET", "/nope", 404), ("GET", "/readyz", 503)],
)
async def test_row_24_errors_have_cors_too(start, method: str, path: str, status: int) -> None:
    """Else a page takes a refusal for a network that is down, and tries for ever."""
    log = MemoryLog()
    hub = await start(log=log)
    await log.close()
    reply = await hub.ask(method, path, headers={"Origin": ORIGIN})

    assert (status, ORIGIN) == (reply.status, reply.headers["Access-Control-Allow-Origin"])


async def test_row_25_credentials_get_their_origin_back(hub: Hub) -> None:
    """`credentials: 'include'` forbids the star; without an Origin the star is enough."""
    with_origin = await hub.send(track(), headers={"Origin": ORIGIN})
    without = await hub.send(track())

    assert (ORIGIN, "true", "Origin") == tuple(
        with_origin.headers[name]
        for name in ("Access-Control-Allow-Origin", "Access-Control-Allow-Credentials", "Vary")
    )
    assert "*" == without.headers["Access-Control-Allow-Origin"]
    assert "Access-Control-Allow-Credentials" not in without.headers


async def test_row_26_text_plain_is_json(hub: Hub) -> None:
    """analytics.js says text/plain, to spare a preflight that comes anyway."""
    reply = await hub.post(
        "/v1/t", track(writeKey=KEY), headers={"Content-Type": "text/plain;charset=UTF-8"}
    )

    assert 200 == reply.status
    assert "Tested" == (await hub.only())["event"]


async def test_row_27_what_leaves_with_the_page_arrives(hub: Hub) -> None:
    """A client that is gone before the answer has sent its events all the same."""
    import asyncio

    body = b'{"userId":"u","event":"e","messageId":"m","writeKey":"%s"}' % KEY.encode()
    head = b"POST /v1/t HTTP/1.1\r\nHost: hub\r\nContent-Length: %d\r\n\r\n" % len(body)
    _, writer = await asyncio.open_connection("127.0.0.1", hub.port)
    writer.write(head + body)
    writer.close()
    await writer.wait_closed()
    # The same event again waits for the first, whose answer nobody reads.
    await hub.post("/v1/t", body)

    assert "m" == (await hub.only())["messageId"]


async def test_row_28_headers_of_ones_own_are_echoed(hub: Hub) -> None:
    """Users add theirs by `deliveryStrategy.config.headers`; nonsense is left out."""
    asked = {"Origin": ORIGIN, "Access-Control-Request-Headers": "X-Foo, authorization, b\xe4d, <"}
    reply = await hub.ask("OPTIONS", "/v1/b", headers=asked)
    allowed = reply.headers["Access-Control-Allow-Headers"].split(", ")

    assert "x-foo" in allowed
    assert 1 == allowed.count("authorization")
    assert not {"bäd", "<"} & set(allowed)


@pytest.mark.parametrize(
    "path",
    [
        f"/v1/projects/{KEY}/settings",
        f"/projects/{KEY}/settings",
        f"/v1/projects/projects/{KEY}/settings",
        f"/v1/v1/projects/{KEY}/settings/",
    ],
)
async def test_row_29_settings_name_our_own_host(start, path: str) -> None:
    """Without `Segment.io` analytics.js ignores the page's host and sends to Segment."""
    hub = await start(ingest={"public_url": "https://hub.example.com"})
    reply = await hub.get(path, headers={"Origin": ORIGIN})
    segment = reply.json["integrations"]["Segment.io"]

    assert (200, "application/json") == (reply.status, reply.headers["Content-Type"])
    assert ("hub.example.com/v1", KEY) == (segment["apiHost"], segment["apiKey"])
    assert b"segment.com" not in reply.bytes
    assert ORIGIN == reply.headers["Access-Control-Allow-Origin"]


async def test_row_30_settings_are_there_when_the_log_is_not(start) -> None:
    """A non-2xx stops analytics.js for good; so nothing that may fail is asked."""
    log = MemoryLog()
    hub = await start(log=log, ingest={"max_requests_in_flight": 1}, enabled=False)
    await log.close()
    reply = await hub.get(f"/v1/projects/{KEY}/settings")

    assert 200 == reply.status
    assert "public, max-age=60" == reply.headers["Cache-Control"]
    assert 400 == (await hub.get(f"/v1/projects/{UNKNOWN}/settings")).status


async def test_row_32_http_config_is_in_both_places(hub: Hub) -> None:
    """Without it Swift and Kotlin ignore Retry-After."""
    told = (await hub.get(f"/v1/projects/{KEY}/settings")).json
    config = told["httpConfig"]

    assert config == told["integrations"]["Segment.io"]["httpConfig"]
    assert config["rateLimitConfig"]["enabled"]
    assert ("drop", "retry") == (
        config["backoffConfig"]["default4xxBehavior"],
        config["backoffConfig"]["default5xxBehavior"],
    )


async def test_an_origin_that_is_not_allowed_is_refused_and_kept(start) -> None:
    """Who stole a key for a page of theirs is told so; a server has no origin."""
    hub = await start(origins=["https://shop.example", "https://*.shop.example"])
    for origin in ("https://shop.example", "https://www.shop.example"):
        assert 200 == (await hub.send(track(), headers={"Origin": origin})).status
    reply = await hub.send(track(), headers={"Origin": "https://thief.example"})

    assert 400 == reply.status
    assert ["origin_not_allowed"] == [one["code"] for one in await hub.rejected()]
    assert 200 == (await hub.post("/v1/t", track(), headers=basic(KEY))).status
    assert settings().sources["shop"].origins == ("*",)
