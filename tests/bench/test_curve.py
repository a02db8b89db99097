"""A curve goes along its points in rounds, and tells the median of each."""

from __future__ import annotations

from tests.bench.curve import curve
from tests.bench.reading import Reading


async def test_points_alternate() -> None:
    """Every round goes along all points, so that each meets the same machine."""
    met = []

    async def at(point: int) -> Reading:
        met.append(point)
        return Reading(100, 1.0, 0.1)

    await curve("ingest", "users", (1, 10), at, rounds=2)

    assert [1, 10, 1, 10] == met


async def test_a_point_tells_the_median_of_its_rounds() -> None:
    """Costs are CPU-microseconds an event; what was lost or refused anywhere is told."""
    readings = iter([Reading(100, 1.0, spent, lost=1) for spent in (0.1, 0.4, 0.2)])

    async def at(_: int) -> Reading:
        return next(readings)

    told = (await curve("ingest", "users", (1,), at, rounds=3)).told()
    (point,) = told["points"]

    assert (3, 1_000.0, 2_000.0, 4_000.0) == (
        told["lost"],
        *(point[name] for name in ("min", "us", "max")),
    )
