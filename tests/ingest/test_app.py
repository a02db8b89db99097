"""Whatever is sent: an answer in JSON, no 5xx, and nothing of a known sender is lost."""

import asyncio
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import schemas
from ingest.keys import hash_of
from ingest.paths import PATHS
from tests.ingest import scenes
from tests.ingest.scenes import KEY, Hub, basic, hub_of

ROOMY = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text() | st.floats(
        allow_nan=False, allow_infinity=False
    ),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=15,
)  # fmt: skip
FIELDS = st.sampled_from(
    [
        "type", "event", "userId", "anonymousId", "messageId", "previousId", "groupId", "traits",
        "properties", "context", "integrations", "timestamp", "originalTimestamp", "sentAt",
        "name", "category", "writeKey", "_metadata", "source", "receivedAt", "version", "channel",
    ]
)  # fmt: skip
TYPES = st.sampled_from(["track", "identify", "page", "screen", "group", "alias"])
ITEMS = JSON | st.dictionaries(FIELDS, JSON, max_size=8) | st.builds(
    lambda fields, type_: {"userId": "u", "event": "e"} | fields | {"type": type_},
    st.dictionaries(FIELDS.filter(lambda name: name not in ("userId", "type")), JSON, max_size=6),
    TYPES,
)  # fmt: skip
KNOWN = schemas.load()
PATH = st.sampled_from(sorted(f"/v1/{name}" for name in PATHS))
HEADERS = st.dictionaries(
    st.sampled_from(
        ["Content-Type", "Content-Encoding", "Origin", "X-Retry-Count", "User-Agent", "Expect",
         "X-Forwarded-For", "Access-Control-Request-Headers", "Authorization", "Cookie"]
    ),
    st.text(st.characters(min_codepoint=33, max_codepoint=255), max_size=30),
    max_size=4,
)  # fmt: skip


@pytest.fixture(scope="module")
def house() -> Iterator[tuple[asyncio.Runner, Hub]]:
    """One hub for all examples, on a loop of its own: hypothesis cannot wait."""
    with asyncio.Runner() as runner:
        hub_is = hub_of(scenes.settings())
        hub = runner.run(hub_is.__aenter__())
        yield runner, hub
        runner.run(hub_is.__aexit__(None, None, None))


def judged(reply: scenes.Reply, path: str) -> None:
    assert reply.status < 500, reply.bytes
    if "/pixel/" in path and reply.status == 200:
        assert "image/gif" == reply.headers["Content-Type"]
    else:
        assert isinstance(orjson.loads(reply.bytes), dict)
        assert "application/json" == reply.headers["Content-Type"]
    assert "Access-Control-Allow-Origin" in reply.headers


@ROOMY
@given(
    path=PATH
    | st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=20).map(
        lambda text: "/" + text.replace("#", "").replace("?", "")
    ),
    body=st.binary(max_size=300),
    headers=HEADERS,
    method=st.sampled_from(["POST", "GET", "PUT"]),
)
def test_any_bytes_get_an_answer_in_json(
    house: Any, path: str, body: bytes, headers: dict[str, str], method: str
) -> None:
    """To any path, with any headers, by any method; never a 5xx."""
    runner, hub = house

    async def sent() -> scenes.Reply:
        head = f"{method} {path} HTTP/1.1\r\nHost: hub\r\nConnection: close\r\n".encode()
        for name, value in headers.items():
            head += f"{name}: ".encode() + value.encode("latin-1") + b"\r\n"
        answer = await hub.talk(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        while answer.startswith(b"HTTP/1.1 100"):
            answer = answer.partition(b"\r\n\r\n")[2]
        top, _, rest = answer.partition(b"\r\n\r\n")
        first, *lines = top.decode().split("\r\n")
        fields = dict(line.split(": ", 1) for line in lines)
        return scenes.Reply(int(first.split()[1]), fields, rest)

    judged(runner.run(sent()), path)


@ROOMY
@given(items=st.lists(ITEMS, min_size=1, max_size=5), envelope=st.dictionaries(FIELDS, JSON))
def test_no_event_of_a_known_sender_is_lost(
    house: Any, items: list[Any], envelope: dict[str, Any]
) -> None:
    """Each is in `events`, or in `rejected`, or a duplicate of one that is."""
    runner, hub = house

    async def count() -> tuple[int, int, float]:
        return (
            len(await hub.events()),
            len(await hub.rejected()),
            await hub.metric('ingest_duplicates_total{source="shop"}'),
        )

    async def scene() -> tuple[scenes.Reply, float]:
        before = await count()
        reply = await hub.post("/v1/batch", envelope | {"batch": items}, headers=basic(KEY))
        after = await count()
        return reply, sum(after) - sum(before)

    reply, kept = runner.run(scene())

    judged(reply, "/v1/batch")
    assert len(items) == kept
    refused = len(reply.json.get("rejected", []))
    assert (reply.status == 400) == (refused == len(items))


@ROOMY
@given(item=ITEMS.filter(lambda item: isinstance(item, dict)), type_=TYPES)
def test_what_is_kept_obeys_the_schemas_of_records(
    house: Any, item: dict[str, Any], type_: str
) -> None:
    """Whatever a client writes into the fields that are ours."""
    runner, hub = house
    name = str(uuid4())
    reply = runner.run(hub.post(f"/v1/{type_}", item | {"messageId": name}, headers=basic(KEY)))
    kept = [one for one in runner.run(hub.events()) if one["messageId"] == name]
    refused = [one for one in runner.run(hub.rejected()) if one["messageId"] == name]

    assert ((1, 0) if reply.status == 200 else (0, 1)) == (len(kept), len(refused))
    for event in kept:
        assert [] == KNOWN.record.violations(event)
    for record in refused:
        assert [] == KNOWN.rejected.violations(record)


async def test_head_is_answered_without_a_body(hub: Hub) -> None:
    """Monitors ask so."""
    for path in ("/healthz", "/readyz", f"/v1/projects/{KEY}/settings", "/v1/pixel/track"):
        reply = await hub.ask("HEAD", path)
        assert (200, b"") == (reply.status, reply.bytes)


async def test_health_is_told(hub: Hub) -> None:
    """/healthz, /readyz and /metrics, and not ready when stopping, though still serving."""
    assert {"ok": True} == (await hub.get("/healthz")).json
    assert {"ok": True} == (await hub.get("/readyz")).json
    hub.process.stop_being_ready()
    stopping = await hub.send(scenes.track())

    assert 503 == (await hub.get("/readyz")).status
    assert (200, "close") == (stopping.status, stopping.headers["Connection"])
    assert hash_of(KEY) not in (await hub.get("/metrics")).bytes.decode()
