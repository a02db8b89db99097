"""Rows 46 to 58 of the drop-in checklist: what events mean."""

import asyncio
import re

import pytest

from tests.ingest.scenes import KEY, NOW, AwayLog, HeldLog, Hub, basic, track, until

AJS = {"library": {"name": "analytics.js", "version": "npm:next-1.84.3"}}
PYTHON = {"library": {"name": "analytics-python", "version": "2.4.0"}}


async def test_row_46_message_ids_are_kept_or_made(hub: Hub) -> None:
    """Longer than 100 characters is no reason; ours is a random UUID."""
    await hub.send(track(messageId="m" * 150), track(event="made"), track(messageId=""))
    ids = sorted((event["messageId"] for event in await hub.events()), key=len)

    assert "m" * 150 == ids[-1]
    for made in ids[:-1]:
        assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-.{12}", made)


async def test_row_47_a_message_id_is_taken_once_a_day(hub: Hub) -> None:
    """Still 200; another source's id is another id, and the next day it is new."""
    replies = [await hub.send(track(messageId="m"), track(messageId="m")) for _ in range(2)]

    assert [(200, b'{"success": true}')] * 2 == [(r.status, r.bytes) for r in replies]
    assert 1 == len(await hub.events())
    assert 3.0 == await hub.metric('ingest_duplicates_total{source="shop"}')


@pytest.mark.parametrize("odd", [{}, {"userId": 7}], ids=["plain", "odd"])
async def test_row_47_each_event_of_a_batch_is_looked_at(hub: Hub, odd: dict[str, int]) -> None:
    """Some were taken before, some are there twice, some have no id: each of the others is kept."""
    await hub.send(track(messageId="old", event="first"))
    ids = ["new", "", "old", "new", "", "newer", "old"]
    named = [{"messageId": id_} if id_ else {} for id_ in ids]
    batch = [track(event=f"e{n}") | id_ | odd for n, id_ in enumerate(named)]
    for _ in range(2):
        await hub.send(*batch)
    kept = sorted(event["event"] for event in await hub.events())

    assert ["e0", "e1", "e1", "e4", "e4", "e5", "first"] == kept
    assert 3.0 + 5.0 == await hub.metric('ingest_duplicates_total{source="shop"}')


async def test_row_47_an_id_whose_event_was_not_kept_is_free(start) -> None:
    """A client that was answered 503 tries again, and is not taken for a duplicate."""

    log = AwayLog()
    hub = await start(log=log)
    first = await hub.send(track(messageId="m"))
    log.streams = ()
    second = await hub.send(track(messageId="m"))

    assert (503, 200) == (first.status, second.status)
    assert 1 == len(await hub.events())


async def test_row_47_a_duplicate_waits_for_the_first(start) -> None:
    """No 200 before the event is durable, whoever asks."""

    log = HeldLog()
    hub = await start(log=log)
    first = asyncio.create_task(hub.send(track(messageId="m")))
    await log.entered.wait()
    second = asyncio.create_task(hub.send(track(messageId="m")))
    alone = await hub.metric('ingest_request_bytes_total{source="shop"}')

    async def both() -> bool:
        return await hub.metric('ingest_request_bytes_total{source="shop"}') == 2 * alone

    await until(both)
    done, _ = await asyncio.wait({first, second}, timeout=0.05)
    log.free.set()

    assert set() == done
    assert [200, 200] == [(await first).status, (await second).status]
    assert 1 == len(await hub.events())


@pytest.mark.parametrize("ahead", [3_600, -3_600])
async def test_row_48_a_wrong_clock_is_corrected(hub: Hub, ahead: int) -> None:
    """receivedAt - (sentAt - originalTimestamp): sent ten seconds after it happened."""
    ours = 1_795_255_200
    event = track(timestamp=ours + ahead - 10)
    await hub.post("/v1/b", {"batch": [event], "sentAt": ours + ahead, "writeKey": KEY})
    found = await hub.only()

    assert ("2026-11-21T09:59:50.000Z", NOW) == (found["timestamp"], found["receivedAt"])
    assert ours + ahead - 10 == found["originalTimestamp"]


@pytest.mark.parametrize("sent_at", [None, "", "yesterday", {}, []])
async def test_row_49_without_sent_at_the_client_s_time_is_kept(hub: Hub, sent_at: object) -> None:
    """Java users pass `sentAt: ""` to import history."""
    await hub.send(track(timestamp="2020-02-29T12:00:00.123Z", sentAt=sent_at))
    found = await hub.only()

    assert "2020-02-29T12:00:00.123Z" == found["timestamp"] == found["originalTimestamp"]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("0001-01-01T00:00:00Z", NOW),
        ("2026-11-20T10:00:00.123456789Z", "2026-11-20T10:00:00.123Z"),
        ("2026-11-20T10:00:00.1234567+02:00", "2026-11-20T08:00:00.123Z"),
        ("2026-11-20T10:00:00+00:00", "2026-11-20T10:00:00.000Z"),
        ("2026-11-20T10:00:00.123456+00:00", "2026-11-20T10:00:00.123Z"),
        (1_795_168_800, "2026-11-20T10:00:00.000Z"),
        (1_795_168_800_123, "2026-11-20T10:00:00.123Z"),
        ("nonsense", NOW),
    ],
)
async def test_row_50_times_of_every_sdk_are_read(hub: Hub, written: object, read: str) -> None:
    """Go's zero and nanoseconds, PHP's offsets, .NET's seven digits, numbers."""
    await hub.send(track(timestamp=written))
    found = await hub.only()

    assert (read, written) == (found["timestamp"], found["originalTimestamp"])


