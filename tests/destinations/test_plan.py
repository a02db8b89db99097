"""What one instance does with an event."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import orjson
import pytest
from msgspec import structs

from destinations.hearing import BY_RULES, BY_SOURCE, NO_ACTION
from destinations.mapping import At, Const, Field
from destinations.outcome import Refused
from destinations.plan import (
    BY_CONSENT,
    BY_INTEGRATIONS,
    DUPLICATE,
    FILTERED,
    SENT_CLIENT_SIDE,
    Boarding,
    Filtered,
    Plan,
    expired,
)
from destinations.spec import Batch, On, Rate, Row
from tests.destinations.invented import NOW, action, event, plan, record, row, vendor


def said(verdict: Filtered | Refused | Boarding) -> str:
    """A verdict in one word: why not, or by which action."""
    match verdict:
        case Filtered(reason):
            return reason
        case Refused(code):
            return code
        case Boarding(by):
            return by.name


def judged(of: Plan, **body: Any) -> str:
    """What a plan says of an event."""
    return said(of.judge(event(**body), NOW))


@pytest.mark.parametrize(
    ("consent", "mapped", "unmapped"),
    [
        (None, True, True),
        ({}, True, True),
        ({"categoryPreferences": None}, True, True),
        ({"categoryPreferences": {}}, False, True),
        ({"categoryPreferences": {"ads": True, "crm": True}}, True, True),
        ({"categoryPreferences": {"ads": True, "crm": True, "unknown": False}}, True, True),
        ({"categoryPreferences": {"ads": True, "crm": False}}, False, True),
        ({"categoryPreferences": {"ads": True}}, False, True),
        ({"categoryPreferences": {"ads": True, "crm": "true"}}, False, True),
        ({"categoryPreferences": {"ads": True, "crm": 1}}, False, True),
        ({"categoryPreferences": ["ads", "crm"]}, False, True),
        ("yes", True, True),
    ],
)
def test_consent(consent: Any, mapped: bool, unmapped: bool) -> None:
    """All categories must be true where the event carries consent; nothing else is enforced."""
    context = {} if consent is None else {"consent": consent}
    two = judged(plan(action(fields={}), consent=["ads", "crm"]), context=context)
    none = judged(plan(), context=context)

    assert ("send" if mapped else BY_CONSENT) == two
    assert ("send" if unmapped else BY_CONSENT) == none


@pytest.mark.parametrize(
    ("integrations", "heard"),
    [
        (None, True),
        ({}, True),
        ([], True),
        ({"All": True}, True),
        ({"All": False}, False),
        ({"all": False}, False),
        ({"All": True, "all": False}, True),
        ({"All": None}, True),
        ({"All": False, "Acme": True}, True),
        ({"All": False, "Acme": {"click_id": "x"}}, True),
        ({"All": False, "Acme": {}}, True),
        ({"All": False, "Acme": None}, False),
        ({"All": False, "acme": True}, False),
        ({"All": False, "crm": True}, True),
        ({"Acme": False}, False),
        ({"acme": False}, True),
        ({"Acme (Actions)": False}, False),
        ({"crm": False}, False),
        ({"All": True, "Acme": False}, False),
        ({"Acme": True, "Acme (Actions)": False}, False),
        ({"crm": False, "Acme": True, "Acme (Actions)": {}}, False),
        ({"Other": False}, True),
    ],
)
def test_the_integrations_object(integrations: Any, heard: bool) -> None:
    """False for any of its titles blocks, an object or true allows, else `All` decides."""
    assert ("send" if heard else BY_INTEGRATIONS) == judged(plan(), integrations=integrations)


def test_an_instance_may_be_called_by_one_name() -> None:
    """With `integrations_name` the vendor's titles and the instance's name mean others."""
    of = plan(integrations_name="Acme EU")

    assert BY_INTEGRATIONS == judged(of, integrations={"Acme EU": False})
    assert "send" == judged(of, integrations={"Acme": False, "crm": False})


@pytest.mark.parametrize(
    ("metadata", "heard"),
    [
        ({"bundled": ["Acme (Actions)"]}, False),
        ({"bundled": ["Other", 7, None]}, True),
        ({"bundled": []}, True),
        ({"unbundled": ["Acme"]}, True),
        ({"bundled": "Acme"}, True),
        ("Acme", True),
    ],
)
def test_device_mode(metadata: Any, heard: bool) -> None:
    """What the browser has delivered is left out when asked for, and else sent."""
    expected = "send" if heard else SENT_CLIENT_SIDE

    assert expected == judged(plan(skip_bundled=True), _metadata=metadata)
    assert "send" == judged(plan(), _metadata=metadata)


@pytest.mark.parametrize(
    ("rules", "heard"),
    [
        ({"types": ["track"]}, True),
        ({"types": ["identify", "page"]}, False),
        ({"types": []}, False),
        ({"events": ["Bought"]}, True),
        ({"events": ["bought"]}, False),
        ({"except_events": ["Bought"]}, False),
        ({"except_events": ["Sold"]}, True),
        ({"where": [{"path": "properties.plan", "equals": "pro"}]}, True),
        ({"where": [{"path": "properties.plan", "equals": "free"}]}, False),
        ({"where": [{"path": "properties.plan", "one_of": ["free", "pro"]}]}, True),
        ({"where": [{"path": "properties.plan", "one_of": []}]}, False),
        ({"where": [{"path": "properties.seats", "equals": 1}]}, True),
        ({"where": [{"path": "properties.seats", "equals": True}]}, False),
        ({"where": [{"path": "properties.seats", "one_of": [True, "1"]}]}, False),
        ({"where": [{"path": "properties.trial", "equals": False}]}, True),
        ({"where": [{"path": "properties.trial", "equals": 0}]}, False),
        ({"where": [{"path": "properties.trial", "exists": True}]}, True),
        ({"where": [{"path": "properties.gone", "exists": True}]}, False),
        ({"where": [{"path": "properties.gone", "exists": False}]}, True),
        ({"where": [{"path": "properties.plan", "exists": False}]}, False),
        ({"where": [{"path": "properties.plan", "exists": True, "equals": "free"}]}, False),
        (
            {
                "where": [
                    {"path": "properties.plan", "equals": "pro"},
                    {"path": "properties.seats", "equals": 2},
                ]
            },
            False,
        ),
    ],
)
def test_filters(rules: Mapping[str, Any], heard: bool) -> None:
    """Types, names and conditions: what does not fit is filtered, whatever an action reads."""
    properties = {"plan": "pro", "seats": 1, "trial": False}

    for one in (action(), action(fields={})):
        said = judged(plan(one, filter=rules), properties=properties)
        assert ("send" if heard else BY_RULES) == said


@pytest.mark.parametrize(
    ("sources", "heard"),
    [(["*"], True), (["shop"], True), (["app", "shop"], True), (["app"], False)],
)
def test_sources(sources: list[str], heard: bool) -> None:
    """An instance listens to all sources, or to those that it names."""
    assert ("send" if heard else BY_SOURCE) == judged(plan(sources=sources))


def test_the_order_of_reasons() -> None:
    """Source and names, which need no body, then consent, integrations, device mode, conditions."""
    of = plan(
        sources=["app"],
        consent=["ads"],
        skip_bundled=True,
        filter={"where": [{"path": "properties.x", "exists": True}]},
    )
    body: dict[str, Any] = {
        "context": {"consent": {"categoryPreferences": {}}},
        "integrations": {"Acme": False},
        "_metadata": {"bundled": ["Acme"]},
    }
    reasons = [judged(of, **body)]
    body["source"] = "app"
    for part in ("context", "integrations", "_metadata"):
        reasons.append(judged(of, **body))
        body[part] = {}
    reasons.append(judged(of, **body))

    assert [BY_SOURCE, BY_CONSENT, BY_INTEGRATIONS, SENT_CLIENT_SIDE, BY_RULES] == reasons
    assert {*reasons, NO_ACTION, DUPLICATE} == set(FILTERED)


def test_the_first_fitting_action_wins() -> None:
    """By type, name and condition, in the order of the declaration."""
    of = plan(
        action("big", on=On(("track",), ("Bought",), lambda e, _: e["properties"]["n"] > 9)),
        action("bought", on=On(("track",), ("Bought",))),
        action("region", on=On(("page",), None, lambda _, settings: settings.region == "us")),
        action("any", on=On(("track",))),
    )

    assert ["big", "bought", "any", NO_ACTION, NO_ACTION] == [
        judged(of, properties={"n": 10}),
        judged(of, properties={"n": 9}),
        judged(of, event="Sold"),
        judged(of, type="page", name="Home"),
        judged(of, type="identify"),
    ]


def test_headers_are_enough_for_most() -> None:
    """Source, filters and actions are decided without the body; the rest is not guessed."""
    of = plan(action(on=On(("track",), ("Bought",))), sources=["shop"])

    assert [None, NO_ACTION, BY_SOURCE] == [
        of.unheard(record(0, integrations={"All": False})),
        of.unheard(record(0, event="Sold")),
        of.unheard(record(0, source="app")),
    ]
    assert BY_RULES == plan(filter={"types": ["page"]}).unheard(record(0))


def test_settings_change_what_triggers_an_action() -> None:
    """`events` replaces the names, `enabled = false` takes the action away."""
    acts = (action("one", on=On(("track",), ("One",))), action("two", on=On(("track",), ("Two",))))
    of = plan(*acts, actions={"one": {"events": ["Bought"]}, "two": {"enabled": False}})

    assert ["one", NO_ACTION, NO_ACTION] == [
        judged(of),
        judged(of, event="One"),
        judged(of, event="Two"),
    ]
    assert ["one"] == [a.name for a in of.actions]


def test_settings_change_where_a_field_comes_from() -> None:
    """The source is replaced; the field's form stays."""
    fields = {"email": Field("E.", At("properties.email"), str.upper, required=True)}
    of = plan(action(fields=fields), overrides={("send", "email"): At("properties.mail")})

    assert {"email": "A@B"} == row(of, properties={"mail": "a@b", "email": "no"}).fields
    assert "missing_field" == judged(of, properties={"email": "a@b"})


