"""JSON to event, held against the contract, the specifications and the plan."""

from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import schemas
from ingest.enrich import Connection
from ingest.envelope import Envelope, single
from ingest.keys import hash_of
from ingest.settings import SourceSettings
from ingest.sources import Source
from ingest.validate import TYPES, Receipt, Rejection, Rules, Valid, mended, new_id
from tests.ingest.scenes import KEY, NOW, track

RULES = Rules(schemas.load())
RECEIPT = Receipt(1_795_255_200_000, NOW, False, Connection("203.0.113.7"))


def judge(
    item: Any, *, envelope: Envelope | None = None, folder: Path | None = None, **settings: Any
) -> Valid | Rejection:
    plan = schemas.Plan.load(folder) if folder else None
    source = Source("shop", SourceSettings(keys=(hash_of(KEY),), **settings), plan)
    return RULES.judge(item, None, envelope or single(item, 1), source, RECEIPT)


ODD = st.sampled_from([None, "", "x", 0, 7, 1.5, 2.0, True, [], {}, {"name": 5}, {"email": "x"}])
FIELDS = st.sampled_from(
    [
        *("type", "event", "userId", "anonymousId", "groupId", "previousId", "messageId", "name"),
        *("context", "integrations", "properties", "traits", "timestamp", "sentAt", "category"),
        *("channel", "_metadata", "writeKey", "receivedAt", "source", "version", "other"),
    ]
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A plan with one rule."""
    rule = {
        "type": "track",
        "event": "Planned",
        "schema": {"properties": {"properties": {"required": ["a"]}}, "required": ["properties"]},
    }
    (tmp_path / "planned.json").write_bytes(orjson.dumps(rule))
    return tmp_path


def test_an_event_becomes_a_record() -> None:
    """Flat, with what is ours, and nothing that a client wrote there."""
    item = track(messageId="m", version="9", source="x", receivedAt="x", writeKey=KEY)
    found = judge(item)

    assert isinstance(found, Valid)
    assert {
        "type": "track",
        "userId": "u-1",
        "event": "Tested",
        "messageId": "m",
        "context": {},
        "timestamp": NOW,
        "receivedAt": NOW,
        "source": "shop",
        "version": 2,
    } == found.event
    assert (True, False, ()) == (found.given_id, found.late, found.reported)


@pytest.mark.parametrize(
    ("item", "code"),
    [
        (None, "event_not_object"),
        ([], "event_not_object"),
        ({}, "type_unknown"),
        ({"type": "Track"}, "type_unknown"),
        ({"type": ["track"]}, "type_unknown"),
        (track(userId=True), "id_not_string"),
        (track(properties=[]), "properties_not_object"),
        (track(context="x"), "schema_violation"),
        ({"type": "alias", "userId": "u"}, "id_required"),
        ({"type": "group", "userId": "u"}, "id_required"),
        ({"type": "page", "userId": "u", "name": 1}, "name_not_string"),
    ],
)
def test_what_is_no_event_is_told_why(item: Any, code: str) -> None:
    """With a code that is a bounded label."""
    found = judge(item)

    assert isinstance(found, Rejection)
    assert code == found.code


@pytest.mark.parametrize(
    ("semantic", "code", "kinds"),
    [("ignore", None, ()), ("report", None, ("semantic",)), ("enforce", "schema_violation", ())],
)
def test_public_specifications(semantic: str, code: str | None, kinds: tuple[str, ...]) -> None:
    """Ignored, reported on the event, or enforced."""
    found = judge(track(event="Product Viewed", properties={"price": "12"}), semantic=semantic)

    assert code == (found.code if isinstance(found, Rejection) else None)
    if isinstance(found, Valid):
        assert kinds == found.reported
        told = found.event["context"].get("protocols", {}).get("violations", [])
        assert (["properties.price"] if kinds else []) == [one["field"] for one in told]


@pytest.mark.parametrize("mode", ["report", "enforce"])
def test_a_tracking_plan(folder: Path, mode: str) -> None:
    """Reported or enforced, with the place and a sentence."""
    found = judge(track(event="Planned", properties={}), folder=folder, plan="x", plan_mode=mode)

    if mode == "enforce":
        assert isinstance(found, Rejection)
        assert ("schema_violation", "/properties", "must have 'a'") == (
            found.code,
            found.path,
            found.message,
        )
    else:
        assert isinstance(found, Valid)
        assert {
            "sourceId": "shop",
            "violations": [
                {"type": "Plan Violation", "field": "properties", "description": "must have 'a'"}
            ],
        } == found.event["context"]["protocols"]


@pytest.mark.parametrize(
    ("unplanned", "kinds"), [("allow", ()), ("report", ("unplanned",)), ("refuse", "unplanned")]
)
def test_events_that_no_plan_names(folder: Path, unplanned: str, kinds: Any) -> None:
    """Allowed, reported, refused."""
    found = judge(track(event="Other"), folder=folder, plan="x", unplanned=unplanned)

    assert kinds == (found.code if isinstance(found, Rejection) else found.reported)


def test_a_wrong_type_in_the_context_is_reported_only() -> None:
    """It costs data at a destination, and no event here."""
    found = judge(track(context={"locale": 5}))

    assert isinstance(found, Valid)
    assert ("typed",) == found.reported


@settings(max_examples=2_000, deadline=None)
@example(type_="track", odd={"userId": "", "anonymousId": "x"})
@given(type_=st.sampled_from(TYPES), odd=st.dictionaries(FIELDS, ODD, max_size=3))
def test_a_clean_event_needs_one_look(type_: str, odd: dict[str, Any]) -> None:
    """An event that has nothing to mend is judged as any other, only sooner."""
    item = {"messageId": "m", "userId": "u", "groupId": "g", "previousId": "p"}
    item |= {"type": type_, "event": "Tested", "context": {}} | odd
    # What an envelope says of the context has every event go the long way.
    envelope = Envelope([item], context={"said": "of all"})

    short, long = judge(item), judge(item, envelope=envelope)

    if isinstance(long, Valid):
        del long.event["context"]["said"]
        if not long.given_id and isinstance(short, Valid):
            long.event["messageId"] = short.event["messageId"]
    assert long == short
    if type_ == item["type"] and RULES.schemas.clean(type_).accepts(item):
        assert item == mended(item)


def test_what_the_envelope_says_is_judged_with_the_event() -> None:
    """It may break a contract that the event alone keeps, and keep one that it breaks."""
    consent = track(event="Segment Consent Preference Updated")
    given = {"consent": {"categoryPreferences": {"ads": True}}}
    wrong = Envelope([consent], context={"device": {"advertisingId": 5}})
    right = Envelope([consent], context=given)

    refused = judge(consent | {"context": given}, envelope=wrong)

    assert isinstance(refused, Rejection)
    assert "/context/device/advertisingId" == refused.path
    assert isinstance(judge(consent, envelope=right), Valid)


def test_the_envelope_is_not_changed_by_its_events() -> None:
    """What one event adds to its context is not in the next."""
    envelope = Envelope([], context={"library": {"name": "analytics.js"}})
    first = judge(track(context={"a": 1}), envelope=envelope)
    second = judge(track(), envelope=envelope)

    assert isinstance(first, Valid)
    assert isinstance(second, Valid)
    assert "203.0.113.7" == first.event["context"]["ip"]
    assert "a" not in second.event["context"]
    assert {"library"} == set(envelope.context)


def test_ids_of_ours_are_random() -> None:
    """No two are the same."""
    assert 1_000 == len({new_id() for _ in range(1_000)})
