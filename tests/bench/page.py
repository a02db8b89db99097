"""`python -m tests.bench.page JSON`: a run's curves and plan, written into GROWTH.md.

What stands in the page outside the two marks is a person's, and stays.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson
from pydantic import BaseModel

from tests.bench.growth import LOAD
from tests.bench.plan import Assumed, Load, Machines, Measured, Wanted, rows, strained

PAGE = Path(__file__).with_name("GROWTH.md")
BEGIN = "<!-- measured: what is below is written by `python -m tests.bench --growth` -->"
END = "<!-- measured: end -->"

BUSY, DESTINATIONS = 50, 5
"""The points that the plan is made from: ingest at half load, and delivery to five."""

Told = Mapping[str, Any]


def curves(told: Told) -> str:
    """Each curve as a table and a plot."""
    return "\n\n".join("\n".join(_curve(one)) for one in told["growth"])


def _curve(one: Told) -> Iterator[str]:
    yield f"### {one['curve'].capitalize()}: {one['along']}\n"
    head = (one["along"], "CPU-us an event", "min", "max", "broker's us", "events/s")
    yield _table(
        head,
        (
            (
                f"{point['at']:,}",
                *(f"{point[name]:.1f}" for name in ("us", "min", "max", "store_us")),
                f"{point['events_per_second']:,.0f}",
            )
            for point in one["points"]
        ),
    )
    yield f"\n{_plot(one)}"


def _plot(one: Told) -> str:
    marks = ", ".join(f'"{_short(point["at"])}"' for point in one["points"])
    costs = [point["us"] for point in one["points"]]
    return "\n".join(
        (
            "```mermaid",
            "xychart-beta",
            f'  title "{one["curve"]}: CPU-us an event"',
            f'  x-axis "{one["along"]}" [{marks}]',
            f'  y-axis "us" 0 --> {1.2 * max(costs):.0f}',
            f"  line [{', '.join(f'{cost:.1f}' for cost in costs)}]",
            "```",
        )
    )


def _short(count: int) -> str:
    """1000000 is 1M."""
    for size, letter in ((1_000_000, "M"), (1_000, "k")):
        if count and count % size == 0:
            return f"{count // size}{letter}"
    return str(count)


def measured(told: Told) -> Measured:
    """What the plan is made from. Raises KeyError when the run did not measure it."""
    points = {
        (one["curve"], one["along"], point["at"]): point
        for one in told["growth"]
        for point in one["points"]
    }
    ingest = points["ingest, batch of 20", LOAD, BUSY]
    delivery = points["delivery", "destinations", DESTINATIONS]
    return Measured(
        ingest_us=ingest["us"],
        ingest_broker_us=ingest["store_us"],
        delivery_us=delivery["us"],
        delivery_broker_us=delivery["store_us"],
        **told["weights"],
    )


def planned(told: Told) -> str:
    """The plan, from what to what."""
    constants, wanted, assumed = measured(told), Wanted(), Assumed()
    machines = Machines(Load(constants, wanted), assumed)
    return "\n\n".join(
        (
            "### From what was measured",
            _figures(constants),
            "### For",
            _figures(wanted),
            "### On",
            f"{Assumed.__doc__}\n\n{_figures(assumed)}",
            "### It takes",
            _table(("what", "how much"), rows(machines)),
            "### And the hub's own bounds come to",
            _table(("what", "how much"), strained(machines)),
        )
    )


def _figures(figures: BaseModel) -> str:
    fields = type(figures).model_fields
    return _table(
        ("what", "how much"),
        (
            (field.description or name, _figure(getattr(figures, name)))
            for name, field in fields.items()
        ),
    )


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _table(head: Sequence[str], cells: Iterable[Sequence[str]]) -> str:
    ruler = ["---", *("---:" for _ in head[1:])]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ruler, *cells))


def machine(told: Told) -> str:
    """Where and when it ran, in a sentence."""
    where = told["machine"]
    loads = [f"{where[name][0]:.1f}" for name in ("load_at_begin", "load_at_end")]
    return (
        f"{where['at']}, {where['cores']} cores ({where['processor']}), "
        f"Python {where['python']}, load average {loads[0]} before and {loads[1]} after."
    )


def write(told: Told, path: Path = PAGE) -> None:
    """Put a run between the page's marks."""
    before, _, rest = path.read_text("utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    rounds = len(told["growth"][0]["points"][0]["values"])
    found = (
        BEGIN,
        f"{machine(told)} Rounds of each point: {rounds}.",
        f"## Curves\n\n{curves(told)}",
        f"## The plan\n\n{planned(told)}",
        END,
    )
    path.write_text(before + "\n\n".join(found) + after, "utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.page", description=__doc__)
    parser.add_argument("json", type=Path, help="what a whole run of --growth has written")
    write(orjson.loads(parser.parse_args().json.read_bytes()))


if __name__ == "__main__":
    main()
