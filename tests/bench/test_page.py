"""A run is written between the page's marks, with its plots and its plan, and nothing else is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.bench.growth import LOAD
from tests.bench.page import BEGIN, END, PAGE, measured, write

POINT = {
    "values": [1.0, 20.0, 50.0],
    "min": 1.0,
    "max": 50.0,
    "store_us": 4.0,
    "events_per_second": 1_000.0,
}
TOLD: dict[str, Any] = {
    "machine": {
        "at": "2026-11-22T12:00:00Z",
        "cores": 2,
        "processor": "x86_64",
        "python": "3.11.7",
        "load_at_begin": [1.0, 1.0, 1.0],
        "load_at_end": [1.0, 1.0, 1.0],
    },
    "growth": [
        {
            "curve": "ingest, batch of 20",
            "along": LOAD,
            "points": [{"at": 50, "us": 30.0, **POINT}, {"at": 1_000_000, "us": 20.0, **POINT}],
        },
        {
            "curve": "delivery",
            "along": "destinations",
            "points": [{"at": 5, "us": 40.0, **POINT}],
        },
    ],
    "weights": {"event_bytes": 1_500.0, "ledger_bytes": 100.0, "index_bytes": 50.0},
}


def _written(tmp_path: Path, before: str) -> str:
    path = tmp_path / "GROWTH.md"
    path.write_text(before, "utf-8")
    write(TOLD, path)
    return path.read_text("utf-8")


def test_what_a_person_wrote_stays(tmp_path: Path) -> None:
    """Before and after the marks nothing changes, and an older run is gone."""
    page = _written(tmp_path, f"# Growth\n{BEGIN}\nolder\n{END}\nafterwards\n")

    assert ("# Growth\n", "\nafterwards\n", False) == (
        page.partition(BEGIN)[0],
        page.partition(END)[2],
        "older" in page,
    )


def test_each_curve_is_a_plot(tmp_path: Path) -> None:
    """The plot has the points' medians in their order, and room above the highest."""
    page = _written(tmp_path, f"{BEGIN}{END}")

    assert (
        'x-axis "% of the most" ["50", "1M"]\n  y-axis "us" 0 --> 36\n  line [30.0, 20.0]' in page
    )


def test_the_plan_is_made_from_the_run() -> None:
    """Ingest counts at half load, delivery at five destinations, sizes as they were weighed."""
    found = measured(TOLD)

    assert (30.0, 40.0, 1_500.0) == (found.ingest_us, found.delivery_us, found.event_bytes)


def test_the_page_has_its_marks() -> None:
    """The page that is in the tree can be written into."""
    page = PAGE.read_text("utf-8")

    assert page.index(BEGIN) < page.index(END)