async def test_row_51_a_file_closed_hours_ago_moves_nothing_into_the_future(hub: Hub) -> None:
    """Old mobile SDKs stamp sentAt when a file is closed; later events are in it, too."""
    body = {
        "batch": [track(timestamp="2026-11-21T09:30:00Z")],
        "sentAt": "2026-11-21T07:00:00Z",
    }
    await hub.post("/v1/b", body, headers=basic(KEY))

    assert NOW == (await hub.only())["timestamp"]


@pytest.mark.parametrize(
    ("context", "ip"),
    [
        (AJS, "127.0.0.1"),
        ({"library": {"name": "analytics-kotlin"}}, "127.0.0.1"),
        (AJS | {"ip": "0.0.0.0"}, "0.0.0.0"),  # noqa: S104
        (PYTHON, None),
        (PYTHON | {"direct": True}, "127.0.0.1"),
        ({}, None),
    ],
)
async def test_row_52_addresses_are_those_of_people(
    hub: Hub, context: dict[str, object], ip: str | None
) -> None:
    """A browser's and a phone's, not a server's."""
    await hub.send(track(context=context), headers={"X-Forwarded-For": "9.9.9.9"})

    assert ip == (await hub.only())["context"].get("ip")


async def test_row_52_a_trusted_proxy_is_believed(start) -> None:
    """The last hop that is no proxy of ours; what a client claims before it is not read."""
    hub = await start(ingest={"trusted_proxies": ["127.0.0.0/8", "10.0.0.0/8"]})
    via = {"X-Forwarded-For": "6.6.6.6, 203.0.113.7, 10.1.1.1"}
    await hub.send(track(context=AJS), headers=via)

    assert "203.0.113.7" == (await hub.only())["context"]["ip"]


async def test_row_53_user_agents_likewise(hub: Hub) -> None:
    """The header's, when the event has none and is a person's."""
    agent = {"User-Agent": "Mozilla/5.0 (caf\xe9)"}
    await hub.get(f"/v1/pixel/track?writeKey={KEY}&userId=u&event=pixel", headers=agent)
    await hub.send(track(event="js", context=AJS | {"userAgent": "own"}), headers=agent)
    await hub.send(track(event="py", context=PYTHON), headers=agent)
    found = {event["event"]: event["context"].get("userAgent") for event in await hub.events()}

    assert {"js": "own", "py": None} == {name: found[name] for name in ("js", "py")}
    assert found["pixel"].startswith("Mozilla/5.0 (caf")


async def test_row_54_alias_group_and_screen_keep_their_fields(hub: Hub) -> None:
    """previousId, groupId, name."""
    reply = await hub.send(
        {"type": "alias", "userId": "u", "previousId": "p"},
        {"type": "group", "userId": "u", "groupId": 7, "traits": {"plan": "x"}},
        {"type": "screen", "userId": "u", "name": "Home", "category": "Main"},
    )
    alias, group, screen = sorted(await hub.events(), key=lambda event: event["type"])

    assert 200 == reply.status
    assert "p" == alias["previousId"]
    assert ("7", {"plan": "x"}) == (group["groupId"], group["traits"])
    assert ("Home", "Main") == (screen["name"], screen["category"])


async def test_row_55_integrations_are_kept_as_they_are(hub: Hub) -> None:
    """Names are case-sensitive, options are objects; destinations read them."""
    integrations = {"All": False, "Mixpanel": True, "mixpanel": False, "GA": {"clientId": "1"}}
    await hub.send(track(integrations=integrations))

    assert integrations == (await hub.only())["integrations"]


async def test_row_56_consent_is_kept_and_its_event_is_checked(hub: Hub) -> None:
    """A reserved event that says nothing readable about consent is refused."""
    consent = {"categoryPreferences": {"ads": False, "stats": True}}
    name = "Segment Consent Preference Updated"
    fine = await hub.send(track(event=name, context={"consent": consent}))
    wrong = await hub.send(
        track(event=name, context={"consent": {"categoryPreferences": {"ads": "no"}}}),
        track(event=name),
    )

    assert (200, 400) == (fine.status, wrong.status)
    assert consent == (await hub.only())["context"]["consent"]
    assert [
        "consent_categorypreferences_fields_should_be_bool",
        "consent_categorypreferences_should_exist",
    ] == [one["code"] for one in wrong.json["rejected"]]


async def test_row_57_segment_io_false_is_the_client_s_to_honour(hub: Hub) -> None:
    """analytics.js drops such events itself; one that comes all the same is kept as it is."""
    await hub.send(track(integrations={"Segment.io": False}))

    assert {"Segment.io": False} == (await hub.only())["integrations"]


async def test_row_58_what_the_browser_delivered_is_in_the_record(hub: Hub) -> None:
    """So that destinations can leave it out."""
    metadata = {"bundled": ["Google Analytics"], "unbundled": [], "bundledIds": ["1"]}
    await hub.send(track(_metadata=metadata))

    assert metadata == (await hub.only())["_metadata"]


async def test_each_event_of_a_batch_has_the_channel_of_its_own_library(hub: Hub) -> None:
    """A relay sends what several SDKs have made."""
    contexts = [AJS, PYTHON, {}, AJS, {"library": {"name": "analytics-ios"}}, PYTHON]
    await hub.send(*(track(event=f"e{n}", context=one) for n, one in enumerate(contexts)))
    kept = sorted(await hub.events(), key=lambda event: str(event["event"]))

    assert ["browser", "server", None, "browser", "mobile", "server"] == [
        event.get("channel") for event in kept
    ]
