"""What Meta's own SDK says of our requests, our hashes, and our sandbox."""

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
from facebook_business.adobjects.serverside.normalize import Normalize
from facebook_business.adobjects.serverside.user_data import UserData
from facebook_business.adobjects.serverside.util import Util
from facebook_business.api import FacebookAdsApi
from facebook_business.exceptions import FacebookRequestError
from facebook_business.session import FacebookSession
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from destinations import sandbox
from destinations.meta import answers, identity
from destinations.meta.meta import Settings, destination
from destinations.meta.sandbox import APP_SECRET, DATASET, TOKEN, Sandbox
from destinations.plan import Boarding
from destinations.spec import Barred, Delivered, Outcome, Reply, Request, Unfit, forms
from hub.clock import FakeClock
from tests.destinations.cases import NOW, cases_of, play

EMPTY = hashlib.sha256(b"").hexdigest()
FIELDS = identity.fields("US", "keep", True)
NORMAL = {
    "em": forms.email,
    "ph": identity.phone("US"),
    "fn": identity.name("keep"),
    "ln": identity.name("remove"),
    "ge": identity.gender,
    "db": identity.birthday,
    "ct": identity.city,
    "st": identity.state,
    "zp": identity.postcode,
    "country": identity.country,
}


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def ours(field: str, value: Any) -> str | None:
    """The one hash that we send for a value; None where we leave it out."""
    form = FIELDS[field].form
    assert form is not None
    found = form(value)
    return found[0] if found else None


# The official SDK ---------------------------------------------------------------------------


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


# Normal forms -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("em", "alice@example.com"),
        ("em", "  Alice@Example.COM "),
        ("em", "jane.doe+tag@gmail.com"),
        ("em", "jürgen@example.de"),
        ("em", sha("alice@example.com")),
        ("em", sha("alice@example.com").upper()),
        ("ph", "+1 (555) 444-1234"),
        ("ph", "15554441234"),
        ("ph", "+44 7700 900123"),
        ("ph", "0044 7700 900123"),
        ("ph", "+49 30 901820"),
        ("fn", " Mary "),
        ("fn", "Mary Ann"),
        ("fn", "Jürgen"),
        ("fn", "정"),
        ("fn", "Łukasz"),
        ("ln", "MÜLLER"),
        ("ge", "F"),
        ("ge", "m"),
        ("db", "19900521"),
        ("ct", "San Francisco"),
        ("ct", "St. John's (West)"),
        ("ct", "Villeneuve-d'Ascq 59"),
        ("ct", "München"),
        ("st", "CA"),
        ("st", "Île-de-France"),
        ("zp", "94103"),
        ("zp", "94103-1234"),
        ("zp", "K1A 0B1"),
        ("zp", "1012 AB"),
        ("country", "US"),
        ("country", " de "),
        ("country", "GB"),
    ],
)
def test_we_hash_as_the_sdk_does(field: str, value: str) -> None:
    """The same value, the same hash."""
    assert Normalize.normalize_field(field, value) == ours(field, value)


@pytest.mark.parametrize(
    ("field", "value", "normal", "why"),
    [
        ("ph", "(555) 444-1234", "15554441234", "we know the default country"),
        ("ph", "+49 (0)30 901820", "4930901820", "the zero in parentheses is not dialled"),
        ("ph", "+1.555.444.1234", "15554441234", "the SDK leaves dots and then refuses"),
        ("fn", "Anne-Marie", "annemarie", "Meta's page: no punctuation; the SDK keeps it"),
        ("ln", "O'Brien", "obrien", "the same"),
        ("fn", "Mary   Ann", "mary ann", "a typed blank too many is no other name"),
        ("ge", "Female", "f", "the SDK takes only its own Gender"),
        ("db", "1990-05-21", "19900521", "Segment's birthday is ISO 8601; the SDK hashes as given"),
        ("db", "1990-05-21T23:30:00.000Z", "19900521", "the same"),
        ("st", "California", "ca", "Meta's page: two letters in the US"),
        ("st", "Bayern!", "bayern", "letters only"),
        ("zp", "SW1A 1AA", "sw1a1", "Meta's page: UK codes up to the sector"),
        ("zp", "100-0001", "1000001", "the SDK cuts at the dash, for which only ZIP+4 has reason"),
        ("zp", "941031234", "94103", "ZIP+4 without its dash"),
        ("country", "Germany", "de", "people write names; the SDK refuses"),
        ("country", "USA", "us", "the same"),
        ("country", "U.K.", "gb", "the same"),
    ],
)
def test_where_we_differ_from_the_sdk(field: str, value: str, normal: str, why: str) -> None:
    """Each difference is meant, and has its reason."""
    try:
        theirs = Normalize.normalize_field(field, value)
    except (TypeError, ValueError):
        theirs = None

    assert sha(normal) == ours(field, value), why
    assert theirs != ours(field, value)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("em", "nobody"),
        ("em", EMPTY),
        ("em", ""),
        ("ph", "12"),
        ("ph", "call me"),
        ("fn", "--"),
        ("ge", "other"),
        ("db", "21.05.1990"),
        ("ct", "1234"),
        ("st", "12"),
        ("country", "Atlantis"),
        ("zp", " - "),
        ("em", None),
        ("fn", {"first": "Mary"}),
        ("fn", True),
    ],
)
def test_what_we_leave_out(field: str, value: Any) -> None:
    """What has no normal form is not sent: neither the hash of nothing nor of `None`."""
    assert ours(field, value) is None


