"""What Meta's own SDK says of our requests and our sandbox, and what leaves the house."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterator
from typing import Any

import orjson
import pytest
from aiohttp import ClientSession
from aiohttp.test_utils import TestServer
from facebook_business.adobjects.adspixel import AdsPixel
from facebook_business.adobjects.serverside.action_source import ActionSource
from facebook_business.adobjects.serverside.content import Content
from facebook_business.adobjects.serverside.custom_data import CustomData
from facebook_business.adobjects.serverside.event import Event
from facebook_business.adobjects.serverside.event_request import EventRequest
from facebook_business.adobjects.serverside.gender import Gender
from facebook_business.adobjects.serverside.user_data import UserData
from facebook_business.adobjects.serverside.util import Util
from facebook_business.api import FacebookAdsApi
from facebook_business.exceptions import FacebookRequestError
from facebook_business.session import FacebookSession
from pydantic import ValidationError

from destinations import sandbox
from destinations.meta.meta import Settings
from destinations.meta.sandbox import APP_SECRET, DATASET, TOKEN
from destinations.plan import Boarding
from destinations.spec import Barred, Reply
from hub.clock import FakeClock
from tests.destinations.cases import NOW, cases_of, play


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.fixture
async def server() -> AsyncIterator[TestServer]:
    made = TestServer(sandbox.app(["meta"], FakeClock(NOW)))
    await made.start_server()
    yield made
    await made.close()


@pytest.fixture
def sdk(server: TestServer) -> Iterator[FacebookAdsApi]:
    """The SDK, pointed at our sandbox."""
    session = FacebookSession(access_token=TOKEN, app_secret=APP_SECRET, timeout=10)
    session.GRAPH = str(server.make_url("/meta")).rstrip("/")
    before = FacebookAdsApi.get_default_api()
    api = FacebookAdsApi(session)
    FacebookAdsApi.set_default_api(api)
    yield api
    FacebookAdsApi.set_default_api(before)
    session.requests.close()


def sdk_event(**changes: Any) -> Event:
    """The first case of cases.json, as a user of the SDK would say it."""
    told: dict[str, Any] = {
        "event_name": "Purchase",
        "event_time": int(NOW) - 60,
        "event_id": "m-001",
        "event_source_url": "https://shop.example/thanks",
        "action_source": ActionSource.WEBSITE,
        "user_data": UserData(
            emails=[" Alice@Example.com"],
            phones=["+1 (555) 444-1234"],
            first_names=["Mary Ann"],
            last_names=["OBrien"],
            genders=[Gender.FEMALE],
            dates_of_birth=["19900521"],
            cities=["San Francisco"],
            states=["CA"],
            zip_codes=["94103-1234"],
            country_codes=["US"],
            external_ids=[sha("u1")],
            client_ip_address="203.0.113.9",
            client_user_agent="Mozilla/5.0 (X11; Linux x86_64)",
        ),
        "custom_data": CustomData(
            value=79.9,
            currency="eur",
            contents=[
                Content(product_id="p-1", quantity=2, item_price=19.95),
                Content(product_id="sku-2", quantity=1, item_price=40),
            ],
            content_ids=["p-1", "sku-2"],
            content_type="product",
            num_items=3,
            order_id="o-77",
        ),
    }
    return Event(**{**told, **changes})


async def test_the_sdk_delivers_to_our_sandbox(server: TestServer, sdk: FacebookAdsApi) -> None:
    """The vendor's own client, with its form body and its token in the query, is understood."""
    request = EventRequest(pixel_id=DATASET, events=[sdk_event(), sdk_event(event_id="m-002")])
    response = await asyncio.to_thread(request.execute)
    async with ClientSession() as http, http.get(server.make_url("/_sandbox/meta?taken=1")) as seen:
        taken = await seen.json()

    assert 2 == response.events_received
    assert 1 == sdk.get_num_requests_succeeded()
    assert [("m-001", "Purchase"), ("m-002", "Purchase")] == [(t["id"], t["what"]) for t in taken]


