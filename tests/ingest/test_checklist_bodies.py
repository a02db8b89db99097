"""Rows 33 to 45 of the drop-in checklist: bodies."""

import gzip
import zlib

import orjson
import pytest

from tests.ingest.scenes import KEY, Hub, basic, track, zipped

SUCCESS = b'{"success": true}'


def sized(size: int, **fields: object) -> bytes:
    """A track call of exactly so many bytes."""
    bare = orjson.dumps(track(properties={"pad": ""}, **fields))
    return bare.replace(b'"pad":""', b'"pad":"' + b"x" * (size - len(bare)) + b'"')


def batch_of(*items: bytes) -> bytes:
    return b'{"batch":[' + b",".join(items) + b'],"writeKey":"%s"}' % KEY.encode()


async def test_row_33_no_content_type_is_fine(hub: Hub) -> None:
    """C# sends none."""
    reply = await hub.ask(
        "POST", "/v1/b", data=batch_of(b'{"type":"track","userId":"u","event":"e"}'),
        skip_auto_headers=["Content-Type"],
    )  # fmt: skip

    assert (200, SUCCESS) == (reply.status, reply.bytes)


@pytest.mark.parametrize(
    "type_", ["application/json", "text/plain", "application/x-www-form-urlencoded", ""]
)
async def test_row_34_gzip_goes_with_any_content_type(hub: Hub, type_: str) -> None:
    """Kotlin's is text/plain, rudder-node's a form."""
    headers = {**basic(KEY), "Content-Encoding": "gzip", "Content-Type": type_}
    reply = await hub.post("/v1/batch", zipped({"batch": [track()]}), headers=headers)

    assert (200, SUCCESS) == (reply.status, reply.bytes)
    assert "Tested" == (await hub.only())["event"]


async def test_row_34_limits_hold_for_what_comes_out(hub: Hub) -> None:
    """A bomb of 100 MB in 100 kB is a body that is too large, and is kept as such."""
    headers = {**basic(KEY), "Content-Encoding": "gzip"}
    reply = await hub.post("/v1/batch", gzip.compress(bytes(100_000_000), 1), headers=headers)

    assert (400, "Exceed payload limit") == (reply.status, reply.message)
    assert ["body_too_large"] == [one["code"] for one in await hub.rejected()]


@pytest.mark.parametrize(
    "broken", [zipped({"batch": []})[:-9], zipped({"batch": []})[:12] + b"!" * 30, b"\x1f\x8b"]
)
async def test_row_34_broken_gzip_is_refused_and_kept(hub: Hub, broken: bytes) -> None:
    """As malformed JSON, which it is to who reads it."""
    headers = {**basic(KEY), "Content-Encoding": "gzip"}
    reply = await hub.post("/v1/batch", broken, headers=headers)

    assert (400, "malformed JSON") == (reply.status, reply.message)
    assert ["bad_encoding"] == [one["code"] for one in await hub.rejected()]


async def test_row_34_deflate_is_inflated_too(hub: Hub) -> None:
    """With and without zlib's header, as servers and clients have always disagreed."""
    body = orjson.dumps(track())
    for packed in (zlib.compress(body), zlib.compress(body)[2:-4]):
        headers = {**basic(KEY), "Content-Encoding": "deflate"}
        assert 200 == (await hub.post("/v1/t", packed, headers=headers)).status


async def test_row_35_the_envelope_s_context_is_in_every_event(hub: Hub) -> None:
    """Go and Java name their library only there; an event's own keys win."""
    body = {
        "batch": [track(event="a"), track(event="b", context={"locale": "de"})],
        "context": {"library": {"name": "analytics-go"}, "locale": "en"},
    }
    await hub.post("/v1/batch", body, headers=basic(KEY))
    found = {event["event"]: event["context"] for event in await hub.events()}

    assert {"library": {"name": "analytics-go"}, "locale": "en"} == found["a"]
    assert {"library": {"name": "analytics-go"}, "locale": "de"} == found["b"]


