"""HubSpot, with its official SDK as the judge of our requests and of the sandbox's answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from types import ModuleType
from typing import Any

import orjson
import pytest
from aiohttp import ClientSession
from aiohttp.test_utils import TestServer
from hubspot import HubSpot
from hubspot.crm import companies, contacts, properties
from hubspot.crm.associations import v4
from hubspot.events import send

from destinations import sandbox
from destinations.sender import Sender
from hub.clock import FakeClock
from tests.destinations.cases import NOW, Case, cases_of, play
from tests.destinations.hubspot.practice import OAUTH

pytestmark = [
    # The SDK asks urllib3 for what urllib3 has announced to drop.
    pytest.mark.filterwarnings("ignore::DeprecationWarning:hubspot"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:urllib3"),
    pytest.mark.filterwarnings("ignore::FutureWarning:hubspot"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
CASES = cases_of("hubspot")
GOOD = "pat-sandbox"
ONE = {"id": "ada@ex.org", "idProperty": "email", "objectWriteTraceId": "m-1"}


@pytest.fixture
async def base() -> AsyncIterator[str]:
    """The address of a fresh account to practise on."""
    server = TestServer(sandbox.app(["hubspot"], FakeClock(NOW)))
    await server.start_server()
    yield str(server.make_url("/hubspot"))
    await server.close()


async def taken(base: str) -> list[dict[str, Any]]:
    """What the account took."""
    async with (
        ClientSession() as session,
        session.get(base.replace("/hubspot", "/_sandbox/hubspot?taken=1")) as response,
    ):
        return list(orjson.loads(await response.read()))


def sdk(base: str, access_token: str = GOOD) -> Any:
    return HubSpot(access_token=access_token, host=base)


# The official SDK at our sandbox


async def test_the_sdk_upserts_contacts(base: str) -> None:
    """The SDK writes contacts into the sandbox, and reads an id for each."""
    model = contacts.BatchInputSimplePublicObjectBatchInputUpsert(
        inputs=[
            contacts.SimplePublicObjectBatchInputUpsert(
                id="ada@ex.org",
                id_property="email",
                object_write_trace_id="m-1",
                properties={"email": "ada@ex.org", "firstname": "Ada"},
            )
        ]
    )
    api = sdk(base).crm.contacts.batch_api
    answer = await asyncio.to_thread(api.upsert, model)

    assert [("501", "m-1", "Ada")] == [
        (r.id, r.object_write_trace_id, r.properties["firstname"]) for r in answer.results
    ]
    assert ["m-1"] == [one["id"] for one in await taken(base)]


async def test_the_sdk_reads_a_partial_failure(base: str) -> None:
    """The sandbox's 207 is one that the SDK knows: results, and errors with the trace."""
    model = contacts.BatchInputSimplePublicObjectBatchInputUpsert(
        inputs=[
            {**ONE, "properties": {"email": "ada@ex.org"}},
            {**ONE, "id": "bob", "objectWriteTraceId": "m-2", "properties": {"email": "bob"}},
        ]
    )
    api = sdk(base).crm.contacts.batch_api
    answer = await asyncio.to_thread(api.upsert, model)

    assert isinstance(answer, contacts.BatchResponseSimplePublicUpsertObjectWithErrors)
    assert ["m-1"] == [result.object_write_trace_id for result in answer.results]
    assert [{"objectWriteTraceId": ["m-2"]}] == [error.context for error in answer.errors]


async def test_the_sdk_upserts_companies_and_links_contacts(base: str) -> None:
    """The SDK writes a company by its unique property, and links a contact with it."""
    api = sdk(base).crm
    upserted = await asyncio.to_thread(
        api.companies.batch_api.upsert,
        companies.BatchInputSimplePublicObjectBatchInputUpsert(
            inputs=[
                companies.SimplePublicObjectBatchInputUpsert(
                    id="g1", id_property="segment_group_id", properties={"name": "AE"}
                )
            ]
        ),
    )
    company = upserted.results[0].id
    linked = await asyncio.to_thread(
        api.associations.v4.batch_api.create_default,
        "contacts",
        "companies",
        v4.BatchInputPublicDefaultAssociationMultiPost(
            inputs=[
                v4.PublicDefaultAssociationMultiPost(
                    _from=v4.PublicObjectId(id="123"), to=v4.PublicObjectId(id=company)
                )
            ]
        ),
    )

    assert [("123", company)] == [(link._from.id, link.to.id) for link in linked.results]
    assert ["company", "association"] == [one["what"] for one in await taken(base)]


