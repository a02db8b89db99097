"""Any vendor's sandbox on a socket, with a journal and faults on demand."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import orjson
import pytest
from aiohttp.test_utils import TestClient, TestServer
from yarl import URL

from destinations import sandbox
from destinations.sender import Sender
from destinations.spec import Taken
from hub.clock import FakeClock
from tests.destinations.cases import NOW, cases_of, play

Client = TestClient[Any, Any]


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with TestClient(TestServer(sandbox.app(["webhook"], FakeClock(NOW)))) as made:
        yield made


async def said(client: Client, path: str, method: str = "GET", body: Any = None) -> Any:
    """What the sandbox's own pages tell."""
    data = None if body is None else orjson.dumps(body)
    async with client.request(method, f"/_sandbox/{path}", data=data) as reply:
        return await reply.json()


async def knock(client: Client, path: str = "/webhook/x") -> tuple[int, bytes]:
    """A request that is no webhook."""
    async with client.post(path, data=b"{}") as reply:
        return reply.status, await reply.read()


async def test_it_keeps_what_it_took(client: Client) -> None:
    """A delivered case is counted, taken and in the journal; DELETE begins anew."""
    case = next(c for c in cases_of("webhook") if c.outcomes == ["delivered"])
    async with Sender() as sender:
        await play(case, sender, str(client.make_url("/webhook")).rstrip("/"))
    counts = await said(client, "webhook")
    taken = await said(client, "webhook?taken=1")
    (line,) = await said(client, "webhook?journal=1")

    assert {"requests": 1, "taken": 1} == counts
    assert ["m-001"] == [one["id"] for one in taken]
    assert ("POST", 200, NOW) == (line["method"], line["status"], line["at"])
    assert {"requests": 0, "taken": 0} == await said(client, "webhook", "DELETE")
    assert [] == await said(client, "webhook?journal=1")


@pytest.mark.parametrize(
    ("path", "url"),
    [
        ("/webhook", "/"),
        ("/webhook/", "/"),
        ("/webhook/a/b?c=d", "/a/b?c=d"),
        ("/webhook?c=d/e", "/?c=d/e"),
        ("/webhook/webhook/%2F", "/webhook/%2F"),
    ],
)
async def test_a_sandbox_sees_what_is_below_its_base(client: Client, path: str, url: str) -> None:
    """Path and query as they were sent, without the vendor's own prefix."""
    await (await client.post(URL(path, encoded=True))).release()
    (line,) = await said(client, "webhook?journal=1")

    assert url == line["url"]


@pytest.mark.parametrize(
    ("fault", "status", "body"),
    [
        ({"status": 503}, 503, b""),
        ({"body": {"a": 1}}, 200, b'{"a":1}'),
        ({"status": 400, "body": {"a": 1}, "truncate": True}, 400, b'{"a'),
        ({"html": True}, 502, b"<html><body>Bad gateway</body></html>"),
        ({"html": True, "status": 500}, 500, b"<html><body>Bad gateway</body></html>"),
    ],
)
async def test_faults_on_demand(client: Client, fault: Any, status: int, body: bytes) -> None:
    """It answers as it was told, until it is told otherwise."""
    usual = await knock(client)
    await said(client, "webhook", "POST", fault)
    found = [await knock(client), await knock(client)]
    await said(client, "webhook", "POST", {})

    assert [(status, body)] * 2 == found
    assert usual == await knock(client)


async def test_a_fault_is_counted_down(client: Client) -> None:
    """`times` requests meet it, then all is as before."""
    usual, _ = await knock(client)
    await said(client, "webhook", "POST", {"status": 503, "times": 2})

    assert [503, 503, usual] == [(await knock(client))[0] for _ in range(3)]


async def test_headers_on_demand(client: Client) -> None:
    """A rate limit can be told with its wish."""
    await said(client, "webhook", "POST", {"status": 429, "headers": {"retry-after": "7"}})
    async with client.post("/webhook/x") as reply:
        assert (429, "7") == (reply.status, reply.headers["retry-after"])


