"""Plain events are judged as all others are, and only they are plain."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import schemas
from hub.event import entry_of
from ingest.enrich import Connection
from ingest.envelope import BATCH_BYTES, EVENT_BYTES, batch, single
from ingest.keys import hash_of
from ingest.plain import Candidate, Plain, Submission, request_of
from ingest.settings import SourceSettings
from ingest.sources import Source
from ingest.text import DEPTH
from ingest.validate import TYPES, Receipt, Rules, Valid
from tests.ingest.scenes import KEY, NOW, track

SCHEMAS = schemas.load()
PLAIN = Plain(SCHEMAS)
RULES = Rules(SCHEMAS)
BROWSER = Connection("203.0.113.7", "", 'Mozilla "5"', client_side=True)
RECEIPT = Receipt(1_795_255_200_000, NOW, False, BROWSER)
KEYS = (hash_of(KEY),)
SETTINGS = [SourceSettings(keys=KEYS, correct_clocks=yes) for yes in (True, False)]
SOURCE = Source("shop", SETTINGS[0])
AT = 1_795_255_200.0


def kept(
    type_: str | None, text: bytes, receipt: Receipt = RECEIPT, source: Source = SOURCE
) -> list[Candidate] | None:
    """What becomes of a request whose events are plain."""
    request = request_of(type_, text)
    if request is None:
        return None
    (found,) = PLAIN.judge([Submission(request, source, receipt)], AT)
    return None if found is None else list(found)


def judged(
    type_: str | None, text: bytes, receipt: Receipt = RECEIPT, source: Source = SOURCE
) -> list[Valid]:
    """What becomes of it the long way; all of it must be accepted, and nothing reported."""
    body = orjson.loads(text)
    envelope = single(body, len(text)) if type_ else batch(body, text)
    assert not envelope.too_large
    found = [RULES.judge(item, type_, envelope, source, receipt) for item in envelope.items]
    valid = [one for one in found if isinstance(one, Valid) and not one.reported]
    assert len(found) == len(valid), "accepted as plain what is refused or reported"
    return valid


def assert_no_name_twice(text: bytes) -> None:
    """Readers differ in which of the two they take."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        assert len(pairs) == len(dict(pairs))
        return dict(pairs)

    json.loads(text, object_pairs_hook=unique)


def assert_the_same(
    type_: str | None, text: bytes, receipt: Receipt = RECEIPT, source: Source = SOURCE
) -> bool:
    """Whether it is plain; then it is kept as the long way would keep it."""
    short = kept(type_, text, receipt, source)
    if short is None:
        return False
    for one, valid in zip(short, judged(type_, text, receipt, source), strict=True):
        record = orjson.loads(one.entry.value)
        if not valid.given_id:
            valid.event["messageId"] = record["messageId"]
        expected = entry_of("shop", valid.event, AT)
        given_id = valid.event["messageId"] if valid.given_id else ""
        assert valid.event == record
        assert_no_name_twice(one.entry.value)
        assert (expected.key, expected.headers) == (one.entry.key, one.entry.headers)
        assert (valid.event["type"], given_id, valid.late) == (
            one.item.type,
            one.given_id,
            one.late,
        )
        assert b"\n" not in one.entry.value
    return True


ODD: tuple[Any, ...] = (
    *(None, "", "x", 0, 7, 1.5, 1e300, 10**30, True, [], {}, {"name": 5}, {"email": "x"}),
    *({"email": "a@b.c"}, {"ip": None}, {"ip": "::1"}, {"userAgent": "x"}, {"all": True}),
    *(
        {"library": {"name": "analytics.js", "version": "1"}},
        {"direct": True},
        {"revenue": "x"},
    ),
    *({"library": None}, {"other": {"deep": [1, {}]}}, {"order_id": "o", "products": [{}]}),
    *({"protocols": {"event_version": 10**30}}, "2026-11-21T09:00:00Z", "2026-01-01", "1e3"),
    *(
        {"timezone": 5},
        "page",
        "Order Completed",
        "Segment Consent Preference Updated",
        '\u00e9"\\',
    ),
)
FIELDS = (
    *("type", "event", "userId", "anonymousId", "groupId", "previousId", "messageId", "name"),
    *("context", "integrations", "properties", "traits", "timestamp", "sentAt", "category"),
    *("channel", "_metadata", "writeKey", "receivedAt", "source", "version", "other"),
    *("context", "properties", "traits", "originalTimestamp", "event"),
)
RECEIPTS = (
    RECEIPT,
    RECEIPT._replace(retried=True),
    RECEIPT._replace(connection=Connection("203.0.113.7", "198.51.100.1", "curl")),
    RECEIPT._replace(connection=Connection()),
    RECEIPT._replace(connection=Connection("::1", "", "x" * 2_000, client_side=True)),
)


