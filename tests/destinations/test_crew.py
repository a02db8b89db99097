"""The workers of a process."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from destinations import crew
from destinations.crew import Crew
from destinations.plan import Plan
from hub.metrics import Metrics
from tests.destinations.scene import plan, until


class Hand:
    """A worker that waits; one with no patience breaks at once."""

    def __init__(self, of: Plan) -> None:
        self.plan = of
        self.done = False

    async def run(self, asked: asyncio.Event) -> None:
        if self.plan.instance.patience < 1:
            raise ZeroDivisionError
        await asked.wait()
        self.done = True

    def standing(self) -> dict[str, Any]:
        return {"backlog": self.plan.instance.max_backlog}

    def release(self) -> bool:
        return True


class Office:
    """A crew, and whom it hired."""

    def __init__(self) -> None:
        self.hired: list[Hand] = []
        self.crew = Crew(self._hire, Metrics())

    def _hire(self, of: Plan) -> Hand:
        self.hired.append(Hand(of))
        return self.hired[-1]


def named(name: str, **told: Any) -> dict[str, Plan]:
    return {name: plan("http://127.0.0.1:1/", name, **told)}


async def test_only_what_changed_is_begun_anew() -> None:
    """A changed instance is replaced, a new one begun, a missing one ended, the rest untouched."""
    office = Office()
    await office.crew.work_for({**named("a"), **named("b"), **named("c")})
    begun = await office.crew.work_for({**named("a"), **named("b", linger=1.0), **named("d")})
    names = [(hand.plan.name, hand.done) for hand in office.hired]
    await office.crew.stop()

    assert ["b", "d"] == begun
    assert [("a", False), ("b", True), ("c", True), ("b", False), ("d", False)] == names
    assert all(hand.done for hand in office.hired)
    assert {"a", "b", "d"} == set(office.crew.plans)


async def test_who_breaks_is_begun_again_and_disturbs_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With a pause between, and until the crew is stopped."""
    monkeypatch.setattr(crew, "RESTART_SECONDS", (0.001, 0.002))
    office = Office()
    await office.crew.work_for({**named("bad", patience=0.5), **named("good")})
    await until(lambda: len(office.hired) >= 5)
    await office.crew.stop()

    assert 1 == sum(hand.plan.name == "good" for hand in office.hired)


async def test_it_tells_how_each_stands_and_lets_go_of_brakes() -> None:
    """By the instance's name; an unknown name is no instance."""
    office = Office()
    await office.crew.work_for(named("a", max_backlog=7))
    stands, let_go = office.crew.standing(), office.crew.release("a")
    nobody = office.crew.release("b")
    await office.crew.stop()

    assert ({"a": {"backlog": 7}}, True, None) == (stands, let_go, nobody)