async def test_it_hangs_up_on_demand(client: Client) -> None:
    """`close` ends the connection without an answer; the request was heard."""
    await said(client, "webhook", "POST", {"close": True, "times": 1})
    with pytest.raises(aiohttp.ClientError):
        await knock(client)

    assert 1 == (await said(client, "webhook"))["requests"]


async def test_it_breaks_off_on_demand(client: Client) -> None:
    """`cut` sends half a body and hangs up; the request was heard."""
    await said(client, "webhook", "POST", {"body": {"a": 1}, "cut": True, "times": 1})
    with pytest.raises(aiohttp.ClientPayloadError):
        await knock(client)

    assert 1 == (await said(client, "webhook"))["requests"]


async def test_a_fault_may_meet_some(client: Client) -> None:
    """`match` is for those whose body holds a text."""
    usual, _ = await knock(client)
    await said(client, "webhook", "POST", {"status": 503, "match": "poison"})
    async with client.post("/webhook/x", data=b"a poisoned one") as reply:
        met = reply.status

    assert (503, usual) == (met, (await knock(client))[0])


async def test_a_fault_may_meet_a_share() -> None:
    """`share` leaves it to the die."""
    throws = iter([0.2, 0.5, 0.8])
    made = sandbox.app(["webhook"], FakeClock(NOW), die=lambda: next(throws))
    async with TestClient(TestServer(made)) as client:
        usual, _ = await knock(client)
        await said(client, "webhook", "POST", {"status": 503, "share": 0.6})

        assert [503, usual] == [(await knock(client))[0] for _ in range(2)]


async def test_one_vendor_may_stand_at_several_places() -> None:
    """`orders=webhook` is a webhook of its own, with its own faults and counts."""
    async with TestClient(TestServer(sandbox.app(["webhook", "orders=webhook"]))) as client:
        await said(client, "orders", "POST", {"status": 503})
        met, _ = await knock(client, "/orders/x")
        other, _ = await knock(client)
        await said(client, "orders", "DELETE")

        assert (503, 400) == (met, other)
        assert {"requests": 0, "taken": 0} == await said(client, "orders")
        assert {"requests": 1, "taken": 0} == await said(client, "webhook")


async def test_a_journal_may_be_kept() -> None:
    """Each request is a line of the file that is given, with the ids of what was taken as new."""
    case = next(c for c in cases_of("webhook") if c.outcomes == ["delivered"])
    journal = io.BytesIO()
    served = TestServer(sandbox.app(["orders=webhook"], FakeClock(NOW), journal))
    async with TestClient(served) as client, Sender() as sender:
        for _ in range(2):
            await play(case, sender, str(client.make_url("/orders")).rstrip("/"))
    first, second = map(orjson.loads, journal.getvalue().splitlines())

    assert ("orders", 200, NOW, ["m-001"]) == tuple(
        first[name] for name in ("place", "status", "at", "took")
    )
    assert (200, []) == (second["status"], second["took"])


@pytest.mark.parametrize("fault", [{"hang": True}, {"slow": 60.0}])
async def test_it_is_slow_on_demand(client: Client, fault: Any) -> None:
    """The answer does not come while it is waited for."""
    await said(client, "webhook", "POST", fault)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await knock(client)


async def test_other_vendors_are_not_there(client: Client) -> None:
    """A vendor that is not served is 404, with those that are."""
    assert (404, b"there are webhook") == await knock(client, "/meta/x")


async def test_the_journal_is_bounded() -> None:
    """It remembers the last thousand requests."""
    practice = sandbox.Practice("webhook")

    assert sandbox.JOURNAL == practice.journal.maxlen


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sandbox that serves for days counts all it took and remembers the latest."""
    monkeypatch.setattr(sandbox, "TAKEN", 10)
    practice = sandbox.Practice("webhook")
    counts = []
    for number in range(100):
        practice.sandbox.taken.append(Taken(f"m{number}", "u", "track"))
        counts.append(practice.taken())

    assert list(range(1, 101)) == counts
    assert len(practice.sandbox.taken) <= 20
    assert "m99" == practice.sandbox.taken[-1].id