MISSING = object()
CONTEXTS: tuple[Any, ...] = (
    *({}, {"library": {"name": "analytics.js"}}, {"library": {"name": "python"}, "ip": "::1"}),
    *({"direct": True}, {"direct": True, "userAgent": None}, {"direct": True, "ip": None}),
)


def assert_all_ways(type_: str, item: dict[Any, Any], receipt: Receipt = RECEIPT) -> None:
    """The same by its path and in batches, whatever spaces are in its text."""
    try:
        texts = [orjson.dumps(item)]
    except TypeError:  # an integer that orjson does not write
        texts = []
    for text in (*texts, json.dumps(item).encode()):
        assert_the_same(type_, text, receipt)
        assert_the_same(None, b'{"batch":[%b],"sentAt":"2026-11-21T09:59:00Z"}' % text, receipt)
        assert_the_same(None, b'{"batch":[%b,%b]}' % (text, text), receipt)


@pytest.mark.parametrize("receipt", RECEIPTS)
@pytest.mark.parametrize("type_", TYPES)
def test_one_field_that_is_odd(type_: str, receipt: Receipt) -> None:
    """Whatever one field is, or if it is missing, the record is what the long way makes of it."""
    whole = {"messageId": "m", "userId": "u", "anonymousId": "a", "groupId": "g", "previousId": "p"}
    whole |= {"type": type_, "name": "n", "event": "Order Completed"}
    whole |= {"timestamp": "2026-11-21T09:58:00Z"}
    for context in CONTEXTS:
        assert_all_ways(type_, whole | {"context": context}, receipt)
        assert_all_ways(type_, whole | {"properties": {}, "traits": context}, receipt)
        assert_all_ways(type_, whole | {"traits": {}, "properties": context}, receipt)
        assert_all_ways(type_, whole | {"traits": 5, "properties": {}}, receipt)
        assert_all_ways(type_, whole | {"properties": 5, "traits": {}}, receipt)
        assert_all_ways(type_, whole | {"context": context, "channel": "other"}, receipt)
    for field in FIELDS:
        for odd in (MISSING, *ODD):
            item = {k: v for k, v in (whole | {field: odd}).items() if v is not MISSING}
            assert_all_ways(type_, item, receipt)
            item.pop("anonymousId", None)
            assert_all_ways(type_, item, receipt)


@settings(max_examples=1_000, deadline=None)
@given(
    type_=st.sampled_from(TYPES),
    odd=st.dictionaries(st.sampled_from(FIELDS), st.sampled_from(ODD), max_size=4),
    receipt=st.sampled_from(RECEIPTS),
)
def test_fields_that_are_odd_together(type_: str, odd: dict[str, Any], receipt: Receipt) -> None:
    """As above."""
    item = {"messageId": "m", "userId": "u", "groupId": "g", "previousId": "p"}
    assert_all_ways(type_, item | {"type": type_, "event": "Tested"} | odd, receipt)


TEXTS = tuple(
    (type_, orjson.dumps(body))
    for type_, body in (
        ("track", track(messageId="m")),
        ("page", track(messageId="n", context={"library": {"name": "analytics.js"}})),
        ("track", track(messageId="o", event="Order Completed", properties={"revenue": "x"})),
        ("track", track(messageId="p", traits={})),
        ("track", track(messageId="q", context={"direct": True, "ip": None})),
        (None, {"batch": []}),
        (None, {"batch": [track(messageId="r"), track(messageId="s")], "sentAt": NOW}),
        (None, {"batch": [track(messageId="t"), track(messageId="u", context={"direct": 1})]}),
        (None, {"batch": [track(messageId="v"), track(messageId="w", type="?")]}),
        (None, {"batch": [track(messageId="x", properties={"a": "x" * EVENT_BYTES})]}),
    )
)