@pytest.mark.parametrize(
    ("field", "value", "digest"),
    [
        (
            "em",
            "alice@example.com",
            "ff8d9819fc0e12bf0d24892e45987e249a28dce836a85cad60e28eaaa8c6d976",
        ),
        (
            "em",
            "john@contoso.com",
            "ec81f3ac7b2b19675bab9d54cf416f9f18cff87c97da5cca82c0f0891bc40602",
        ),
        (
            "em",
            "Jane.Doe@gmail.com",  # no dots are dropped, unlike with Google
            "831f6494ad6be4fcb3a724c3d5fef22d3ceffa3c62ef3a7984e45a0ea177f982",
        ),
    ],
)
def test_golden_vectors(field: str, value: str, digest: str) -> None:
    """Hashes that others have published for these values."""
    assert digest == ours(field, value)


@given(st.sampled_from(sorted(NORMAL)), st.text() | st.integers() | st.floats())
def test_a_normal_form_is_normal(field: str, value: Any) -> None:
    """Normalising twice is normalising once."""
    try:
        once = NORMAL[field](value)
    except Unfit:
        return
    if once == "":
        return
    if field == "ph":
        once = "+" + once  # without the plus, Meta's form is no longer a number to be read

    assert once.removeprefix("+") == NORMAL[field](once)


@given(
    st.sampled_from([*identity.HASHED, "external_id"]),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=2),
        max_leaves=5,
    ),
)
def test_only_hashes_and_never_the_empty_one(field: str, value: Any) -> None:
    """Whatever stands in a trait, what we send of it is SHA-256, and not of nothing."""
    form = FIELDS[field].form
    assert form is not None
    for digest in form(value) or []:
        assert 64 == len(digest)
        assert set(digest) <= set("0123456789abcdef")
        assert digest != EMPTY


# The click ----------------------------------------------------------------------------------


@given(st.text())
def test_any_url_may_come(url: str) -> None:
    """A page's URL is the world's; none breaks us, and what we make of it is an fbc or nothing."""
    event = {
        "timestamp": "2026-11-21T10:00:00Z",
        "context": {"page": {"url": f"https://shop.example/?fbclid={url}"}},
    }
    made = identity.fbc_of(event)

    assert made is None or identity.click(made) == made


# Answers ------------------------------------------------------------------------------------


def read(reply: Reply, rows: int = 2) -> list[Outcome]:
    return answers.outcomes(reply, [None] * rows, "v26.0", NOW, 60.0)


@given(
    st.integers(200, 599),
    st.recursive(
        st.none() | st.booleans() | st.integers(-5, 300) | st.sampled_from(["", "data[1]"]),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["error", "code", "error_subcode", "message", "events_received", "messages"]
                ),
                inner,
            )
        ),
    ),
)
def test_delivered_is_what_meta_counted(status: int, body: Any) -> None:
    """Only a 2xx without an error that counts as many events as we sent is a delivery."""
    found = read(Reply.of(status, body))
    counted = (
        status < 300
        and isinstance(body, dict)
        and "error" not in body
        and type(body.get("events_received")) is int
        and body["events_received"] == 2
    )

    assert 2 == len(found)
    assert counted == all(isinstance(outcome, Delivered) for outcome in found)