def test_what_settings_decide_is_decided_once() -> None:
    """Fields, batch and rate of an instance are those of its settings."""
    of = plan(
        action(
            fields_for=lambda settings: {"region": Field("R.", Const(settings.region))},
            batch_for=lambda settings: Batch(rows=len(settings.region)),
            rate_for=lambda settings: Rate(settings.region),
        )
    )
    (made,) = of.actions

    assert {"region": "eu"} == row(of).fields
    assert (2, "eu", None, None, None) == (
        made.batch.rows,
        made.rate.name,
        made.fields_for,
        made.batch_for,
        made.rate_for,
    )


@pytest.mark.parametrize("own", [{}, {"_metadata": {"bundled": []}}])
def test_a_row_is_written_without_what_the_hub_keeps_to_itself(own: Mapping[str, Any]) -> None:
    """As the log has it where that says no more; the log's own bytes are not written anew."""
    said = event(properties={"email": "a@b"}, **own)
    (made,) = [one.row for one in [plan().judge(said, NOW)] if isinstance(one, Boarding)]

    assert {k: v for k, v in said.body.items() if k != "_metadata"} == orjson.loads(made.json)
    assert (made.json is said.record.value) is not bool(own)


def test_a_row_says_what_the_event_is() -> None:
    """Id, type, name, times and fields."""
    made = row(plan(), properties={"email": "a@b"}, timestamp="2026-11-21T09:00:00Z")

    assert ("m0-0", "track", "Bought", NOW, "2026-11-21T09:00:00Z", {"email": "a@b"}) == (
        made.id,
        made.type,
        made.name,
        made.received_at,
        made.timestamp,
        made.fields,
    )


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"timestamp": "2026-11-21T09:00:00Z"},
        {"timestamp": None},
        {"timestamp": {"not": "a time"}},
        {"integrations": {"Acme": False}},
        {"integrations": {"All": False}},
        {"integrations": {"All": False, "Acme": {"key": 1e300}}},
        {"integrations": ["Acme"]},
        {"_metadata": {"bundled": ["Acme"]}},
        {"_metadata": {"bundled": []}},
        {"_metadata": "junk"},
    ],
    ids=str,
)
def test_who_asks_little_hears_the_same(body: Mapping[str, Any]) -> None:
    """A plan that never parses a body says of each event what one says that does."""
    bare = action(fields={}, max_age=3_600.0)
    all_of_it = replace(bare, on=replace(bare.on, where=lambda all_, _: all_["type"] == "track"))
    little, much = (plan(one, skip_bundled=True) for one in (bare, all_of_it))
    heard = event(properties={"deep": {"email": "a@b"}}, **body)
    one, other = little.judge(heard, NOW), much.judge(heard, NOW)

    assert (said(one), getattr(one, "row", None)) == (said(other), getattr(other, "row", None))