Asked = list[tuple[tuple[str | None, bytes], Receipt]]


def submitted(asked: Asked) -> Iterator[Submission]:
    """Requests of a source each, that differ in what they are to be judged by."""
    for number, ((type_, text), receipt) in enumerate(asked):
        request = request_of(type_, text)
        assert request is not None
        source = replace(SOURCE, name=f"shop{number}", settings=SETTINGS[number % 2])
        yield Submission(request, source, receipt)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(TEXTS), st.sampled_from(RECEIPTS)), max_size=8))
def test_company_changes_nothing(asked: Asked) -> None:
    """Requests that are judged together are judged as each alone."""

    def told(events: Sequence[Candidate] | None) -> Any:
        return events and [(one.entry, one.given_id, one.late, one.item.type) for one in events]

    alone = [told(PLAIN.judge([one], AT)[0]) for one in submitted(asked)]

    assert alone == [told(events) for events in PLAIN.judge(list(submitted(asked)), AT)]


@pytest.mark.parametrize(
    "item",
    [
        track(messageId="m", properties={"a": [1, {"b": None}]}, timestamp=NOW, integrations={}),
        track(event="Order Completed", properties={"order_id": "o", "revenue": 5}),
        track(context={"library": {"name": "analytics.js", "version": "2"}, "other": {"a": 1}}),
        track(context={"ip": "::1", "userAgent": "x", "page": {"url": "https://a/"}}),
        track(writeKey=KEY, _metadata={"bundled": []}, sentAt=NOW, originalTimestamp="yesterday"),
        track(receivedAt="x", source="y", version="9", channel="server", context={}),
        {"type": "identify", "anonymousId": "a", "traits": {"email": "ada@example.com", "x": 1}},
        {"type": "page", "userId": "u", "name": "Home", "category": "x", "properties": {}},
        {"type": "page", "userId": "u", "event": "Order Completed"},
        {"type": "screen", "anonymousId": "a", "name": "Home"},
        {"type": "group", "userId": "u", "groupId": "g", "traits": {"name": "Acme"}},
        {"type": "alias", "userId": "u", "previousId": "p"},
    ],
)
def test_what_sdks_send_is_plain(item: dict[str, Any]) -> None:
    """Else nothing would be gained."""
    text = orjson.dumps(item)
    untyped = orjson.dumps({key: value for key, value in item.items() if key != "type"})

    assert assert_the_same(item["type"], text)
    assert assert_the_same(item["type"], untyped)
    assert assert_the_same(None, b'{"batch":[%b,%b],"writeKey":"k"}' % (text, text))


def text_of(properties: bytes) -> bytes:
    return b'{"type":"track","userId":"u","event":"e","properties":%b}' % properties


