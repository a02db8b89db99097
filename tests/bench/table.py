"""The table that a bench ends with, its JSON, and what changed since an earlier one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

COLUMNS = (
    "line",
    "beside",
    "goal",
    "median",
    "min",
    "max",
    "met",
    "events/s",
    "events/CPU-s",
    "beside's",
    "store us",
    "load us",
    "lost",
    "durability",
    "note",
)
NUMBERS = range(3, 13)
"""The columns of numbers, which stand to the right."""


def drawn(told: Mapping[str, Any]) -> str:
    """The table of a report, as Markdown."""
    return _drawn([COLUMNS, *(cells(line) for line in told["lines"])])


def cells(line: Mapping[str, Any]) -> list[str]:
    """A line's cells; CPU of store and load in microseconds an event."""
    ours, theirs = line["ours"], line["theirs"]
    return [
        line["line"],
        line["beside"] or "-",
        line["goal"],
        *(_figure(line[name]) for name in ("median", "min", "max")),
        "yes" if line["met"] else "NO",
        _count(ours.get("events_per_second")),
        _count(ours.get("events_per_cpu_second")),
        _count(theirs.get("events_per_cpu_second")),
        _figure(ours.get("store_us_per_event", 0.0)),
        _figure(ours.get("load_us_per_event", 0.0)),
        str(line["lost"]),
        line["durable"] or "-",
        line["note"],
    ]


def compared(now: Mapping[str, Any], then: Mapping[str, Any]) -> str:
    """Each line that both reports have, and by how much its median changed."""
    earlier = {(line["line"], line["beside"]): line for line in then["lines"]}
    rows: list[Sequence[str]] = [("line", "beside", "goal", "then", "now", "change")]
    for line in now["lines"]:
        before = earlier.get((line["line"], line["beside"]))
        if before is None:
            continue
        change = line["median"] / before["median"] - 1 if before["median"] else 0.0
        told = (_figure(before["median"]), _figure(line["median"]), f"{change:+.1%}")
        rows.append((line["line"], line["beside"] or "-", line["goal"], *told))
    return _drawn(rows)


def _figure(value: float) -> str:
    """Three digits that mean something."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _count(value: float | None) -> str:
    return "-" if not value else f"{value:,.0f}"


def _drawn(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[n]) for row in rows) for n in range(len(rows[0]))]
    ruler = [
        "-" * (width - 1) + ":" if n in NUMBERS else "-" * width for n, width in enumerate(widths)
    ]
    return "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in (rows[0], ruler, *rows[1:])
    )