async def test_the_sdk_says_what_we_say() -> None:
    """Our event of an order is the one that the SDK makes, but for the currency's capitals."""
    case = cases_of("meta")[0]
    played = await play(case, None, "http://sandbox.invalid", [Reply.of(200, {})])
    [said] = played.requests[0].json()["data"]
    expected = sdk_event().normalize()
    expected["custom_data"]["currency"] = "EUR"  # Meta takes both; ISO 4217 writes capitals

    assert expected == said


@pytest.mark.parametrize(
    ("token", "dataset", "code", "subcode"),
    [
        (TOKEN, "999999999999", 100, 33),
        (TOKEN, "17", 17, None),
        (TOKEN, "2", 2, None),
        ("EAAB-expired", DATASET, 190, 463),
        ("EAABwrong", DATASET, 190, None),
    ],
)
async def test_the_sdk_reads_our_errors(
    server: TestServer, token: str, dataset: str, code: int, subcode: int | None
) -> None:
    """Our sandbox's error bodies are Graph errors to the SDK."""
    session = FacebookSession(access_token=token, timeout=10)
    session.GRAPH = str(server.make_url("/meta")).rstrip("/")
    pixel = AdsPixel(dataset, api=FacebookAdsApi(session))
    params = {"data": [orjson.dumps(sdk_event().normalize()).decode()]}
    with pytest.raises(FacebookRequestError) as caught:
        await asyncio.to_thread(pixel.create_event, [], params)
    session.requests.close()

    assert (code, subcode) == (caught.value.api_error_code(), caught.value.api_error_subcode())


async def test_the_sdk_proves_the_app_as_we_do() -> None:
    """appsecret_proof is the SDK's."""
    case = next(case for case in cases_of("meta") if "app_secret" in case.settings)
    played = await play(case, None, "http://sandbox.invalid", [Reply.of(200, {})])

    assert Util.appsecret_proof(APP_SECRET, TOKEN) == played.requests[0].json()["appsecret_proof"]


async def test_nothing_personal_goes_in_clear() -> None:
    """Of a person's traits and properties, only hashes leave; the token is in no URL."""
    case = cases_of("meta")[0]
    played = await play(case, None, "http://sandbox.invalid", [Reply.of(200, {})])
    body = played.requests[0].body.decode().lower()

    for word in ("alice", "444", "mary", "brien", "1990", "francisco", "94103"):
        assert word not in body
    assert TOKEN not in played.requests[0].url


async def test_an_echoed_token_is_masked() -> None:
    """Meta repeats a token that it does not know; what a person is told of it does not."""
    token = "EAABwrongTokenThatNobodyEverIssued01"
    case = cases_of("meta")[0]
    error = {"message": f"Malformed access token {token}", "code": 190}
    played = await play(case, None, "http://sandbox.invalid", [Reply.of(400, {"error": error})])
    [outcome] = played.outcomes

    assert Barred("token_dead", "(190) Malformed access token ***") == outcome


async def test_a_batch_rides_together() -> None:
    """Up to 1,000 events share a request, all or none, which the engine can bisect."""
    case = cases_of("meta")[0]
    played = await play(case, None, "http://sandbox.invalid", [Reply.of(200, {})])
    [board] = [v for v in played.verdicts if isinstance(v, Boarding)]

    assert 1_000 == board.action.batch.rows
    assert board.action.batch.atomic


@pytest.mark.parametrize(
    "told",
    [
        {"dataset_id": "pixel"},
        {"access_token": "EAAB\n"},
        {"version": "26"},
        {"base_url": "ftp://graph.example"},
        {"base_url": "https://graph.example/?access_token=1"},
        {"test_event_code": "TEST1"},
        {"test_event_code": "TEST1", "test_event_code_until": "2026-11-21T10:30:00"},
        {"custom_properties": ["em"]},
        {"data_processing_options": ["ldu"]},
        {"currency": "dollars"},
        {"batch": 1_001},
    ],
)
def test_settings_that_cannot_be(told: dict[str, Any]) -> None:
    """A fault is found when the hub starts, not when the first event is sent."""
    with pytest.raises(ValidationError):
        Settings.model_validate({"dataset_id": DATASET, "access_token": TOKEN, **told})
