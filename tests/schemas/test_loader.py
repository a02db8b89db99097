"""The shipped schemas: each is a schema, has words and examples, and decides as it says."""

import copy
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

import schemas
from schemas.checker import Checker, Shelf
from schemas.documents import URN, documents
from schemas.loader import PARTS, TYPES

DOCUMENTS = documents()
SHELF = Shelf.of(DOCUMENTS)
ROOM = Path(schemas.__file__).parent
SEMANTIC = schemas.load().semantic_events
WRONG = {"wrong": True}


def definition(event: str) -> dict[str, Any]:
    return next(
        document["$defs"][event]
        for urn, document in DOCUMENTS.items()
        if urn.startswith(URN + "semantic:") and event in document["$defs"]
    )


def subschemas(schema: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(schema, dict):
        yield schema
        for part in schema.values():
            yield from subschemas(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from subschemas(part)


@pytest.mark.parametrize("urn", sorted(DOCUMENTS))
def test_examples_fit(urn: str) -> None:
    """What a schema gives as an example is accepted by it."""
    checker = Checker({"$ref": urn}, SHELF)

    assert [] == [
        checker.violations(e) for e in DOCUMENTS[urn].get("examples", []) if not checker.accepts(e)
    ]


@pytest.mark.parametrize("urn", sorted(DOCUMENTS))
def test_reason_codes_are_bounded(urn: str) -> None:
    """A schema names no reason that is not in the list of codes."""
    named = {part["x-code"] for part in subschemas(DOCUMENTS[urn]) if "x-code" in part}

    assert set() == named - schemas.CODES


def test_every_reason_is_given_by_some_schema() -> None:
    """The list of codes holds none that no schema can give."""
    named = {p["x-code"] for d in DOCUMENTS.values() for p in subschemas(d) if "x-code" in p}

    assert schemas.CODES - {"schema_violation"} == named


def test_types(shipped: schemas.Schemas) -> None:
    """The six calls have a contract, and a list of types to report; nothing else has."""
    for type_ in TYPES:
        assert shipped.accept(type_)
        assert shipped.typed(type_)
    with pytest.raises(KeyError):
        shipped.accept("delete")


GOOD: dict[str, dict[str, Any]] = {
    "track": {"userId": "u", "event": "e"},
    "identify": {"userId": "u"},
    "page": {"anonymousId": "a"},
    "screen": {"anonymousId": "a"},
    "group": {"userId": "u", "groupId": "g"},
    "alias": {"userId": "u", "previousId": "p"},
}
CONSENT = "Segment Consent Preference Updated"


def consent(**context: Any) -> dict[str, Any]:
    return {"event": CONSENT, "context": context}


@pytest.mark.parametrize("type_", TYPES)
def test_accept_is_lenient(shipped: schemas.Schemas, type_: str) -> None:
    """Nulls, unknown fields, unreadable times and wrong types inside context cost no event."""
    event = {
        **GOOD[type_],
        "messageId": None,
        "timestamp": 5,
        "sentAt": "",
        "originalTimestamp": [],
        "context": {"device": {"model": 5}, "traits": 7, "library": None},
        "integrations": None,
        "options": {"anything": [1]},
        "_metadata": None,
    }
    if type_ not in ("alias", "group"):
        event |= {"anonymousId": "a", "userId": None}
    for field in ("properties", "traits", "name", "category"):
        event[field] = None

    assert [] == shipped.accept(type_).violations(event)


@pytest.mark.parametrize(
    ("type_", "change", "code", "path"),
    [
        ("track", {"event": None}, "event_not_defined", "/event"),
        ("track", {"event": ""}, "event_not_defined", "/event"),
        ("track", {"event": 5}, "event_not_string", "/event"),
        ("track", {"properties": []}, "properties_not_object", "/properties"),
        ("page", {"properties": "x"}, "properties_not_object", "/properties"),
        ("screen", {"properties": 5}, "properties_not_object", "/properties"),
        ("identify", {"traits": "x"}, "traits_not_object", "/traits"),
        ("group", {"traits": []}, "traits_not_object", "/traits"),
        ("page", {"name": 5}, "name_not_string", "/name"),
        ("screen", {"name": {}}, "name_not_string", "/name"),
        ("page", {"category": 5}, "category_not_string", "/category"),
        ("identify", {"userId": None}, "no_user_anon_id", ""),
        ("identify", {"userId": "", "anonymousId": ""}, "no_user_anon_id", ""),
        ("group", {"groupId": None}, "id_required", "/groupId"),
        ("alias", {"previousId": ""}, "id_required", "/previousId"),
        ("alias", {"userId": None}, "id_required", "/userId"),
        ("track", {"userId": {}}, "id_not_string", "/userId"),
        ("track", {"messageId": []}, "id_not_string", "/messageId"),
        ("group", {"groupId": {}}, "id_not_string", "/groupId"),
        ("alias", {"previousId": True}, "id_not_string", "/previousId"),
        ("track", {"context": "x"}, "schema_violation", "/context"),
        ("track", {"event": CONSENT}, "consent_categorypreferences_should_exist", ""),
        ("track", consent(), "consent_categorypreferences_should_exist", "/context"),
        (
            "track",
            consent(consent={}),
            "consent_categorypreferences_should_exist",
            "/context/consent",
        ),
        (
            "track",
            consent(consent={"categoryPreferences": []}),
            "consent_categorypreferences_fields_should_be_object",
            "/context/consent/categoryPreferences",
        ),
        (
            "track",
            consent(consent={"categoryPreferences": {"a/b": "yes"}}),
            "consent_categorypreferences_fields_should_be_bool",
            "/context/consent/categoryPreferences/a~1b",
        ),
        (
            "track",
            consent(consent={"categoryPreferences": {}, "version": "1"}),
            "consent_version_should_be_number",
            "/context/consent/version",
        ),
        (
            "track",
            consent(consent={"categoryPreferences": {}}, device={"advertisingId": 5}),
            "device_advertisingid_should_be_string",
            "/context/device/advertisingId",
        ),
    ],
)
def test_refusals(
    shipped: schemas.Schemas, type_: str, change: dict[str, Any], code: str, path: str
) -> None:
    """Each thing that Segment refuses on ingest is refused, by its code and at its place."""
    event = {**GOOD[type_], **change}

    found = shipped.accept(type_).violations(event)

    assert [(code, path)] == [(violation.code, violation.path) for violation in found]


def test_consent_is_strict_for_the_reserved_event_only(shipped: schemas.Schemas) -> None:
    """Consent of the wrong shape costs no other event than the one that sets it."""
    event = {**GOOD["track"], "context": {"consent": {"categoryPreferences": "x"}}}

    assert shipped.accept("track").accepts(event)
    assert not shipped.typed("track").accepts(event)


@pytest.mark.parametrize(
    ("code", "path", "envelope"),
    [
        ("empty_batch", "", {}),
        ("empty_batch", "/batch", {"batch": None}),
        ("empty_batch", "/batch", {"batch": []}),
        ("schema_violation", "", []),
        ("schema_violation", "/context", {"batch": [1], "context": "x"}),
    ],
)
def test_envelope(shipped: schemas.Schemas, code: str, path: str, envelope: Any) -> None:
    """An envelope is refused for itself only; its items are not its business."""
    found = shipped.envelope.violations(envelope)

    assert [(code, path)] == [(violation.code, violation.path) for violation in found]


@pytest.mark.parametrize(
    ("type_", "path", "event"),
    [
        ("track", "/context/device/model", {"context": {"device": {"model": 5}}}),
        ("track", "/context/screen/width", {"context": {"screen": {"width": "5"}}}),
        ("track", "/context/campaign/utm_id", {"context": {"campaign": {"utm_id": 5}}}),
        ("track", "/context/traits/age", {"context": {"traits": {"age": "old"}}}),
        (
            "track",
            "/context/protocols/event_version",
            {"context": {"protocols": {"event_version": "1"}}},
        ),
        ("track", "/properties/revenue", {"properties": {"revenue": "5"}}),
        ("identify", "/traits/email", {"traits": {"email": "nobody"}}),
        ("identify", "/traits/address/city", {"traits": {"address": {"city": 5}}}),
        ("group", "/traits/plan", {"traits": {"plan": 5}}),
        ("page", "/properties/keywords/1", {"properties": {"keywords": ["a", 5]}}),
    ],
)
def test_typed(shipped: schemas.Schemas, type_: str, path: str, event: dict[str, Any]) -> None:
    """A reserved field of the wrong type is found, and its event accepted all the same."""
    assert [path] == [violation.path for violation in shipped.typed(type_).violations(event)]
    assert shipped.accept(type_).accepts({**GOOD[type_], **event})


@pytest.mark.parametrize("event", SEMANTIC)
def test_semantic_example(shipped: schemas.Schemas, event: str) -> None:
    """Each event of a public specification has an example that fits, and every field of it with
    the wrong type does not."""
    checker = shipped.semantic("track", event)
    assert checker is not None
    examples = definition(event)["examples"]
    assert examples

    for example in examples:
        assert [] == checker.violations(example)
        for field in example["properties"]:
            broken = copy.deepcopy(example)
            broken["properties"][field] = WRONG if field != "campaign" else "text"
            assert [f"/properties/{field}"] == [v.path for v in checker.violations(broken)]
        assert not checker.accepts({**example, "properties": "text"})


def test_semantic_examples_show_every_field() -> None:
    """An example leaves out no field that its event has."""
    for event in SEMANTIC:
        properties = definition(event)["properties"]["properties"]
        shown = definition(event)["examples"][0]["properties"]

        assert set() == set(properties.get("properties", {})) - set(shown), event


@pytest.mark.parametrize(
    "field", ["checkout_id", "revenue", "products", "discount", "currency", "affiliation"]
)
def test_semantic_tolerates_null(shipped: schemas.Schemas, field: str) -> None:
    """A null in an optional field is as good as its absence."""
    checker = shipped.semantic("track", "Order Completed")
    assert checker is not None

    assert checker.accepts({"properties": {"order_id": "o", field: None}})


def test_semantic_is_exact(shipped: schemas.Schemas) -> None:
    """Names are compared to the letter, and only track calls have them."""
    assert shipped.semantic("track", "order completed") is None
    assert shipped.semantic("page", "Order Completed") is None
    assert shipped.semantic("track", None) is None
    assert shipped.semantic("track", "product") is None


def test_record_never_holds_a_write_key(shipped: schemas.Schemas) -> None:
    """A kept record with a write key in it is no record."""
    (record, _) = DOCUMENTS[URN + "record"]["examples"]

    found = shipped.record.violations({**record, "writeKey": "k"})

    assert ["must not have 'writeKey'"] == [violation.message for violation in found]


def test_record_obeys_its_type(shipped: schemas.Schemas) -> None:
    """What the contract of the type refuses is no record either."""
    (record, _) = DOCUMENTS[URN + "record"]["examples"]

    found = shipped.record.violations({**record, "event": None})

    assert ["event_not_defined"] == [violation.code for violation in found]


@pytest.mark.parametrize(
    "moment",
    [
        "2026-11-21T09:30:00Z",
        "2026-11-21T09:30:00.000+00:00",
        "2026-11-21T09:30:00.000000Z",
        "2026-11-21T09:30:00.000Z\n",
        "",
        5,
    ],
)
def test_our_times_have_one_shape(shipped: schemas.Schemas, moment: Any) -> None:
    """A time of ours is UTC with milliseconds, and nothing else, line break or not."""
    (record, _) = DOCUMENTS[URN + "record"]["examples"]

    assert not shipped.record.accepts({**record, "receivedAt": moment})


@pytest.mark.parametrize("name", ["record", "rejected", "deadletter", "delivery"])
def test_what_we_keep_is_complete(shipped: schemas.Schemas, name: str) -> None:
    """What we keep lacks no field that its readers count on."""
    schema, checker = DOCUMENTS[URN + name], getattr(shipped, name)

    for field in schema["required"]:
        broken = {k: v for k, v in schema["examples"][0].items() if k != field}
        assert f"must have '{field}'" in [v.message for v in checker.violations(broken)]


def test_what_is_remembered_of_plans_is_bounded() -> None:
    """So many calls have parts, the first ones; others are judged by their schemas."""
    shipped = schemas.load()
    checker = Checker({}, SHELF)
    names = [f"e{number}" for number in range(PARTS + 2)]
    plan = schemas.Plan({("track", name): {1: checker} for name in names})
    found = [shipped.parts("track", name, plan) for name in names]

    assert all(found[:PARTS])
    assert [None, None] == found[PARTS:]
    assert found[0] is shipped.parts("track", "e0", plan)
