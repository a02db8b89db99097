"""What real SDKs do on the wire, point by point (facts, 1.12)."""

import orjson
import pytest

from tests.ingest.scenes import KEY, NOW, Hub, basic, track, zipped

HOUR_AGO = "2026-11-21T09:00:00.000Z"


async def test_wire_01_java_sends_only_the_body_s_key(hub: Hub) -> None:
    """No header, no retry count, and a batch of which part was taken before."""
    body = {"batch": [track(messageId="1")], "writeKey": KEY, "sentAt": NOW, "sequence": 1}
    await hub.post("/v1/import/", body)
    body["batch"] = [track(messageId="1"), track(messageId="2")]
    reply = await hub.post("/v1/import/", body)

    assert (200, b'{"success": true}') == (reply.status, reply.bytes)
    assert {"1", "2"} == {event["messageId"] for event in await hub.events()}


@pytest.mark.parametrize(
    ("headers", "timestamp"),
    [({}, "2026-11-21T09:59:58.000Z"), ({"X-Retry-Count": "1"}, "2026-11-21T09:58:51.000Z")],
)
async def test_wire_02_a_stale_sent_at_does_not_move_a_retry(
    hub: Hub, headers: dict[str, str], timestamp: str
) -> None:
    """67 s old on Java: where the client says that it tries again, its own time is right."""
    body = {
        "batch": [track(timestamp="2026-11-21T09:58:51.000Z")],
        "sentAt": "2026-11-21T09:58:53.000Z",
    }
    await hub.post("/v1/b", body, headers=basic(KEY) | headers)

    assert timestamp == (await hub.only())["timestamp"]


async def test_wire_03_a_sent_at_that_is_the_event_s_own_time_says_nothing(hub: Hub) -> None:
    """rudder-go writes the same moment into both, also when it imports history."""
    await hub.send(track(originalTimestamp=HOUR_AGO, sentAt="2026-11-21T10:00:00+01:00"))

    assert HOUR_AGO == (await hub.only())["timestamp"]


async def test_wire_04_original_timestamp_is_an_event_s_time(hub: Hub) -> None:
    """RudderStack's SDKs send no `timestamp`; the envelope's is not the events'."""
    body = {"batch": [track(originalTimestamp=HOUR_AGO)], "timestamp": "2020-01-01T00:00:00Z"}
    await hub.post("/v1/batch", body, headers=basic(KEY))
    event = await hub.only()

    assert (HOUR_AGO, HOUR_AGO) == (event["timestamp"], event["originalTimestamp"])


async def test_wire_04_the_time_that_a_caller_gave_goes_before_the_time_of_the_call(
    hub: Hub,
) -> None:
    """rudder-node's own option writes `timestamp`, and the call's time as `originalTimestamp`."""
    await hub.send(track(timestamp=HOUR_AGO, originalTimestamp="2026-11-21T09:59:59.900Z"))
    event = await hub.only()

    assert (HOUR_AGO, HOUR_AGO) == (event["timestamp"], event["originalTimestamp"])


async def test_wire_05_a_form_is_never_parsed(hub: Hub) -> None:
    """rudder-node sends gzipped JSON as one."""
    headers = basic(KEY) | {
        "Content-Type": "application/x-www-form-urlencoded",
        "Content-Encoding": "gzip",
    }
    reply = await hub.post("/v1/batch", zipped({"batch": [track()]}), headers=headers)

    assert 200 == reply.status
    assert "Tested" == (await hub.only())["event"]


async def test_wire_06_traits_may_stand_in_context_only(hub: Hub) -> None:
    """rudder-python's identify; kept where they were."""
    traits = {"email": "ada@example.com"}
    reply = await hub.send({"type": "identify", "userId": "u", "context": {"traits": traits}})

    assert 200 == reply.status
    assert traits == (await hub.only())["context"]["traits"]


async def test_wire_07_lower_case_all_is_all(hub: Hub) -> None:
    """analytics-go's EnableAll(); and product fields stay as it spells them."""
    properties = {"orderId": "1", "products": [{"id": "p", "sky": "s"}]}
    await hub.send(track(integrations={"all": False, "A": True}, properties=properties))
    event = await hub.only()

    assert {"All": False, "A": True} == event["integrations"]
    assert properties == event["properties"]


