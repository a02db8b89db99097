"""SIGKILL in the middle of 5,000 events: what was answered 200 is delivered, in order."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import aiohttp
import pytest

from tests.journey.hub import Hub, hub

EVENTS, PEOPLE, BATCH, CLIENTS = 5_000, 50, 20, 5


async def _client(house: Hub, number: int, accepted: list[str]) -> None:
    """One sender of its own people's events: a batch is sent again until it is answered 200."""
    mine = [n for n in range(EVENTS) if n % PEOPLE % CLIENTS == number]
    async with aiohttp.ClientSession() as session:
        for first in range(0, len(mine), BATCH):
            batch = [
                {
                    "type": "track",
                    "event": "Numbered",
                    "userId": f"u{n % PEOPLE}",
                    "messageId": f"m-{n}",
                    "properties": {"n": n},
                }
                for n in mine[first : first + BATCH]
            ]
            while not await _answered(session, house, batch):  # noqa: ASYNC110 - a client tries again
                await asyncio.sleep(0.05)
            accepted += [str(event["messageId"]) for event in batch]


async def _answered(
    session: aiohttp.ClientSession, house: Hub, batch: list[dict[str, object]]
) -> bool:
    url, body = f"{house.ingest}/v1/batch", {"writeKey": house.key, "batch": batch}
    try:
        async with session.post(url, json=body) as answer:
            return answer.status == 200
    except aiohttp.ClientError:
        return False


@pytest.mark.timeout(400)
async def test_accepted_events_survive_kills(
    log: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ingest and destinations are killed at work; nothing accepted is lost or out of order."""
    accepted: list[str] = []
    async with hub(tmp_path, log, ["webhook"]) as house:
        clients = [
            asyncio.create_task(_client(house, number, accepted)) for number in range(CLIENTS)
        ]

        async def reached(count: int) -> bool:
            return (await house.count("webhook"))["taken"] >= count

        await house.until(lambda: _true(len(accepted) >= EVENTS // 4))
        await house.end("ingest", signal.SIGKILL)
        await house.begin("ingest")
        await house.until(lambda: reached(EVENTS // 4))
        await house.end("destinations", signal.SIGKILL)
        await house.begin("destinations")
        await asyncio.gather(*clients)
        await house.end("ingest", signal.SIGKILL)
        await house.end("destinations", signal.SIGKILL)
        await house.begin("ingest")
        await house.begin("destinations")
        await house.until(lambda: reached(EVENTS), 200.0)
        taken = await house.taken("webhook")
        requests = (await house.count("webhook"))["requests"]

    delivered = [one["id"] for one in taken]
    late = 0
    last: dict[str, int] = {}
    for one in taken:
        late += one["item"]["properties"]["n"] < last.get(one["who"], -1)
        last[one["who"]] = one["item"]["properties"]["n"]
    with capsys.disabled():
        print(  # noqa: T201 - the numbers are what this test is for
            f"\naccepted {len(accepted)}, delivered {len(set(delivered))},"
            f" duplicated {requests - len(taken)}, out of order {late}"
        )

    assert EVENTS == len(accepted)
    assert set(accepted) == set(delivered)
    assert 0 == late


async def _true(value: bool) -> bool:
    return value
