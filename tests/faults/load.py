"""Clients that send numbered events over every ingest, by a die, and retry as an SDK does."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from tests.faults.checker import Sent

CLIENTS = 4
BATCH = 10
PATIENCE = aiohttp.ClientTimeout(total=10.0)

# Seconds. An SDK waits up to a minute; these have to be done with a scenario.
FIRST_WAIT, LONGEST_WAIT = 0.05, 1.0

HOT = "hot"
POISON = "-poison"
"""What the id of a poisoned event ends in, and thereby its body."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What the load is like; `rate` in events a second over all clients.

    `hot`: the share of events that one user has. `poison`: one of so many events is poisoned; none
    if 0. `again`: the share of batches that are sent once more to another ingest; half of these at
    the same time, half later, when they are answered.
    """

    rate: float = 150.0
    users: int = 40
    hot: float = 0.0
    poison: int = 0
    again: float = 0.0


@dataclass(slots=True)
class Load:
    """Sends from `begin` until `enough` is set and at least `least` events are accepted."""

    hosts: Sequence[str]
    key: str
    seed: int
    shape: Shape
    least: int
    sent: dict[str, Sent] = field(default_factory=dict)
    answers: dict[str, int] = field(default_factory=dict)
    accepted: int = 0
    enough: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        """Send until it is enough; returns when each client has its last answer."""
        async with aiohttp.ClientSession(timeout=PATIENCE) as session, asyncio.TaskGroup() as group:
            for number in range(CLIENTS):
                group.create_task(_Client(self, session, number).run())

    @property
    def done(self) -> bool:
        return self.enough.is_set() and self.accepted >= self.least

    def take_note(self, batch: Sequence[Mapping[str, Any]]) -> None:
        """A client has read the 200 for this batch."""
        now = time.time()
        for event in batch:
            told = self.sent[event["messageId"]]
            if told.accepted is None:
                self.accepted += 1
                self.sent[event["messageId"]] = Sent(told.user, told.number, now, told.poison)


class _Client:
    """One sender, of users that are its own: a batch of its is answered before the next begins."""

    def __init__(self, load: Load, session: aiohttp.ClientSession, number: int) -> None:
        self._load = load
        self._session = session
        self._die = random.Random(f"{load.seed}-{number}")
        self._users = [f"u{n}" for n in range(load.shape.users) if n % CLIENTS == number]
        # The first client has the hot user, and with it that share of all events.
        hot = load.shape.hot
        self._hot = hot * CLIENTS / (hot * CLIENTS + 1 - hot) if number == 0 else 0.0
        self._rate = load.shape.rate * ((1 - hot) / CLIENTS + (hot if number == 0 else 0.0))
        self._numbers: dict[str, int] = {}
        self._count = 0
        self._later: list[asyncio.Task[None]] = []

    async def run(self) -> None:
        due = time.monotonic()
        while not self._load.done:
            batch = [self._event() for _ in range(self._die.randint(1, 2 * BATCH - 1))]
            await self._send(batch)
            due = max(due + len(batch) / self._rate, time.monotonic() - 1.0)
            await asyncio.sleep(due - time.monotonic())
        await asyncio.gather(*self._later)

    async def _send(self, batch: list[dict[str, Any]]) -> None:
        """Until it is answered; by the die once more, at the same time or later."""
        host = self._die.randrange(len(self._load.hosts))
        fate = self._die.random()
        if fate < self._load.shape.again / 2:
            await asyncio.gather(self._insist(batch, host), self._insist(batch, host + 1))
            return
        await self._insist(batch, host)
        if fate < self._load.shape.again:
            self._later.append(asyncio.create_task(self._insist(batch, host + 1)))

    async def _insist(self, batch: list[dict[str, Any]], host: int) -> None:
        """Send the same batch again, to one ingest after the other, until one has answered 200."""
        wait = FIRST_WAIT
        while True:
            status, after = await self._ask(batch, self._load.hosts[host % len(self._load.hosts)])
            self._load.answers[status] = self._load.answers.get(status, 0) + 1
            if status == "200":
                self._load.take_note(batch)
                return
            host += 1
            await asyncio.sleep(min(max(after, wait * self._die.uniform(0.5, 1)), LONGEST_WAIT))
            wait = min(2 * wait, LONGEST_WAIT)

    async def _ask(self, batch: list[dict[str, Any]], host: str) -> tuple[str, float]:
        """What was answered, and after how many seconds we are wished back."""
        body = {"writeKey": self._load.key, "batch": batch}
        try:
            async with self._session.post(f"{host}/v1/batch", json=body) as answer:
                after = answer.headers.get("retry-after", "0")
                told = await answer.json()
                if told.get("rejected"):
                    raise AssertionError(f"ingest rejected an event of the load: {told}")
                return str(answer.status), float(after)
        except (aiohttp.ClientError, TimeoutError) as error:
            return type(error).__name__, 0.0

    def _event(self) -> dict[str, Any]:
        user = HOT if self._die.random() < self._hot else self._die.choice(self._users)
        number = self._numbers[user] = self._numbers.get(user, -1) + 1
        self._count += 1
        poison = self._load.shape.poison and self._count % self._load.shape.poison == 0
        identity = f"{user}-{number}{POISON if poison else ''}"
        self._load.sent[identity] = Sent(user, number, None, bool(poison))
        return {
            "type": "track",
            "event": "Order Completed",
            "userId": user,
            "messageId": identity,
            "context": {
                "traits": {"email": f"{user}@shop.example"},
                "userAgent": "Mozilla/5.0 (X11; Linux x86_64)",
                "page": {"url": "https://shop.example/checkout"},
            },
            "properties": {"order_id": identity, "total": 9.9, "currency": "EUR"},
        }