async def test_the_sdk_sends_events(base: str) -> None:
    """The SDK sends one event and a batch of them."""
    event = send.BehavioralEventHttpCompletionRequest(
        event_name="pe123_order_completed", email="ada@ex.org", properties={"total": "3"}
    )
    api = sdk(base).events.send
    await asyncio.to_thread(api.basic_api.send, event)
    await asyncio.to_thread(
        api.batch_api.send,
        send.BatchedBehavioralEventHttpCompletionRequest(inputs=[event, event]),
    )

    assert ["pe123_order_completed"] * 3 == [one["what"] for one in await taken(base)]


async def test_the_sdk_lists_properties(base: str) -> None:
    """The SDK reads the catalogue, with types and what is unique."""
    api = sdk(base).crm.properties.core_api
    answer = await asyncio.to_thread(api.get_all, "contacts")

    unique = [entry.name for entry in answer.results if entry.has_unique_value]
    types = {entry.name: entry.type for entry in answer.results}
    assert ["segment_user_id"] == unique
    assert "date" == types["trial_ends"]


async def test_the_sdk_is_refused_as_by_hubspot(base: str) -> None:
    """A wrong token is a 401 with a body that names the category."""
    api = sdk(base, "pat-wrong").crm.properties.core_api
    with pytest.raises(properties.exceptions.ApiException) as caught:
        await asyncio.to_thread(api.get_all, "contacts")

    assert 401 == caught.value.status
    assert "INVALID_AUTHENTICATION" == orjson.loads(caught.value.body)["category"]


async def test_the_sdk_renews_a_token(base: str) -> None:
    """The SDK gets an access token for the refresh token, and it opens the account."""
    answer = await asyncio.to_thread(
        sdk(base).oauth.tokens_api.create, grant_type="refresh_token", **OAUTH
    )
    api = sdk(base, answer.access_token).crm.properties.core_api
    listed = await asyncio.to_thread(api.get_all, "companies")

    assert 1_800 == answer.expires_in
    assert "segment_group_id" in {entry.name for entry in listed.results}


# Our requests before the SDK's models

MODELS: Mapping[str, tuple[ModuleType, str]] = {
    "contacts/batch/upsert": (contacts, "BatchInputSimplePublicObjectBatchInputUpsert"),
    "contacts/batch/read": (contacts, "BatchReadInputSimplePublicObjectId"),
    "contacts/123": (contacts, "SimplePublicObjectInput"),
    "contacts/77": (contacts, "SimplePublicObjectInput"),
    "companies/batch/upsert": (companies, "BatchInputSimplePublicObjectBatchInputUpsert"),
    "batch/associate/default": (v4, "BatchInputPublicDefaultAssociationMultiPost"),
    "send/batch": (send, "BatchedBehavioralEventHttpCompletionRequest"),
    "contacts/batch/create": (properties, "BatchInputPropertyCreate"),
    "companies/batch/create": (properties, "BatchInputPropertyCreate"),
}


def model_of(url: str) -> tuple[ModuleType, str] | None:
    return next((found for end, found in MODELS.items() if url.endswith(end)), None)


def through(module: ModuleType, model: str, body: bytes) -> Any:
    """The body as the SDK says it again, after it has read it into its own model."""

    class Response:
        data = body.decode()

    client = module.ApiClient()
    return client.sanitize_for_serialization(client.deserialize(Response(), model))


@pytest.mark.parametrize("case", [c for c in CASES if "delivered" in c.outcomes], ids=str)
async def test_the_sdk_would_say_the_same(case: Case, base: str) -> None:
    """Each body that we send is one that the SDK's models read and say again, to the letter."""
    async with Sender() as sender:
        played = await play(case, sender, base)

    for request in played.requests:
        found = model_of(request.url)
        if request.method == "GET":
            continue
        assert found is not None, request.url
        ours, theirs = request.json(), through(*found, request.body)
        # The SDK says a time with its own offset, and with microseconds.
        for body in (ours, theirs):
            for one in body.get("inputs", []):
                if "occurredAt" in one:
                    one["occurredAt"] = one["occurredAt"][:19]
        assert ours == theirs
