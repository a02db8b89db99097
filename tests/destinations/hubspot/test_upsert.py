"""What the talks remember, and what they ask again."""

from __future__ import annotations

import orjson
from aiohttp import web
from aiohttp.test_utils import TestServer

from destinations.courier import carry
from destinations.hubspot.calls import CATALOGUE_BYTES
from destinations.hubspot.hubspot import destination
from destinations.outcome import Busy, Delivered, Failed
from destinations.sender import Sender
from destinations.talk import MAX_REPLY, Reply, Request
from tests.destinations.hubspot.practice import Practice, contact


async def test_the_catalogue_is_asked_for_once() -> None:
    """The account's properties are remembered for as long as the settings say."""
    practice = Practice()
    account = practice.account(property_cache_seconds=600)
    for _ in range(2):
        await practice.carry("upsert_contact", [contact(1, "ada@ex.org")], account)
    practice.clock.advance(601)
    await practice.carry("upsert_contact", [contact(1, "ada@ex.org")], account)

    assert ["GET contacts", "POST upsert", "POST upsert", "GET contacts", "POST upsert"] == (
        practice.calls
    )


async def test_an_old_catalogue_is_blamed_for_an_unknown_property() -> None:
    """A property that was deleted since is tried again with a fresh list, and then left out."""
    practice = Practice()
    account = practice.account()
    await practice.carry("upsert_contact", [contact(1, "ada@ex.org")], account)
    practice.clock.advance(61)
    practice.sandbox._kinds["contacts"].pop("plan")
    rows = [contact(2, "ada@ex.org", plan="pro")]

    first = await practice.carry("upsert_contact", rows, account)
    again = await practice.carry("upsert_contact", rows, account)

    assert [Failed("stale_catalogue")] == first
    assert [Delivered("unknown properties left out: plan")] == again


async def test_what_may_not_be_created_is_left_out() -> None:
    """A token that may not create properties delivers without them, and does not ask each time."""

    def refused(request: Request, reply: Reply) -> Reply:
        limit = {"status": "error", "category": "VALIDATION_ERROR", "message": "Too many"}
        return Reply.of(400, limit) if request.url.endswith("batch/create") else reply

    practice = Practice(refused)
    account = practice.account(unknown_properties="create")
    rows = [contact(1, "ada@ex.org", colour="blue")]
    outcomes = [await practice.carry("upsert_contact", rows, account) for _ in range(2)]

    assert [[Delivered("unknown properties left out: colour")]] * 2 == outcomes
    assert ["GET contacts", "POST create", "POST upsert", "POST upsert"] == practice.calls


async def test_conflicts_are_settled_ten_at_a_time() -> None:
    """A talk has twenty requests: the rows of further conflicts go again, and spend no attempt."""
    practice = Practice()
    for number in range(12):
        practice.sandbox._records["contacts"][str(900 + number)] = {
            "email": f"first{number}@ex.org",
            "hs_additional_emails": f"second{number}@ex.org",
        }
    rows = [contact(n, f"second{n}@ex.org", plan="pro") for n in range(12)]
    outcomes = await practice.carry("upsert_contact", rows, practice.account())

    assert [Delivered()] * 10 + [Busy(0, "conflict")] * 2 == outcomes


async def test_a_repeated_message_id_keeps_its_rows_apart() -> None:
    """Traces must be unique in a batch, even where a client repeats its messageId."""
    practice = Practice()
    rows = [contact(1, "ada@ex.org"), contact(1, "bob@ex.org")]
    outcomes = await practice.carry("upsert_contact", rows, practice.account())

    assert [Delivered(), Delivered()] == outcomes
    assert ["m-1", "m-1#1"] == [one.id for one in practice.sandbox.taken]


async def test_notes_say_what_was_dropped() -> None:
    """A stage that does not go back is delivered with a note."""
    practice = Practice()
    rows = [contact(1, "first@example.org", lifecyclestage="lead")]
    outcomes = await practice.carry("upsert_contact", rows, practice.account())

    assert [Delivered("lifecyclestage does not go back")] == outcomes


async def test_a_long_catalogue_is_read_whole() -> None:
    """The list of an account's properties may be longer than other replies."""
    entry = {"name": "x" * 50, "type": "string", "description": "y" * 950}
    listed = orjson.dumps({"results": [entry] * 2_000 + [{"name": "email", "type": "string"}]})

    async def answer(request: web.Request) -> web.Response:
        return web.Response(body=listed if request.method == "GET" else b"{}")

    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", answer)
    server = TestServer(app)
    await server.start_server()
    account = Practice().account(base_url=str(server.make_url("/")))
    async with Sender() as sender:
        await carry(destination.actions[0], [contact(1, "ada@ex.org")], account, sender)
    await server.close()
    found = account.recall("contacts")

    assert found is not None
    assert MAX_REPLY < len(listed) < CATALOGUE_BYTES
    assert found.types == {"x" * 50: "string", "email": "string"}