async def test_wire_08_python_sends_both_keys_and_is_heard_on_429(start) -> None:
    """It honours Retry-After, and brings the batch again behind later ones."""
    hub = await start(events_per_second=1, burst=1)
    both = {"batch": [track(messageId="1")], "writeKey": KEY}
    assert 200 == (await hub.post("/v1/batch", both, headers=basic(KEY))).status
    late = {"batch": [track(messageId="2")], "writeKey": KEY}
    refused = await hub.post("/v1/batch", late, headers=basic(KEY))
    hub.clock.advance(int(refused.headers["Retry-After"]))
    again = await hub.post("/v1/batch", late, headers=basic(KEY) | {"X-Retry-Count": "1"})

    assert (429, 200) == (refused.status, again.status)
    assert ["1", "2"] == [event["messageId"] for event in await hub.events()]


async def test_wire_09_order_is_that_of_arrival(hub: Hub) -> None:
    """Within a request, and between requests of which one was answered before the next."""
    for first in range(0, 30, 10):
        await hub.send(*[track(messageId=str(number)) for number in range(first, first + 10)])

    assert [str(number) for number in range(30)] == [
        event["messageId"] for event in await hub.events()
    ]


async def test_wire_10_kotlin_sends_gzip_with_a_length_and_a_file_twice(hub: Hub) -> None:
    """Every flush uploads a waiting file again: the second time counts as duplicates."""
    body = zipped({"batch": [track(messageId="k")], "sentAt": NOW, "writeKey": KEY})
    headers = {"Content-Type": "text/plain", "Content-Encoding": "gzip"}
    replies = [await hub.post("/v1/b", body, headers=headers) for _ in range(2)]

    assert [200, 200] == [reply.status for reply in replies]
    assert 1 == len(await hub.events())


async def test_wire_11_beacons_bring_cookies_and_no_preflight(hub: Hub) -> None:
    """A cookie is not looked at; a page's origin gets its credentials answer."""
    headers = {"Cookie": "a=b", "Origin": "https://x.example", "Content-Type": "text/plain"}
    reply = await hub.post("/v1/t", track(writeKey=KEY), headers=headers)

    assert 200 == reply.status
    assert "true" == reply.headers["Access-Control-Allow-Credentials"]
    assert b"Cookie" not in orjson.dumps(await hub.only())


async def test_wire_12_rust_says_the_type_in_the_path_only(hub: Hub) -> None:
    """No sentAt, no library, nine digits of a second."""
    body = {"userId": "u", "event": "e", "timestamp": "2026-11-21T09:00:00.123456789Z"}
    await hub.post("/v1/track", body, headers=basic(KEY))
    await hub.post("/v1/identify", {"userId": "u"}, headers=basic(KEY))
    track_, identify = await hub.events()

    assert ("track", "2026-11-21T09:00:00.123Z") == (track_["type"], track_["timestamp"])
    assert ("identify", NOW) == (identify["type"], identify["timestamp"])


async def test_wire_13_user_id_goes_before_an_invented_anonymous_id(hub: Hub) -> None:
    """rudder-go invents one per event: a person's events stay in one partition, in order."""
    await hub.send(*[track(messageId=str(n), anonymousId=f"random-{n}") for n in range(20)])
    spans = [span for s in await hub.log.status() if s.stream == "events" for span in s.spans]

    assert [20] == [span.end for span in spans if span.end]


async def test_wire_14_nulls_in_lists_and_raw_u2028_are_json(hub: Hub) -> None:
    """Java keeps nulls inside lists."""
    text = '{"userId":"u","event":"e","properties":{"l":[null,1],"t":"a\u2028b"}}'.encode()
    reply = await hub.post("/v1/t", text, headers=basic(KEY))

    assert 200 == reply.status
    assert {"l": [None, 1], "t": "a\u2028b"} == (await hub.only())["properties"]


async def test_lone_surrogates_are_replaced(hub: Hub) -> None:
    """Half an emoji is no reason to lose a batch; whole ones and escaped text stay."""
    text = rb'{"userId":"u","event":"\ud83d","properties":{"a":"\ud83d\ude00","b":"\\ud800"}}'
    reply = await hub.post("/v1/t", text, headers=basic(KEY))
    event = await hub.only()

    assert 200 == reply.status
    assert ("\ufffd", {"a": "😀", "b": "\\ud800"}) == (event["event"], event["properties"])


async def test_the_last_of_equal_keys_wins(hub: Hub) -> None:
    """As in every SDK's own parser."""
    await hub.post("/v1/t", b'{"userId":"u","event":"a","event":"b"}', headers=basic(KEY))

    assert "b" == (await hub.only())["event"]