@pytest.mark.parametrize(
    "text",
    [
        text_of(b'{"a":1e999}'),
        text_of(b'{"a":[%b]}' % (b"1" * 400)),
        text_of(b'{"a":%b}' % (b"[" * DEPTH + b"]" * DEPTH)),
        text_of(b'{"a":%b}' % (b"[" * (DEPTH - 3) + b"]" * (DEPTH - 3))),
        text_of(b"{}").replace(
            b'"properties":{}', b'"_metadata":{"a":%b}' % (b"[" * 1_022 + b"]" * 1_022)
        ),
        text_of(b'{"a":"\xff"}'),
        text_of(b'{"\xed\xa0\x80":1}'),
        text_of(b'{"a":"\\ud800"}'),
        text_of(b'{"a":\n1}'),
        text_of(b'{"a":NaN}'),
        text_of(b"{}") + b" {}",
        b"\xef\xbb\xbf" + text_of(b"{}"),
        text_of(b"{}").replace(b"properties", b"context").replace(b"{}", b'{"a":1e999}'),
        text_of(b'{"protocols":{"event_version":%b}}' % (b"1" * 400)).replace(
            b"properties", b"context"
        ),
        text_of(b"{}").replace(b"properties", b"integrations").replace(b"{}", b'{"a":1e999}'),
        text_of(b"{}").replace(b"properties", b"_metadata").replace(b"{}", b'{"a":1e999}'),
        text_of(b"{}").replace(b"{}", b'{},"userId":5'),
    ],
)
def test_what_a_reader_might_not_parse_goes_the_long_way(text: bytes) -> None:
    """What lies in the log can be read by anyone who reads JSON, in lines."""
    assert None is kept("track", text)
    assert None is kept(None, b'{"batch":[%b]}' % text)
    assert None is kept(None, b'{"batch":[%b,%b]}' % (text_of(b"{}"), text))
    assert None is not kept("track", text_of(b"{}"))


@pytest.mark.parametrize("type_", TYPES)
@pytest.mark.parametrize("part", ["properties", "traits"])
def test_of_two_parts_none_is_passed_over(type_: str, part: str) -> None:
    """A type has one of them; a reader must be able to parse the other, too."""
    said = {"type": type_, "event": "e", "userId": "u", "groupId": "g", "previousId": "p"}
    text = orjson.dumps(said | {"properties": {}, "traits": {}} | {part: "?"})

    assert None is kept(type_, text.replace(b'"?"', b'{"a":1e999}'))


def test_depth() -> None:
    """Some hundreds of levels are plain; where msgspec ends depends on Python's own stack."""
    levels = 500
    text = text_of(b'{"a":%b}' % (b"[" * levels + b"]" * levels))

    assert assert_the_same("track", text)
    assert assert_the_same(None, b'{"batch":[%b]}' % text)


@pytest.mark.parametrize("more", [b"", b',"other":"%b"' % (b"x" * EVENT_BYTES)])
def test_no_depth_is_a_fault(more: bytes) -> None:
    """Wherever msgspec ends, in a batch that has to be weighed, too."""
    plain = [
        kept(None, b'{"batch":[%b]%b}' % (text_of(b'{"a":%b%b}' % (b"[" * n, b"]" * n)), more))
        for n in range(DEPTH // 2, DEPTH)
    ]

    assert None is not plain[0]
    assert None is plain[-1]


@pytest.mark.parametrize(
    "more", [b'"context":{}', b'"integrations":{}', b'"sentAt":5', b'"writeKey":5']
)
def test_a_batch_that_says_more_goes_the_long_way(more: bytes) -> None:
    """What it says for all of its events is merged into each."""
    event = text_of(b"{}")

    assert None is kept(None, b'{"batch":[%b],%b}' % (event, more))
    assert None is kept(None, b'{"batch":{}}')
    assert [] == kept(None, b'{"batch":[]}')


@pytest.mark.parametrize("count", [1, 3, 140])
def test_large_events_go_the_long_way(count: int) -> None:
    """By their bytes as sent, also of those that no schema looks at."""
    small = [text_of(b'{"a":"%b"}' % (b"x" * 900))] * count
    room = EVENT_BYTES - len(text_of(b'{"a":""}'))
    fits, large = (text_of(b'{"a":"%b"}' % (b"x" * size)) for size in (room, room + 1))
    spread = b'{"type":"track","userId":"%b","event":"e"}'
    wide = spread % (b"u" * (EVENT_BYTES + 1 - len(spread) + 2))

    assert assert_the_same("track", fits)
    assert assert_the_same(None, b'{"batch":[%b]}' % fits)
    assert assert_the_same(None, b'{"batch":[%b]}' % b",".join([*small, fits]))
    for one in (large, wide):
        assert EVENT_BYTES + 1 == len(one)
        assert None is kept("track", one)
        assert None is kept(None, b'{"batch":[%b]}' % one)
        text = b'{"batch":[%b]}' % b",".join([*small, one])
        assert BATCH_BYTES > len(text)
        assert None is kept(None, text)
