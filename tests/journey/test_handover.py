"""Processes that deliver join, leave and are killed at work: each event arrives, each in order."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import aiohttp
import pytest

from tests.journey.hub import Hub, hub

EVENTS, CLIENTS, PEOPLE, BATCH = 2_000, 4, 10, 20

# Seconds that the vendor takes for a request: long enough that at every moment some are on the way.
SLOW = 0.05

# Events that wait while processes come and go: enough that each handover is one at work.
WAITING = 300


class Senders:
    """Clients that send numbered events of their own people for as long as they are told to."""

    def __init__(self, house: Hub) -> None:
        self._house = house
        self.accepted: list[str] = []
        self.enough = asyncio.Event()

    async def run(self) -> None:
        """Send until it is enough, and at least EVENTS."""
        async with aiohttp.ClientSession() as session:
            await asyncio.gather(*(self._client(session, n) for n in range(CLIENTS)))

    async def _client(self, session: aiohttp.ClientSession, client: int) -> None:
        first = 0
        while first < EVENTS // CLIENTS or not self.enough.is_set():
            batch = [
                {
                    "type": "track",
                    "event": "Numbered",
                    "userId": f"u{client}-{n % PEOPLE}",
                    "messageId": f"m-{client}-{n}",
                    "properties": {"n": n},
                }
                for n in range(first, first + BATCH)
            ]
            url, body = (
                f"{self._house.ingest}/v1/batch",
                {
                    "writeKey": self._house.key,
                    "batch": batch,
                },
            )
            async with session.post(url, json=body) as answer:
                assert 200 == answer.status
            self.accepted += [str(event["messageId"]) for event in batch]
            first += BATCH
            await self._house.until(self._few_wait)

    async def _few_wait(self) -> bool:
        return len(self.accepted) - (await self._house.count("webhook"))["taken"] < WAITING


@pytest.mark.timeout(300)
async def test_a_handover_loses_nothing(
    log: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """While a second process joins and leaves, and a third joins and is killed, every accepted
    event is delivered, and first deliveries of each person are in order.
    """
    if "kafka" in log:
        log += "\nsession_timeout = 3.0"  # who was killed is missed soon
    async with hub(tmp_path, log, ["webhook"]) as house:

        async def delivers(base: str, more_than: int) -> bool:
            counted = await house.total(base, "destination_delivered_total", destination="webhook")
            return counted > more_than

        await house.ask("webhook", slow=SLOW)
        senders = Senders(house)
        sending = asyncio.create_task(senders.run())
        await house.until(lambda: delivers(house.delivery, 100))
        second = await house.join("second")
        await house.until(lambda: delivers(second, 100))
        status = await house.end("second", signal.SIGTERM)
        third = await house.join("third")
        await house.until(lambda: delivers(third, 100))
        await house.end("third", signal.SIGKILL)
        senders.enough.set()
        await sending
        await house.ask("webhook")

        async def all_taken() -> bool:
            return (await house.count("webhook"))["taken"] >= len(senders.accepted)

        await house.until(all_taken)
        taken = await house.taken("webhook")
        requests = (await house.count("webhook"))["requests"]
        said = house.said("second")

    late = 0
    last: dict[str, int] = {}
    for one in taken:
        number = one["item"]["properties"]["n"]
        late += number < last.get(one["who"], -1)
        last[one["who"]] = number
    delivered = [one["id"] for one in taken]
    with capsys.disabled():
        print(  # noqa: T201 - the numbers are what this test is for
            f"\naccepted {len(senders.accepted)}, delivered {len(set(delivered))},"
            f" duplicated {requests - len(taken)}, out of order {late}"
        )

    assert EVENTS <= len(senders.accepted)
    assert set(senders.accepted) == set(delivered)
    assert len(set(delivered)) == len(delivered)
    assert 0 == late
    assert 0 == status, said
