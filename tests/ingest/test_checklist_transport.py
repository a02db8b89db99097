"""Rows 1 to 20 of the drop-in checklist: transport, paths and keys."""

import base64

import pytest

from ingest.keys import hash_of
from tests.ingest.scenes import KEY, OTHER, UNKNOWN, Hub, basic, track

SUCCESS = b'{"success": true}'
INVALID = {
    "success": False,
    "code": "invalid_request",
    "message": "An invalid write key was provided",
}


async def test_row_01_success_is_exactly_200_and_success_true(hub: Hub) -> None:
    """PHP resends for ever on any other 2xx, Java on an empty body."""
    reply = await hub.send(track())

    assert (200, SUCCESS) == (reply.status, reply.bytes)
    assert reply.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("path", ["/v1/import/", "//v1/batch", "/v1//batch//", "///v1/batch/"])
async def test_row_02_no_slash_is_worth_a_redirect(hub: Hub, path: str) -> None:
    """Java's path ends in a slash, Go's begins with two; both are simply served."""
    reply = await hub.post(path, {"batch": [track()], "writeKey": KEY})

    assert (200, SUCCESS) == (reply.status, reply.bytes)
    assert "Tested" == (await hub.only())["event"]


CALLS = {
    "track": {"userId": "u", "event": "e"},
    "identify": {"userId": "u", "traits": {"a": 1}},
    "page": {"userId": "u", "name": "n"},
    "screen": {"userId": "u", "name": "n"},
    "group": {"userId": "u", "groupId": "g"},
    "alias": {"userId": "u", "previousId": "p"},
}


@pytest.mark.parametrize("type_", CALLS)
async def test_row_03_long_paths_take_single_calls(hub: Hub, type_: str) -> None:
    """The path says the type."""
    reply = await hub.post(f"/v1/{type_}", CALLS[type_], headers=basic(KEY))

    assert (200, SUCCESS) == (reply.status, reply.bytes)
    assert type_ == (await hub.only())["type"]


@pytest.mark.parametrize("type_", CALLS)
async def test_row_04_short_paths_are_the_long_ones(hub: Hub, type_: str) -> None:
    """analytics.js calls by the first letter of the type, and the path decides."""
    body = {**CALLS[type_], "writeKey": KEY, "type": "something else"}
    reply = await hub.post(f"/v1/{type_[0]}", body)

    assert (200, SUCCESS) == (reply.status, reply.bytes)
    assert type_ == (await hub.only())["type"]


@pytest.mark.parametrize("path", ["/v1/batch", "/v1/b", "/v1/import", "/v1/import/"])
async def test_row_05_batch_has_four_names(hub: Hub, path: str) -> None:
    """One room behind all of them."""
    reply = await hub.post(path, {"batch": [track(), track()]}, headers=basic(KEY))

    assert (200, SUCCESS) == (reply.status, reply.bytes)
    assert 2 == len(await hub.events())


@pytest.mark.parametrize(
    "path", ["/b", "/batch", "/import", "/v1/v1/batch", "/v1/v1/b", "/v1/b/b", "/v1/batch/b"]
)
async def test_row_06_mistaken_hosts_work(hub: Hub, path: str) -> None:
    """A host with or without /v1, where the SDK expects the other."""
    reply = await hub.post(path, {"batch": [track()], "writeKey": KEY})

    assert (200, SUCCESS) == (reply.status, reply.bytes)
    assert 1 == len(await hub.events())


async def test_row_07_telemetry_is_answered_and_dropped(hub: Hub) -> None:
    """SDKs count themselves; nobody asked."""
    reply = await hub.post("/v1/m", {"series": [{"type": "Counter", "metric": "m", "value": 1}]})

    assert (200, SUCCESS) == (reply.status, reply.bytes)
    assert ([], []) == (await hub.events(), await hub.rejected())


async def test_row_08_pixel_data_is_base64_of_any_kind(hub: Hub) -> None:
    """URL-safe and without padding, as Segment's own example is; broken is a GIF too."""
    text = b'{"writeKey":"%s","userId":"\xc3\xbf\xc3\xbf?>","event":"Opened"}' % KEY.encode()
    data = base64.urlsafe_b64encode(text).decode().rstrip("=")
    replies = [
        await hub.get(f"/v1/pixel/track?data={data}"),
        await hub.get("/v1/pixel/track?data=%%%"),
        await hub.get("/v1/pixel/track"),
    ]

    assert [(200, "image/gif")] * 3 == [(r.status, r.headers["Content-Type"]) for r in replies]
    assert {reply.bytes[:6] for reply in replies} == {b"GIF89a"}
    assert ("ÿÿ?>", "Opened") == ((await hub.only())["userId"], (await hub.only())["event"])


async def test_row_09_pixel_keys_with_dots_are_objects(hub: Hub) -> None:
    """AMP sends every field as a parameter."""
    reply = await hub.get(
        f"/v1/pixel/page?writeKey={KEY}&anonymousId=a&name=Home"
        "&properties.a.b=1&context.page.path=%2Fx&integrations.All=false"
    )
    event = await hub.only()

    assert 200 == reply.status
    assert {"a": {"b": "1"}} == event["properties"]
    assert {"path": "/x"} == event["context"]["page"]
    assert ("page", "Home", {"All": False}) == (
        event["type"],
        event["name"],
        event["integrations"],
    )
    assert "writeKey" not in event


