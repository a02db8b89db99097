"""A bus on its way to the vendor and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from destinations.conductor import Conductor
from destinations.happenings import Happenings
from destinations.ledger import page_of
from destinations.outcome import Delivered
from destinations.plan import Plan
from destinations.progress import Recovered
from destinations.scribe import Scribe
from destinations.sender import Unsent
from destinations.spec import Account, Idempotency
from destinations.station import Station
from destinations.talk import Reply, Request
from destinations.tokens import Tokens
from hub.clock import FakeClock
from hub.log import DELIVERIES
from hub.log.memory import MemoryLog
from hub.log.settings import MemoryLog as Settings
from hub.metrics import Metrics
from tests.destinations.invented import NOW, Told, action, plan, record


class Wire:
    """Answers as it is told, and sees what the ledger held when it was asked."""

    def __init__(self, log: MemoryLog, answer: Reply | Exception) -> None:
        self._log = log
        self._answer = answer
        self.ledger: list[list[str]] = []

    async def send(self, request: Request) -> Reply:
        del request
        self.ledger.append([line["outcome"] for line in await lines(self._log)])
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


async def lines(log: MemoryLog) -> Sequence[Any]:
    """What the ledger tells."""
    pages = await log.read(DELIVERIES, 0, 0, 100)
    return [line for page in pages for line in page_of(page).lines]


async def carried(of: Plan, answer: Reply | Exception) -> tuple[Wire, list[Any], MemoryLog]:
    """One event, carried."""
    clock = FakeClock(NOW)
    log = MemoryLog(Settings(partitions=1))
    tells = Happenings(Metrics(), of.name)
    station = Station(of, tells, lambda: 1.0)
    scribe = Scribe(of, log, station, tells, clock)
    account: Account[Any] = Account(Told(), clock.now)
    wire = Wire(log, answer)
    tokens = Tokens(of.name, of.vendor, account, wire, log, clock)
    conductor = Conductor(of, account, tokens, wire, station.book, scribe, tells)
    station.adopt(0, Recovered(place=0))
    station.take(0, [record(0)])
    (bus,) = station.depart(0.0, NOW).buses
    outcomes, _ = await conductor.carry(bus)
    assert NOW == bus.riders[0].first_at
    return wire, outcomes, log


@pytest.mark.parametrize(
    ("kind", "noted"),
    [(Idempotency.NONE, ["sending"]), (Idempotency.UPSERT, []), (Idempotency.NATIVE, [])],
)
async def test_a_call_that_may_not_be_repeated_is_noted_first(
    kind: Idempotency, noted: list[str]
) -> None:
    """Its intent is durable before the first byte leaves; harmless calls need none."""
    wire, outcomes, _ = await carried(plan(action(idempotency=kind)), Reply(200))

    assert [noted] == wire.ledger
    assert [Delivered()] == outcomes


async def test_what_never_left_and_what_may_have_arrived_are_told_apart() -> None:
    """Only the second leaves a doubt."""
    for reason, unknown in (("connection_refused", False), ("timeout", True)):
        _, (outcome,), _ = await carried(plan(), Unsent(reason))

        assert (reason, unknown) == (outcome.reason, outcome.unknown)
