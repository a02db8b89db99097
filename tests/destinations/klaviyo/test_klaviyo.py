"""Klaviyo by its own SDK: it talks to our sandbox, and its models know all that we send."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

import pytest
from aiohttp.test_utils import TestServer
from klaviyo_api import KlaviyoAPI
from openapi_client.exceptions import ApiException
from openapi_client.models.event_create_query_v2 import EventCreateQueryV2
from openapi_client.models.events_bulk_create_job import EventsBulkCreateJob
from openapi_client.models.profile_partial_update_query import ProfilePartialUpdateQuery
from openapi_client.models.profile_upsert_query import ProfileUpsertQuery
from openapi_client.models.subscription_create_job_create_query import (
    SubscriptionCreateJobCreateQuery,
)
from openapi_client.models.subscription_delete_job_create_query import (
    SubscriptionDeleteJobCreateQuery,
)
from pydantic import BaseModel, ValidationError

from destinations import registry, sandbox
from destinations.klaviyo import errors, fields
from destinations.klaviyo.klaviyo import destination
from destinations.klaviyo.sandbox import Sandbox
from destinations.klaviyo.settings import Settings
from destinations.outcome import Delivered
from destinations.plan import Boarding
from destinations.sender import Sender
from destinations.spec import Heard, Left, Unfit, Window
from destinations.talk import Reply, Request
from hub.clock import FakeClock
from tests.destinations.cases import NOW, Case, cases_of, event_of, plan_of, play

CASES = cases_of("klaviyo")
MODELS: Mapping[str, type[Any]] = {
    "/api/events": EventCreateQueryV2,
    "/api/event-bulk-create-jobs": EventsBulkCreateJob,
    "/api/profile-import": ProfileUpsertQuery,
    "/api/profiles/01RACE": ProfilePartialUpdateQuery,
    "/api/profiles/01TWO": ProfilePartialUpdateQuery,
    "/api/profiles/01GONE": ProfilePartialUpdateQuery,
    "/api/profile-subscription-bulk-create-jobs": SubscriptionCreateJobCreateQuery,
    "/api/profile-subscription-bulk-delete-jobs": SubscriptionDeleteJobCreateQuery,
}


@pytest.fixture
async def server() -> AsyncIterator[TestServer]:
    made = TestServer(sandbox.app(["klaviyo"], FakeClock(NOW)))
    await made.start_server()
    yield made
    await made.close()


@pytest.fixture
async def sender() -> AsyncIterator[Sender]:
    async with Sender() as made:
        yield made


@pytest.fixture
def sdk(server: TestServer) -> KlaviyoAPI:
    return KlaviyoAPI("pk_practice", max_retries=1, test_host=str(server.make_url("/klaviyo")))


async def _taken(server: TestServer) -> list[tuple[str | None, str, str]]:
    async with Sender() as sender:
        url = str(server.make_url("/_sandbox/klaviyo?taken=1"))
        reply = await sender.send(Request("GET", url))
    return [(one["id"], one["who"], one["what"]) for one in reply.json()]


def _event(**more: Any) -> dict[str, Any]:
    metric = {"data": {"type": "metric", "attributes": {"name": "Order Completed"}}}
    return {"metric": metric, "properties": {}, "unique_id": "m-1", **more}


def _person(**identifiers: str) -> dict[str, Any]:
    return {"data": {"type": "profile", "attributes": identifiers}}


def _job(kind: str, attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {"data": {"type": kind, "attributes": attributes}}


async def test_the_sdk_creates_an_event(sdk: KlaviyoAPI, server: TestServer) -> None:
    """What the official SDK says of an event, the sandbox takes, and once only."""
    said = _job("event", _event(profile=_person(external_id="u1"), value=49.9))
    for _ in range(2):
        await asyncio.to_thread(sdk.Events.create_event, said)

    assert [("m-1", "u1", "Order Completed")] == await _taken(server)


async def test_the_sdk_creates_events_in_bulk(sdk: KlaviyoAPI, server: TestServer) -> None:
    """What the official SDK says of many events, the sandbox takes, each for its person."""
    entries = [
        {
            "type": "event-bulk-create",
            "attributes": {
                "profile": _person(external_id=who),
                "events": {"data": [{"type": "event", "attributes": _event()}]},
            },
        }
        for who in ("u1", "u2")
    ]
    said = _job("event-bulk-create-job", {"events-bulk-create": {"data": entries}})
    await asyncio.to_thread(sdk.Events.bulk_create_events, said)

    assert [("m-1", "u1", "Order Completed"), ("m-1", "u2", "Order Completed")] == await _taken(
        server
    )


async def test_the_sdk_upserts_a_profile(sdk: KlaviyoAPI, server: TestServer) -> None:
    """The sandbox's profile is one that the official SDK can read."""
    said = _person(email="ada@example.com", first_name="Ada")
    found = await asyncio.to_thread(sdk.Profiles.create_or_update_profile, said)

    assert "ada@example.com" == found.data.attributes.email
    assert [(None, "ada@example.com", "profile")] == await _taken(server)


