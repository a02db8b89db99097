"""A worker's stint on an errand: begun, watched, and ended in order.

It is a process of its own, with half of the vendor's limits, and stops where the live lane would
wait for a person.
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from prometheus_client import Counter

from destinations.errand import Errand
from destinations.meter import Far, Meter
from destinations.plan import Plan
from destinations.sender import Sender
from destinations.settings import Delivery
from destinations.worker import Worker
from hub.clock import Clock
from hub.log import Log
from hub.metrics import Metrics

LOOK_SECONDS: Final = 0.25
"""Pause between looks at how far it is."""


@dataclass(frozen=True, slots=True)
class Stint:
    """What came of it: how many events ended how, whether all did, and how things stood."""

    delivered: int
    refused: int
    filtered: int
    done: bool
    state: str

    @property
    def status(self) -> int:
        """The exit status: 0 when nothing is left and nothing is dead."""
        return 0 if self.done and not self.refused else 1


async def work(
    plan: Plan,
    log: Log,
    errand: Errand[Any],
    delivery: Delivery,
    clock: Clock,
    asked: asyncio.Event,
    meter: Meter,
    far: Callable[[], tuple[int, int]],
) -> Stint:
    """Work until the errand is done or `asked`. `far` tells records done and in all.

    Raises what the worker raises.
    """
    metrics = Metrics()
    ended = asyncio.Event()
    async with Sender() as sender:
        worker = Worker(_unparking(plan), log, sender, metrics, clock, delivery, errand=errand)
        working = asyncio.create_task(worker.run(ended))
        try:
            while not working.done():
                state = worker.standing()["state"]
                if errand.done.is_set() or asked.is_set() or state == "braked":
                    ended.set()
                meter.show(Far(*far(), *_counts(metrics), state), clock.steady())
                await asyncio.wait([working], timeout=LOOK_SECONDS)
        finally:
            ended.set()
            await working
            meter.end()
    return Stint(*_counts(metrics), errand.done.is_set(), state)


def _unparking(plan: Plan) -> Plan:
    """The plan of a worker that parks nothing: what is parked is the live worker's."""
    quiet = copy.copy(plan)
    quiet.instance = plan.instance.model_copy(update={"park_seconds": float("inf")})
    return quiet


def _counts(metrics: Metrics) -> tuple[int, int, int]:
    """Events delivered, dead, and filtered."""
    return (
        _total(metrics.destination_delivered),
        _total(metrics.destination_dead_lettered),
        _total(metrics.destination_filtered),
    )


def _total(counter: Counter) -> int:
    samples = (sample for family in counter.collect() for sample in family.samples)
    return int(sum(sample.value for sample in samples if sample.name.endswith("_total")))
