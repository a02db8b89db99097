"""The lines of a hub that was away for long: a log full of events beside one that was empty."""

from __future__ import annotations

from collections.abc import AsyncIterator

from tests.bench.bench import Bench
from tests.bench.delivering import delivered, filled, house, vendor, webhook
from tests.bench.reading import Goal, Line, ratios

ROWS = 1_000

PART = 40_000
"""Events of a round: the process is ended then, and the next round begins behind them."""


async def backlog(bench: Bench, kind: str) -> AsyncIterator[Line]:
    """The rate, the memory and the first delivery, of a process that finds a long backlog."""
    ours, theirs = [], []
    part = min(PART, bench.backlog // (2 * bench.rounds))
    async with vendor(bench) as taker:
        url = f"{taker.process.url}/rows"
        instances = {"rows": webhook("rows", url, batch=ROWS)}
        full, empty = house(bench, kind, instances), house(bench, kind, instances)
        await filled(bench, full, bench.backlog)
        for _ in range(bench.rounds):
            await filled(bench, empty, part)
            theirs.append(await delivered(empty, taker, part))
            ours.append(await delivered(full, taker, part))
    said = f"backlog of {bench.backlog:,}, {kind}"
    for name, beside, goal, values in (
        ("rate", "empty log", Goal(0.95, "x of its events/CPU-s"), ratios(ours, theirs)),
        ("memory", "", Goal(200.0, "MB", at_most=True), [one.memory / 1e6 for one in ours]),
        (
            "first delivery after a start",
            "",
            Goal(3.0, "s", at_most=True),
            [one.delays["first"] for one in ours],
        ),
    ):
        yield Line(
            name=f"{said}: {name}",
            beside=beside,
            goal=goal,
            values=tuple(values),
            ours=tuple(ours),
            theirs=tuple(theirs) if beside else (),
            durable=full.store.durable,
        )