async def test_the_sdk_subscribes_and_unsubscribes(sdk: KlaviyoAPI, server: TestServer) -> None:
    """What the official SDK says of consent, the sandbox takes."""
    for verb, wish, call in (
        ("create", "SUBSCRIBED", sdk.Profiles.bulk_subscribe_profiles),
        ("delete", "UNSUBSCRIBED", sdk.Profiles.bulk_unsubscribe_profiles),
    ):
        marketing = {"email": {"marketing": {"consent": wish}}}
        person = {"email": "ada@example.com", "subscriptions": marketing}
        people = {"profiles": {"data": [{"type": "profile", "attributes": person}]}}
        await asyncio.to_thread(call, _job(f"profile-subscription-bulk-{verb}-job", people))

    assert [
        (None, "ada@example.com", "subscribe"),
        (None, "ada@example.com", "unsubscribe"),
    ] == await _taken(server)


async def test_the_sdk_hears_of_a_conflict(sdk: KlaviyoAPI) -> None:
    """The sandbox's 409 is the SDK's: with a body that names the other profile."""
    said = _person(email="one@example.com", external_id="two")
    with pytest.raises(ApiException) as told:
        await asyncio.to_thread(sdk.Profiles.create_or_update_profile, said)

    assert 409 == told.value.status
    assert '"duplicate_profile_id":"01TWO"' in str(told.value.body)


@pytest.mark.parametrize("case", CASES, ids=str)
async def test_the_sdk_knows_all_that_we_say(
    case: Case, sender: Sender, server: TestServer
) -> None:
    """Each request of each case passes the SDK's model of it, which knows all of its fields."""
    base = str(server.make_url("/klaviyo"))
    played = await play(case, sender, base)
    for request in played.requests:
        said = request.json()
        model = MODELS[request.url.removeprefix(base)].from_dict(said)

        assert isinstance(model, BaseModel)
        assert [] == list(_lost(said, model.model_dump(by_alias=True, mode="json")))


def test_the_judge_sees_what_the_models_drop() -> None:
    """An import with anonymous_id, gone since revision 2026-01-15, would be found out."""
    said = _person(external_id="u1", anonymous_id="a1")
    known = ProfileUpsertQuery.from_dict(said)

    assert known is not None
    assert ["/data/attributes/anonymous_id"] == list(
        _lost(said, known.model_dump(by_alias=True, mode="json"))
    )


def _lost(said: Any, known: Any, path: str = "") -> Iterator[str]:
    """The places of `said` that `known` does not have."""
    if isinstance(said, dict):
        for name, inner in said.items():
            if not isinstance(known, dict) or name not in known:
                yield f"{path}/{name}"
            else:
                yield from _lost(inner, known[name], f"{path}/{name}")
    elif isinstance(said, list):
        for n, inner in enumerate(said):
            yield from _lost(inner, known[n], f"{path}/{n}")


