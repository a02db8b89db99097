"""The workers of a process: one for each enabled instance, begun again when it breaks.

When the settings of an instance change, its worker is replaced; the others never notice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from destinations.happenings import Happenings
from destinations.plan import Plan
from hub.metrics import Metrics

RESTART_SECONDS = (1.0, 60.0)
"""The first and the longest pause before an instance that broke is begun again."""


class Works(Protocol):
    """What a crew is made of: a `Worker`."""

    async def run(self, asked: asyncio.Event) -> None: ...

    def standing(self) -> dict[str, Any]: ...

    def release(self) -> bool: ...


@dataclass(eq=False)
class _Hand:
    plan: Plan
    worker: Works
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None


class Crew:
    """Works for a set of plans until it is stopped."""

    def __init__(self, hire: Callable[[Plan], Works], metrics: Metrics) -> None:
        self._hire = hire
        self._metrics = metrics
        self._hands: dict[str, _Hand] = {}
        self._plans: dict[str, Plan] = {}

    @property
    def plans(self) -> Mapping[str, Plan]:
        """What is worked for now; it changes with the settings."""
        return self._plans

    async def work_for(self, plans: Mapping[str, Plan]) -> list[str]:
        """Work for these plans from now on; returns the names of those that were begun.

        An instance whose settings are what they were goes on undisturbed.
        """
        ends = [
            name
            for name, hand in self._hands.items()
            if name not in plans or plans[name].instance != hand.plan.instance
        ]
        await asyncio.gather(*(self._end(name) for name in ends))
        begins = [name for name in plans if name not in self._hands]
        for name in begins:
            hand = self._hands[name] = _Hand(plans[name], self._hire(plans[name]))
            hand.task = asyncio.create_task(self._working(hand), name=name)
        self._plans.clear()
        self._plans.update(plans)
        return begins

    def standing(self) -> dict[str, dict[str, Any]]:
        """How each instance stands."""
        return {name: hand.worker.standing() for name, hand in self._hands.items()}

    def release(self, name: str) -> bool | None:
        """Let go of an instance's brake; whether it was on, None if there is no such instance."""
        hand = self._hands.get(name)
        return None if hand is None else hand.worker.release()

    async def stop(self) -> None:
        """Hear out what is in flight, commit, and let go, all at once."""
        await asyncio.gather(*(self._end(name) for name in list(self._hands)))

    async def _end(self, name: str) -> None:
        hand = self._hands[name]
        hand.asked.set()
        if hand.task is not None:
            await hand.task
        del self._hands[name]

    async def _working(self, hand: _Hand) -> None:
        pause, most = RESTART_SECONDS
        while not hand.asked.is_set():
            try:
                await hand.worker.run(hand.asked)
            except Exception as error:
                Happenings(self._metrics, hand.plan.name).broke("worker", error)
                try:
                    async with asyncio.timeout(pause):
                        await hand.asked.wait()
                except TimeoutError:
                    pause = min(pause * 2, most)
                    hand.worker = self._hire(hand.plan)