def test_another_version_is_noted() -> None:
    """An ended version is silently replaced; the delivery says so."""
    reply = Reply.of(200, {"events_received": 1, "messages": []}, facebook_api_version="v25.0")

    assert [Delivered("served by v25.0")] == read(reply, 1)


@pytest.mark.parametrize(
    ("header", "value", "seconds"),
    [
        ("x-app-usage", '{"call_count": 79, "total_time": 3, "total_cputime": 1}', None),
        ("x-app-usage", '{"call_count": 28, "total_time": 80, "total_cputime": 1}', 2.0),
        ("x-ad-account-usage", '{"acc_id_util_pct": 100}', 60.0),
        (
            "x-business-use-case-usage",
            '{"1": [{"call_count": 100, "estimated_time_to_regain_access": 4}], "2": []}',
            240.0,
        ),
        (
            "x-business-use-case-usage",
            '{"1": [{"call_count": 100, "estimated_time_to_regain_access": 1e9}]}',
            86_400.0,
        ),
        ("x-app-usage", "{", None),
        ("x-app-usage", '[{"call_count": 100}]', None),
        ("x-app-usage", '{"call_count": "100"}', None),
        ("x-other", '{"call_count": 100}', None),
    ],
)
def test_usage_headers_slow_us_down(header: str, value: str, seconds: float | None) -> None:
    """From 80 percent on slowly, at 100 not before the time that Meta gives."""
    assert destination.hint is not None
    assert seconds == destination.hint(Reply(200, {header: value}), NOW)


# Settings -----------------------------------------------------------------------------------


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


# The sandbox --------------------------------------------------------------------------------


def told(*changes: dict[str, Any], at: float = NOW) -> bytes:
    events = [
        {
            "event_name": "Lead",
            "event_time": int(at),
            "event_id": "e1",
            "action_source": "email",
            "user_data": {"em": [sha("alice@example.com")]},
            **change,
        }
        for change in changes
    ]
    return orjson.dumps({"data": events})


def post(practice: Sandbox, body: bytes, now: float = NOW) -> Reply:
    headers = {"authorization": f"Bearer {TOKEN}", "content-type": "application/json"}
    return practice.answer(Request("POST", f"/v26.0/{DATASET}/events", headers, body), now)


def test_the_sandbox_remembers_for_48_hours() -> None:
    """The same name and id count once within 48 h, whatever was answered; then again."""
    practice = Sandbox()
    for now in (NOW, NOW + 47 * 3600, NOW + 49 * 3600):
        assert 1 == post(practice, told({}, at=now), now).json()["events_received"]
    post(practice, told({"event_name": "Contact"}))

    assert ["Lead", "Lead", "Contact"] == [taken.what for taken in practice.taken]
    assert 1 == practice.deduplicated


@pytest.mark.parametrize(
    ("change", "subcode"),
    [
        ({"event_name": ""}, 2804001),
        ({"event_time": int(NOW) - 7 * 86_400 - 1}, 2804003),
        ({"event_time": int(NOW) + 61}, 2804007),
        ({"action_source": "web"}, 2804017),
        ({"user_data": {"em": "alice@example.com"}}, 2804016),
        ({"user_data": {"em": [sha("a"), "b"]}}, 2804016),
        ({"user_data": {"ct": [sha("berlin")], "client_user_agent": "M"}}, 2804050),
        ({"user_data": {}}, 2804050),
        ({"action_source": "website"}, 2804019),
        ({"event_name": "Purchase"}, 2804009),
        ({"event_name": "Purchase", "custom_data": {"value": "1", "currency": "EUR"}}, 2804009),
        ({"custom_data": {"currency": "EURO"}}, 2804048),
        ({"action_source": "business_messaging"}, 2804066),
        ({"event_time": "2026-11-21T10:00:00Z"}, None),
        ({"user_data": []}, None),
    ],
)
def test_the_sandbox_takes_all_or_nothing(change: dict[str, Any], subcode: int | None) -> None:
    """One event that cannot be, and none beside it is taken."""
    practice = Sandbox()
    error = post(practice, told({}, change)).json()["error"]

    assert (100, subcode) == (error["code"], error.get("error_subcode"))
    assert [] == practice.taken


# What leaves the house ----------------------------------------------------------------------


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
