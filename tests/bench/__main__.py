"""`python -m tests.bench`: what the hub costs beside the bare libraries, as one table of ratios."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import platform
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import orjson

from tests.bench import backlog, delivery, idle, ingest, page, table
from tests.bench.bench import Bench
from tests.bench.growth import CURVES, weighed
from tests.bench.processes import HOUSE
from tests.bench.reading import Line

GROUPS: Mapping[str, Callable[[Bench], AsyncIterator[Line]]] = {
    "ingest-kafka": ingest.kafka,
    "ingest-sqlite": ingest.sqlite,
    "workers": ingest.workers,
    "latency-kafka": partial(ingest.latency, kind="kafka"),
    "latency-sqlite": partial(ingest.latency, kind="sqlite"),
    "keyed": delivery.keyed,
    "instant": delivery.instant,
    "bulk": delivery.bulk,
    "through-kafka": partial(delivery.through, kind="kafka"),
    "through-sqlite": partial(delivery.through, kind="sqlite"),
    "filtered": delivery.filtered,
    "ten": delivery.ten,
    "backlog-kafka": partial(backlog.backlog, kind="kafka"),
    "backlog-sqlite": partial(backlog.backlog, kind="sqlite"),
    "idle-kafka": partial(idle.idle, kind="kafka"),
    "idle-sqlite": partial(idle.idle, kind="sqlite"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print tables, write them as JSON; 1 when an event was lost."""
    asked = _asked(arguments)
    # Asked to end, it takes all that it began with it, as it does on ^C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # what ends here is meant to
    machine = _machine()
    found = asyncio.run(_measured(asked))
    told = {"version": 1, "machine": {**machine, "load_at_end": os.getloadavg()}, **found}
    path = asked.json or HOUSE / "var" / "bench" / f"{machine['at']}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(orjson.dumps(told, option=orjson.OPT_INDENT_2))
    drawn = table.drawn(told) if asked.growth is None else page.curves(told)
    print(f"\n{drawn}\n\n{page.machine(told)}\nWritten to {path}")
    if asked.against:
        print(f"\n{table.compared(told, orjson.loads(asked.against.read_bytes()))}")
    if "weights" in told and not asked.quick:
        page.write(told)
        print(f"Written into {page.PAGE}")
    return 1 if any(one["lost"] for one in (*told["lines"], *told["growth"])) else 0


def _asked(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short round of everything")
    parser.add_argument("--long", action="store_true", help="a backlog of 10M events")
    parser.add_argument("--only", nargs="+", choices=GROUPS, help="these groups of lines")
    parser.add_argument(
        "--growth", nargs="*", choices=CURVES, help="curves instead; all, with the plan, if none"
    )
    parser.add_argument("--rounds", type=int, help="alternating rounds; 5, 3 of growth, 1 if quick")
    parser.add_argument("--against", type=Path, help="an earlier JSON to compare with")
    parser.add_argument("--json", type=Path, help="where to write; var/bench/<time>.json otherwise")
    asked = parser.parse_args(arguments)
    if asked.growth is not None and (asked.only or asked.against):
        parser.error("--growth goes with neither --only nor --against: it has curves, not lines")
    return asked


async def _measured(asked: argparse.Namespace) -> dict[str, Any]:
    """Lines or curves, as JSON keeps them; what they left behind is deleted."""
    folder = Path(tempfile.mkdtemp(prefix="hub-bench-"))
    usual = 5 if asked.growth is None else 3
    try:
        async with AsyncExitStack() as stack:
            bench = Bench(
                folder=folder,
                rounds=asked.rounds or (1 if asked.quick else usual),
                seconds=0.2 if asked.quick else 1.0,
                size=0.1 if asked.quick else 1.0,
                backlog=20_000 if asked.quick else 10_000_000 if asked.long else 1_000_000,
                stack=stack,
            )
            if asked.growth is None:
                names, at_once = asked.only or GROUPS, 2 if asked.quick else 1
                return {"lines": await _lines(bench, names, at_once), "growth": []}
            found = {"lines": [], "growth": await _curves(bench, asked.growth or CURVES)}
            return found if asked.growth else {**found, "weights": await weighed(bench)}
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def _lines(bench: Bench, names: Iterable[str], at_once: int) -> list[dict[str, Any]]:
    """The lines of these groups; what is measured `at_once` with others says only that it works."""
    turns = asyncio.Semaphore(at_once)

    async def measured(name: str) -> list[dict[str, Any]]:
        lines = []
        async with turns:
            began = time.monotonic()
            async for line in GROUPS[name](bench):
                lines.append(line.told())
                print(f"{line.name}: {line.value:.3g} ({line.goal})", flush=True)
            _took(name, began)
        return lines

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(measured(name)) for name in names]
    return [line for task in tasks for line in task.result()]


async def _curves(bench: Bench, names: Iterable[str]) -> list[dict[str, Any]]:
    curves = []
    for name in names:
        began = time.monotonic()
        async for curve in CURVES[name](bench, "kafka"):
            curves.append(told := curve.told())
            costs = ", ".join(f"{point['us']:.3g}" for point in told["points"])
            print(f"{curve.name}, {curve.along}: {costs} us", flush=True)
        _took(name, began)
    return curves


def _took(name: str, began: float) -> None:
    print(f"-- {name} took {time.monotonic() - began:.0f} s", flush=True)


def _machine() -> dict[str, Any]:
    """Where and when it ran, and how busy the machine was before it began."""
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "cores": os.cpu_count(),
        "processor": platform.machine(),
        "python": platform.python_version(),
        "load_at_begin": os.getloadavg(),
    }


if __name__ == "__main__":
    sys.exit(main())
