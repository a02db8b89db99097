"""The audit of the ledger."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from destinations.audit import GROUP, Audit
from destinations.happenings import AuditHappenings
from hub.log import DELIVERIES, EVENTS, Entry
from tests.destinations.ledgers import Ledgers
from tests.destinations.scene import sample


class Scene(Ledgers):
    """A ledger and who audits it."""

    def audit(self) -> Audit:
        tells = AuditHappenings(self.metrics, ["crm"])
        return Audit(self.log, ["crm"], tells, self.clock)

    @property
    def difference(self) -> float:
        return sample(self.metrics, "destination_ledger_difference", destination="crm")

    async def places(self) -> list[int]:
        """What the audit has committed of the partitions."""
        (status,) = [s for s in await self.log.status() if s.stream == DELIVERIES]
        return list(status.groups.get(GROUP, {}).values())


async def _look(audit: Audit) -> None:
    """Read all pages and look twice: places are settled a look after they were seen."""
    for _ in range(2):
        while await audit.take(0.0):
            pass
        await audit.look()


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    made = Scene(tmp_path)
    yield made
    await made.index.close()


@pytest.fixture
async def audit(scene: Scene) -> AsyncIterator[Audit]:
    made = scene.audit()
    await _look(made)
    yield made
    await made.close()


async def test_what_is_told_is_no_difference(scene: Scene, audit: Audit) -> None:
    """Delivered, filtered, refused, expired and parked are all accounted for."""
    places = await scene.accept(*"abcdef")
    await scene.page("delivered", places[0])
    await scene.filtered("filtered_by_rules", *places[1:3])
    await scene.page("refused", places[3], code="invalid")
    await scene.page("expired", places[4], code="expired")
    await scene.page("parked", places[5], parked=0)
    await scene.commit(6)
    await _look(audit)

    assert 0 == scene.difference


async def test_what_is_passed_over_is_counted(scene: Scene, audit: Audit) -> None:
    """Once, although it is looked at again and again; a failed attempt is no end."""
    places = await scene.accept("ada", "bob", "cleo")
    await scene.page("delivered", places[0])
    await scene.page("failed", places[1])
    await scene.commit(3)
    await _look(audit)
    await _look(audit)

    assert 2 == scene.difference


async def test_what_is_not_passed_is_owed_nothing(scene: Scene, audit: Audit) -> None:
    """What an instance has not finished is pending, and no difference."""
    await scene.accept("ada", "bob")
    await _look(audit)

    assert 0 == scene.difference


async def test_a_replay_ends_nothing(scene: Scene, audit: Audit) -> None:
    """The instance's own work has to be told of, whatever a replay did."""
    (place,) = await scene.accept("ada")
    await scene.page("delivered", place, replay="july")
    await scene.commit(1)
    await _look(audit)

    assert 1 == scene.difference


async def test_what_is_no_event_is_not_missed(scene: Scene, audit: Audit) -> None:
    """A record that no ingest of ours wrote has no line."""
    await scene.log.append(EVENTS, [Entry(b"k", b"?")])
    await scene.commit(1)
    await _look(audit)

    assert 0 == scene.difference


async def test_what_was_before_is_not_judged(scene: Scene) -> None:
    """A log that had no ledger yet is not accused of its past."""
    await scene.accept("ada")
    await scene.commit(1)
    audit = scene.audit()
    await _look(audit)
    await audit.close()

    assert 0 == scene.difference


async def test_another_process_goes_on(scene: Scene) -> None:
    """What was told before the audit moved still counts, and what was not is still found."""
    first = scene.audit()
    await _look(first)
    places = await scene.accept(*"abcd")
    await scene.page("delivered", *places[:2])
    await _look(first)
    await first.close()
    await scene.page("delivered", places[3])
    await scene.commit(4)
    second = scene.audit()
    await _look(second)
    await second.close()

    assert 1 == scene.difference


async def test_it_moves_on(scene: Scene, audit: Audit) -> None:
    """Once all have passed, a restart need not read the old pages again."""
    for number in range(5):
        (place,) = await scene.accept("ada", first=number)
        await scene.page("delivered", place)
        await scene.commit(number + 1)
        await _look(audit)

    assert await scene.places() > [2]
    assert 0 == scene.difference


async def test_it_runs_until_it_is_cancelled(scene: Scene) -> None:
    """And leaves its group, so that another has the partitions at once."""
    task = asyncio.create_task(scene.audit().run())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    heir = await scene.log.open_reader(DELIVERIES, GROUP)

    assert {0} == heir.partitions
