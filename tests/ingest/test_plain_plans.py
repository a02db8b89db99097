"""Plain events of sources that have a tracking plan."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.settings import SourceSettings
from ingest.sources import Source
from ingest.validate import TYPES
from schemas import Plan
from schemas.checker import Checker
from tests.ingest.scenes import NOW
from tests.ingest.test_plain import FIELDS, KEYS, ODD, RECEIPTS, assert_the_same, kept
from tests.schemas.test_shape import LENDING, SCHEMAS, VALUES

Rules = Mapping[tuple[str, str | None], Mapping[int, Any]]


def planned(rules: Rules, **told: Any) -> Source:
    """A source with a plan of these schemas."""
    plan = Plan(
        {
            call: {number: Checker(schema, LENDING) for number, schema in versions.items()}
            for call, versions in rules.items()
        }
    )
    return Source("shop", SourceSettings(keys=KEYS, **told), plan)


ITEM = {
    "type": "track",
    "event": "Bought",
    "userId": "u",
    "timestamp": NOW,
    "properties": {"order_id": "o", "total": 5, "size": "M", "products": [{"sku": "1"}]},
}
RULE = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "type": "object",
    "properties": {
        "event": {"const": "Bought"},
        "userId": {"type": "string", "minLength": 1},
        "traits": {},
        "context": {"type": "object", "properties": {"ip": {"type": "string"}}},
        "properties": {
            "type": "object",
            "properties": {
                "order_id": {"type": "string", "maxLength": 20, "description": "Ours."},
                "total": {"type": "number", "minimum": 0, "maximum": 1000},
                "size": {"type": ["string", "null"], "enum": ["S", "M", None]},
                "products": {"type": "array", "minItems": 1, "items": {"$ref": "#/definitions/p"}},
            },
            "required": ["order_id", "total"],
        },
    },
    "required": ["event", "properties", "userId"],
    "definitions": {"p": {"type": "object", "required": ["sku"]}},
}


@pytest.mark.parametrize(
    ("changes", "plain"),
    [
        ({}, True),
        ({"context": {"ip": "::1", "other": {"a": 1}}}, True),
        ({"properties": {"order_id": "o", "total": 0, "more": []}}, True),
        ({"userId": "", "anonymousId": "a"}, False),
        ({"properties": {"order_id": "o" * 21, "total": 0}}, False),
        ({"properties": {"order_id": "o", "total": 1001}}, False),
        ({"properties": {"order_id": "o", "total": 1, "size": "L"}}, False),
        ({"properties": {"order_id": "o", "total": 1, "products": []}}, False),
        ({"properties": {"order_id": "o", "total": 1, "products": [{}]}}, False),
        ({"context": {"ip": "::1", "protocols": {"event_version": 1}}}, False),
        ({"context": {"protocols": None}}, False),
        ({"event": "Sold"}, False),
    ],
)
def test_a_plan_is_asked(changes: dict[str, Any], plain: bool) -> None:
    """What it takes is plain, as far as it can be told from the text; what breaks it is not, nor is
    what it does not name, when that is told of, or what may ask for another version.
    """
    source = planned({("track", "Bought"): {1: RULE}}, plan_mode="enforce", unplanned="refuse")
    text = orjson.dumps({**ITEM, **changes})

    assert plain is assert_the_same("track", text, source=source)
    assert plain is assert_the_same(None, b'{"batch":[%b,%b]}' % (text, text), source=source)


def test_all_rules_are_asked() -> None:
    """The one of the call in its oldest version, the common one, and the public specification."""
    wants = {"properties": {"properties": {"required": ["a"]}}, "required": ["properties"]}
    more = {"properties": {"properties": {"required": ["b"]}}, "required": ["properties"]}
    source = planned(
        {
            ("track", "Order Completed"): {1: wants, 2: {}},
            ("common", None): {1: more},
            ("page", None): {1: {"required": ["name"]}},
        }
    )
    best = {"a": 1, "b": 2, "order_id": "o"}
    for less in ({}, {"a"}, {"b"}, {"order_id"}):
        properties = {name: value for name, value in best.items() if name not in less}
        order = orjson.dumps({**ITEM, "event": "Order Completed", "properties": properties})
        other = orjson.dumps({**ITEM, "event": "Any", "properties": properties})
        page = {**ITEM, "type": "page", "name": "n", "properties": properties}
        assert (not less) is assert_the_same("track", order, source=source)
        assert ("b" not in less) is assert_the_same("track", other, source=source)
        assert ("b" not in less) is assert_the_same("page", orjson.dumps(page), source=source)
        assert not kept("page", orjson.dumps({**page, "name": ""}), source=source)


@pytest.mark.parametrize(
    "schema",
    [
        {"additionalProperties": False},
        {"properties": {"userId": {"format": "uuid"}}},
        {"properties": {"messageId": {"pattern": "^m"}}},
        {"properties": {"name": {"maxLength": 9}}},
        {"properties": {"integrations": {"type": "object"}}},
        {"required": ["integrations"]},
        {"required": ["receivedAt"]},
        {"anyOf": [{}]},
    ],
)
def test_what_cannot_be_told_is_not_plain(schema: dict[str, Any]) -> None:
    """The plan itself has to look, at every event of that name and at no other."""
    source = planned({("track", "Bought"): {1: schema}})

    assert not kept("track", orjson.dumps(ITEM), source=source)
    assert kept("track", orjson.dumps({**ITEM, "event": "Sold"}), source=source)


TOP = st.sampled_from([*FIELDS, "other"])
PLANS = st.dictionaries(
    st.sampled_from(
        [*((type_, None) for type_ in TYPES if type_ != "track"), ("common", None)]
        + [("track", name) for name in ("Tested", "Order Completed", "page")]
    ),
    st.fixed_dictionaries(
        {},
        optional={
            "type": st.just("object"),
            "properties": st.dictionaries(TOP, SCHEMAS, max_size=4),
            "required": st.lists(TOP, max_size=2, unique=True),
        },
    ).map(lambda schema: {1: schema}),
    min_size=1,
    max_size=3,
)


@settings(max_examples=1_500, deadline=None)
@given(
    rules=PLANS,
    type_=st.sampled_from(TYPES),
    odd=st.dictionaries(st.sampled_from(FIELDS), st.sampled_from(ODD) | VALUES, max_size=4),
    receipt=st.sampled_from(RECEIPTS),
    unplanned=st.sampled_from(["allow", "report", "refuse"]),
)
def test_whatever_the_plan(
    rules: Rules, type_: str, odd: dict[str, Any], receipt: Any, unplanned: str
) -> None:
    """An event that is plain has nothing that the long way would refuse or report."""
    try:
        source = planned(rules, plan_mode="enforce", unplanned=unplanned)
    except ValueError:  # a reference to nowhere
        return
    item = {"messageId": "m", "userId": "u", "groupId": "g", "previousId": "p"}
    item |= {"type": type_, "event": "Tested", "properties": {}} | odd
    try:
        text = orjson.dumps(item)
    except TypeError:
        return
    assert_the_same(type_, text, receipt, source)
    assert_the_same(None, b'{"batch":[%b],"sentAt":"2026-11-21T09:59:00Z"}' % text, receipt, source)