def test_one_of_several_fields_is_needed() -> None:
    """None of them is a refusal that names them; any one is enough."""
    fields = {n: Field("X.", At(f"properties.{n}")) for n in ("email", "phone", "zip")}
    of = plan(action(fields=fields, one_of=("email", "phone")))
    verdict = of.judge(event(properties={"zip": "1"}), NOW)

    assert Refused("missing_field", "one of email, phone: none found") == verdict
    assert {"phone": "1"} == row(of, properties={"phone": "1"}).fields


def test_a_vendors_check_refuses_a_row() -> None:
    """What would sink its neighbours is refused before it boards."""
    of = plan(action(check=lambda r: Refused("odd", "is odd") if "email" in r.fields else None))

    assert "odd" == judged(of, properties={"email": "x"})
    assert "send" == judged(of)


@pytest.mark.parametrize("age", [60.0, lambda row: len(row.id) * 15.0])
def test_too_old_is_refused(age: Any) -> None:
    """Older than `max_age`, by its own time, is refused; exactly as old is not."""
    of = plan(action(max_age=age))
    hour = {"timestamp": "2026-11-21T09:00:00Z"}

    assert ["send", "expired", "send"] == [
        said(of.judge(event(), NOW + 60.0)),
        said(of.judge(event(), NOW + 61.0)),
        said(of.judge(event(**hour), NOW - 3_540.0)),
    ]
    assert "1 h old; they take 0 h" in str(of.judge(event(**hour), NOW))


@pytest.mark.parametrize("timestamp", [None, "soon", 7])
def test_without_a_time_of_its_own_its_receipt_counts(timestamp: Any) -> None:
    """An event without a readable timestamp is as old as its receipt."""
    of = action(max_age=60.0)
    old = Row("m", "track", "", NOW - 61.0, timestamp, {}, b"{}")

    assert "expired" == getattr(expired(of, old, NOW), "code", None)
    assert None is expired(of, structs.replace(old, received_at=NOW - 60.0), NOW)
    assert None is expired(action(), structs.replace(old, received_at=0.0), NOW)


def test_two_instances_of_one_vendor_are_two() -> None:
    """One's changes do not reach the other."""
    of = vendor(action())
    changed, plain = plan(of=of, actions={"send": {"events": ["X"]}}), plan(of=of)

    assert (NO_ACTION, "send") == (judged(changed), judged(plain))