def _post(practice: Sandbox, now: float, path: str = "/api/events", who: str = "u1") -> Reply:
    return practice.answer(_request(path, _event(profile=_person(external_id=who))), now)


def _request(path: str, attributes: Mapping[str, Any], kind: str = "event") -> Request:
    headers = {
        "authorization": "Klaviyo-API-Key pk_practice",
        "revision": "2026-07-15",
        "content-type": "application/vnd.api+json",
    }
    body = Reply.of(200, _job(kind, attributes)).body
    return Request("POST", path, headers, body)


def test_the_sandbox_counts_two_windows() -> None:
    """350 events in a second and 3,500 in a minute; what is over waits for its window's end."""
    practice = Sandbox()
    burst = [_post(practice, NOW) for _ in range(351)]
    minute = [_post(practice, NOW + 1 + n / 300) for n in range(3_200)]

    assert [202] * 350 + [429] == [reply.status for reply in burst]
    assert ("3500", "3150") == (
        burst[349].headers["ratelimit-limit"],
        burst[349].headers["ratelimit-remaining"],
    )
    assert "1" == burst[350].headers["retry-after"]
    assert "ratelimit-remaining" not in burst[350].headers
    assert 429 == minute[-1].status
    assert 40 < int(minute[-1].headers["retry-after"]) <= 60
    assert 202 == _post(practice, NOW + 60).status


def test_the_first_of_a_unique_id_is_kept() -> None:
    """Of one person and metric, a unique_id is taken once; another person's is another event."""
    practice = Sandbox()
    for who in ("u1", "u1", "u2"):
        _post(practice, NOW, who=who)

    assert [("m-1", "u1"), ("m-1", "u2")] == [(taken.id, taken.who) for taken in practice.taken]


def test_a_revision_lives_for_two_years() -> None:
    """A retired revision is 410 with the opt-out, and falls forward without."""
    practice = Sandbox()
    request = _request("/api/events", _event(profile=_person(external_id="u1")))
    late = NOW + 2 * 366 * 86_400
    opted_out = {**request.headers, "x-klaviyo-revision-fall-forward-opt-out": "1"}

    assert 202 == practice.answer(request, late).status
    assert (
        410 == practice.answer(Request("POST", request.url, opted_out, request.body), late).status
    )


HINTS = {
    "nothing is said": ({}, ()),
    "there is room": ({"ratelimit-remaining": "9", "ratelimit-reset": "30"}, (9, 30.0)),
    "the minute is used up": ({"ratelimit-remaining": "0", "ratelimit-reset": "30"}, (0, 30.0)),
    "never beyond the minute": ({"ratelimit-remaining": "0", "ratelimit-reset": "99"}, (0, 60.0)),
    "odd": ({"ratelimit-remaining": "0", "ratelimit-reset": "soon"}, ()),
}


@pytest.mark.parametrize("scene", HINTS)
def test_the_vendor_tells_what_is_left_of_the_minute(scene: str) -> None:
    """The steady window's rest and reset are read; odd headers say nothing."""
    headers, expected = HINTS[scene]
    left = (Left(60.0, *expected),) if expected else ()

    assert Heard(left=left) == errors.hint(Reply(202, headers), NOW)


@pytest.mark.parametrize(
    ("batch", "expected"),
    [(1, (Window(350, 1.0), Window(3_500, 60.0))), (500, (Window(10, 1.0), Window(150, 60.0)))],
)
def test_the_rate_is_that_of_the_endpoint(batch: int, expected: tuple[Window, ...]) -> None:
    """Single events go by the large tier, bulk jobs by the medium one."""
    plan = plan_of(Case(**{**_slots(CASES[0]), "settings": _with(batch=batch)}), "http://x.invalid")
    (action,) = (a for a in plan.actions if a.name == "event")

    assert expected == action.rate.windows
    assert batch == action.batch.rows