async def test_row_36_so_are_its_integrations(hub: Hub) -> None:
    """Item keys win."""
    body = {
        "batch": [track(integrations={"A": True})],
        "integrations": {"All": False, "A": False},
    }
    await hub.post("/v1/batch", body, headers=basic(KEY))

    assert {"All": False, "A": True} == (await hub.only())["integrations"]


async def test_row_37_numeric_ids_become_text(hub: Hub) -> None:
    """PHP and Ruby send integers."""
    await hub.send(track(userId=123, anonymousId=4.0, messageId=5))
    event = await hub.only()

    assert ("123", "4", "5") == (event["userId"], event["anonymousId"], event["messageId"])


async def test_row_38_nulls_and_unknown_fields_are_tolerated(hub: Hub) -> None:
    """`_metadata` stays in the record; a null is a field that is not there."""
    metadata = {"bundled": ["A"], "unbundled": []}
    await hub.send(track(anonymousId=None, options={"a": 1}, _metadata=metadata, context=None))
    event = await hub.only()

    assert (metadata, {"a": 1}) == (event["_metadata"], event["options"])
    assert "anonymousId" not in event


async def test_row_39_write_keys_never_reach_the_log(hub: Hub) -> None:
    """Not in events, not in refused ones, not in bodies that nobody can read."""
    await hub.send(track(writeKey=KEY))
    await hub.send({"type": "track", "writeKey": KEY})
    await hub.post("/v1/t", b'{"writeKey": "%s", broken' % KEY.encode())
    kept = orjson.dumps([await hub.events(), await hub.rejected()])

    assert KEY.encode() not in kept
    assert (1, 2) == (len(await hub.events()), len(await hub.rejected()))


async def test_row_40_an_event_of_32_kib_passes_and_a_byte_more_does_not(hub: Hub) -> None:
    """Counted as sent, on single calls."""
    fits = await hub.post("/v1/track", sized(32_768), headers=basic(KEY))
    large = await hub.post("/v1/track", sized(32_769), headers=basic(KEY))

    assert (200, SUCCESS) == (fits.status, fits.bytes)
    assert (400, "Exceed payload limit") == (large.status, large.message)
    assert (1, 1) == (len(await hub.events()), len(await hub.rejected()))


@pytest.mark.parametrize("spaced", [False, True])
async def test_row_40_in_a_batch_only_the_oversize_event_is_refused(hub: Hub, spaced: bool) -> None:
    """Also when what makes it too large is white space, as it was sent."""
    large = sized(32_769, messageId="l")
    if spaced:
        small = sized(20_000, messageId="l")
        large = small.replace(b'"pad":', b'"pad":' + b" " * (32_769 - len(small)))
    reply = await hub.post("/v1/b", batch_of(sized(32_768), large, sized(100)))

    assert 200 == reply.status
    assert [(1, "l", "event_too_large", "Exceed payload limit")] == [
        (one["index"], one["messageId"], one["code"], one["message"])
        for one in reply.json["rejected"]
    ]
    assert 2 == len(await hub.events())


@pytest.mark.parametrize(("more", "status"), [(0, 200), (1, 400)])
async def test_row_41_a_batch_of_512_kib_passes_and_a_byte_more_does_not(
    hub: Hub, more: int, status: int
) -> None:
    """Decompressed, to the byte; refused as 400, and kept."""
    items = [sized(32_000)] * 16
    body = batch_of(*items)
    body = body.replace(b"[", b"[" + b" " * (524_288 + more - len(body)), 1)
    plain = await hub.post("/v1/b", body)
    packed = await hub.post("/v1/b", zipped(body), headers={"Content-Encoding": "gzip"})

    assert (status, status) == (plain.status, packed.status)
    assert (0 if more else 32, 2 if more else 0) == (
        len(await hub.events()),
        len(await hub.rejected()),
    )