@pytest.mark.parametrize("path", ["/v1/track", "/v1/batch", "/v1/t", "/b", "/v1/m"])
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
async def test_row_10_another_method_is_malformed_json(hub: Hub, path: str, method: str) -> None:
    """Segment answers 400, not 405."""
    reply = await hub.ask(method, path)
    said = {"success": False, "code": "invalid_request", "message": "malformed JSON"}

    assert (400, said) == (reply.status, reply.json)


@pytest.mark.parametrize("path", ["/", "/nothing", "/v1", "/v1/tracks", "/v2/track", "/v1/%ff"])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_row_11_errors_are_json_everywhere(hub: Hub, path: str, method: str) -> None:
    """python retries a 400 without `code` and `message` ten times; Ruby any answer in HTML."""
    reply = await hub.ask(method, path)

    assert 404 == reply.status
    assert "application/json" == reply.headers["Content-Type"]
    assert {"success", "code", "message"} == set(reply.json)


async def test_row_12_chunked_bodies_and_kept_connections(hub: Hub) -> None:
    """Two requests on one connection, of which one does not say its length."""
    body = b'{"userId":"u","event":"e"}'
    key = basic(KEY)["Authorization"].encode()
    head = b"POST /v1/track HTTP/1.1\r\nHost: hub\r\nAuthorization: " + key + b"\r\n"
    chunked = head + b"Transfer-Encoding: chunked\r\n\r\n5\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n"
    last = head + b"Connection: close\r\nContent-Length: %d\r\n\r\n%s"
    said = await hub.talk(chunked % (body[:5], len(body) - 5, body[5:]), last % (len(body), body))

    assert 2 == said.count(b"HTTP/1.1 200 OK")
    assert 2 == len(await hub.events())


async def test_row_13_basic_alone_is_enough(hub: Hub) -> None:
    """Go, Ruby, PHP and .NET send no key in the body."""
    assert 200 == (await hub.post("/v1/batch", {"batch": [track()]}, headers=basic(KEY))).status
    assert 1 == len(await hub.events())


async def test_row_14_a_key_in_the_body_alone_is_enough(hub: Hub) -> None:
    """Mobile SDKs send no header."""
    assert 200 == (await hub.post("/v1/b", {"batch": [track()], "writeKey": KEY})).status
    assert 1 == len(await hub.events())


async def test_row_15_the_header_goes_before_the_body(hub: Hub) -> None:
    """Both is usual; when they differ the header decides, either way."""
    body = {"batch": [track()], "writeKey": UNKNOWN}

    assert 200 == (await hub.post("/v1/b", body, headers=basic(KEY))).status
    body["writeKey"] = KEY
    assert 400 == (await hub.post("/v1/b", body, headers=basic(UNKNOWN))).status


async def test_row_16_a_missing_colon_is_forgiven(hub: Hub) -> None:
    """As Segment's documentation promises."""
    header = {"Authorization": "Basic " + base64.b64encode(KEY.encode()).decode()}

    assert 200 == (await hub.post("/v1/track", track(), headers=header)).status


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Basic Og=="},
        {"Authorization": "Basic abc123"},
        {"Authorization": "?"},
    ],
)
async def test_row_17_no_key_is_400(hub: Hub, headers: dict[str, str]) -> None:
    """With Segment's own words."""
    reply = await hub.post("/v1/track", track(), headers=headers)

    assert (400, INVALID) == (reply.status, reply.json)


async def test_row_18_an_unknown_key_is_400(hub: Hub) -> None:
    """Never 401 or 404, which Swift retries for ever; and it is counted."""
    reply = await hub.post("/v1/track", track(writeKey=UNKNOWN))

    assert (400, INVALID) == (reply.status, reply.json)
    assert 1.0 == await hub.metric('ingest_unkept_total{code="unknown_write_key"}')


async def test_row_18_an_unknown_key_is_200_as_at_segment(start) -> None:
    """When the process says so; a key far too short is refused even then."""
    hub = await start(ingest={"compat": "segment"})
    reply = await hub.post("/v1/track", track(writeKey=UNKNOWN))

    assert (200, SUCCESS) == (reply.status, reply.bytes)
    assert 1.0 == await hub.metric('ingest_unkept_total{code="unknown_write_key"}')
    assert 400 == (await hub.post("/v1/track", track(writeKey="abc123"))).status
    assert [] == await hub.events()


async def test_row_19_a_disabled_source_is_200_and_not_delivered(start) -> None:
    """SDKs are to stop trying; what they sent is kept where it can be found."""
    hub = await start(enabled=False)
    reply = await hub.send(track(), track())

    assert (200, SUCCESS) == (reply.status, reply.bytes)
    assert [] == await hub.events()
    assert ["source_disabled"] * 2 == [one["code"] for one in await hub.rejected()]
    assert 2.0 == await hub.metric('ingest_refused_total{code="source_disabled",source="shop"}')


async def test_row_20_two_keys_of_a_source_live_at_once(start) -> None:
    """So that a key can be changed without losing an event; another source's is another's."""
    hub = await start(more={"blog": {"keys": (hash_of(UNKNOWN),)}})
    for key in (KEY, OTHER, UNKNOWN):
        assert 200 == (await hub.post("/v1/track", track(), headers=basic(key))).status

    assert ["blog", "shop", "shop"] == sorted(event["source"] for event in await hub.events())