def _slots(case: Case) -> dict[str, Any]:
    return {name: getattr(case, name) for name in Case.__slots__}


def _with(**more: Any) -> dict[str, Any]:
    return {"private_key": "pk_practice", **more}


def test_a_row_weighs_no_less_than_its_bytes() -> None:
    """What the batcher counts for a row is not less than what the row adds to a job."""
    plan = plan_of(Case(**{**_slots(CASES[0]), "settings": _with(batch=9)}), "http://x.invalid")
    whole = {"email": "a@b.cd", "phone": "+4930901820"}
    said = {**CASES[0].events[0], "timestamp": "2020-01-01T00:00:00Z", "context": {"traits": whole}}
    (action,) = (a for a in plan.actions if a.name == "event")
    sizes = []
    for count in (1, 2):
        rows = []
        for n in range(count):
            verdict = plan.judge(event_of({**said, "messageId": f"m-{n}"}), NOW)
            assert isinstance(verdict, Boarding)
            rows.append(verdict.row)
        account: Any = _Account(plan.settings)
        sizes.append(len(next(action.talk(rows, account)).body))
    weigh = action.batch.weigh

    assert weigh is not None
    assert sizes[1] - sizes[0] <= weigh(rows[0])


class _Account:
    """An account whose time stands still."""

    now = NOW

    def __init__(self, settings: Any) -> None:
        self.settings = settings


@pytest.mark.parametrize(
    ("said", "expected"),
    [("49.90", 49.9), (7, 7), ("9" * 30, 1e30), (2**60, float(2**60))],
)
def test_an_amount_is_one_that_json_can_say(said: object, expected: float) -> None:
    """A huge value in text becomes a float: an integer beyond 64 bits would sink its batch."""
    assert expected == fields.amount(said)


def test_an_amount_beyond_floats_is_left_out() -> None:
    """A value that no float can hold is unfit, and so the event goes without it."""
    with pytest.raises(Unfit):
        fields.amount("1e400")


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"client_id": "a", "client_secret": "b"},
        {"private_key": "pk_a", "client_id": "a", "client_secret": "b", "refresh_token": "c"},
        {"private_key": "pk_a", "base_url": "a.klaviyo.com"},
        {"private_key": "pk_a", "revision": "latest"},
        {"private_key": "pk_a", "batch": 1_001},
        {"private_key": "pk_a", "consent_channels": ["push"]},
    ],
)
def test_settings_that_cannot_be_meant_are_faults(said: Mapping[str, Any]) -> None:
    """One key, a URL with a host, a dated revision, at most 1,000 events, channels that exist."""
    with pytest.raises(ValidationError):
        Settings.model_validate(said)


async def test_nothing_but_a_wish_subscribes(sender: Sender, server: TestServer) -> None:
    """Of all cases, only consent events and identifies with `consent_traits` speak of consent."""
    for case in CASES:
        played = await play(case, sender, str(server.make_url("/klaviyo")))
        told = any("subscription" in request.url for request in played.requests)
        allowed = case.action in ("subscribe", "unsubscribe") or "consent_traits" in case.settings

        assert allowed or not told, case.says


async def test_what_was_dropped_is_noted(sender: Sender, server: TestServer) -> None:
    """A channel without an address is left out, and the delivery says so."""
    said = {
        "type": "track",
        "event": "Email Subscribed",
        "userId": "u1",
        "properties": {"email": "ada@ex.org", "channels": ["email", "sms"]},
    }
    base = {**_slots(CASES[0]), "action": "subscribe", "events": [said]}
    played = await play(Case(**base), sender, str(server.make_url("/klaviyo")))

    assert [Delivered("nothing was told of sms: no address")] == played.outcomes


def test_it_is_registered() -> None:
    """The folder's name opens the declaration, whose version is the default revision."""
    assert destination is registry.vendor("klaviyo")
    assert destination.version == Settings.model_fields["revision"].default