async def test_row_42_a_batch_of_2500_passes_and_one_more_does_not(hub: Hub) -> None:
    """React Native sends up to 1,000. All of a refused batch is kept, event by event."""
    fits = await hub.send(*[track()] * 2_500)
    large = await hub.send(*[track()] * 2_501)

    assert (200, SUCCESS) == (fits.status, fits.bytes)
    assert (400, "Exceed payload limit") == (large.status, large.message)
    assert (2_500, 2_501) == (len(await hub.events()), len(await hub.rejected()))


@pytest.mark.parametrize(
    ("event", "code", "path"),
    [
        ({"type": "track", "userId": "u"}, "event_not_defined", ""),
        ({"type": "track", "event": "e"}, "no_user_anon_id", ""),
        ({"type": "identify"}, "no_user_anon_id", ""),
        ({"type": "track", "event": 1, "userId": "u"}, "event_not_string", "/event"),
    ],
)
@pytest.mark.parametrize("compat", ["strict", "segment"])
async def test_row_43_missing_fields_are_counted_and_kept(
    start, compat: str, event: dict[str, object], code: str, path: str
) -> None:
    """Told by default; with `compat = "segment"` answered 200. Delivered in neither case."""
    hub = await start(compat=compat)
    reply = await hub.send(event)

    assert (200 if compat == "segment" else 400) == reply.status
    if compat == "segment":
        assert SUCCESS == reply.bytes
    else:
        (told,) = reply.json["rejected"]
        assert (code, path, 0) == (told["code"], told["path"], told["index"])
        assert ("invalid_request", False) == (reply.json["code"], reply.json["success"])
    assert [] == await hub.events()
    assert [(code, event)] == [(one["code"], one["event"]) for one in await hub.rejected()]
    assert 1.0 == await hub.metric(f'ingest_refused_total{{code="{code}",source="shop"}}')


@pytest.mark.parametrize("compat", ["strict", "segment"])
async def test_row_44_good_events_of_a_batch_are_stored(start, compat: str) -> None:
    """A bad neighbour costs nobody a place."""
    hub = await start(compat=compat)
    reply = await hub.send(track(event="a"), {"type": "x", "messageId": "m"}, 5, track(event="b"))
    told = [(one["index"], one["messageId"]) for one in reply.json.get("rejected", [])]

    assert 200 == reply.status
    assert ([] if compat == "segment" else [(1, "m"), (2, None)]) == told
    assert {"a", "b"} == {event["event"] for event in await hub.events()}
    assert {"type_unknown", "event_not_object"} == {one["code"] for one in await hub.rejected()}


async def test_row_45_values_come_through_unchanged(hub: Hub) -> None:
    """Emoji, U+2028, integers of 64 bits, floats, 400 levels."""
    deep: object = 1
    for _ in range(400):
        deep = [deep]
    properties = {
        "text": 'naïve 🦆 \u2028 \u0000 "\\/',
        "big": 18_446_744_073_709_551_615,
        "small": -9_223_372_036_854_775_808,
        "beyond 2^53": 9_007_199_254_740_993,
        "float": 0.1,
        "empty": [{}, [], None, ""],
    }
    await hub.send(track(properties=properties))
    text = b'{"userId":"u","event":"deep","properties":{"deep":' + b"[" * 400 + b"1" + b"]" * 400
    assert 200 == (await hub.post("/v1/t", text + b"}}", headers=basic(KEY))).status
    found = {event["event"]: event["properties"] for event in await hub.events()}

    assert {"Tested": properties, "deep": {"deep": deep}} == found


@pytest.mark.parametrize(
    ("levels", "status"), [(997, 200), (998, 200), (999, 400), (1_100, 400), (100_000, 400)]
)
async def test_row_45_a_thousand_levels_are_the_end(hub: Hub, levels: int, status: int) -> None:
    """Two levels are the event's and its properties'; the message names the place."""
    deep = b"[" * levels + b"]" * levels
    text = b'{"userId":"u","event":"e","properties":{"d":' + deep + b"}}"
    reply = await hub.post("/v1/t", text, headers=basic(KEY))

    assert status == reply.status
    if status == 400:
        place = "malformed JSON: deeper than 1,000 levels at line 1, column"
        assert reply.message.startswith(place) or "Exceed payload limit" == reply.message
