"""A slice of the fault suite for every day: a few scenarios, small; `make faults` runs all."""

from __future__ import annotations

import pytest

from tests.faults.scenarios import SCENARIOS
from tests.faults.suite import run
from tests.faults.table import cells, faults

SEED = 1
EVENTS = 300


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("all-killed", "sqlite"),
        ("vendor-closes", "sqlite"),
        pytest.param("both-killed", "kafka", marks=pytest.mark.kafka),
        pytest.param("broker-killed", "kafka", marks=pytest.mark.kafka),
    ],
)
async def test_nothing_is_lost(
    name: str,
    kind: str,
    request: pytest.FixtureRequest,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What breaks in this scenario costs no event, no order, and no vendor that knows our ids a
    repetition; and the ledger balances.
    """
    broker = request.getfixturevalue("own_broker") if kind == "kafka" else None
    line = await run(name, SCENARIOS[name], SEED, kind, broker, rounds=1, count=EVENTS)
    with capsys.disabled():
        print("\n" + " | ".join(cells(line)))  # noqa: T201 - the numbers are what this is for

    assert line.sound, faults(line)
