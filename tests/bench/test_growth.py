"""Curves are measured from end to end, and nothing is lost on the way; no number is asserted."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.bench.bench import Bench
from tests.bench.growth import delivery, ingest


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    async with AsyncExitStack() as stack:
        yield Bench(tmp_path, rounds=1, seconds=0.2, size=0.02, backlog=0, stack=stack)


@pytest.mark.timeout(300)
async def test_ingest_is_measured_at_each_point(bench: Bench) -> None:
    """Events of three sources are all taken, in batches and one by one."""
    found = [one async for one in ingest(bench, "sqlite", "sources", (3,))]

    assert [(name, [3], 0) for name in ("ingest, batch of 20", "ingest, single")] == [
        (one.name, list(one.points), one.lost) for one in found
    ]


@pytest.mark.timeout(300)
async def test_delivery_is_measured_at_each_point(bench: Bench) -> None:
    """Each of two destinations gets every event."""
    found = [one async for one in delivery(bench, "sqlite", "destinations", (2,))]

    assert [([2], 0)] == [(list(one.points), one.lost) for one in found]
