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
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import orjson

from tests.bench import backlog, delivery, idle, ingest, table
from tests.bench.bench import Bench
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
    """Measure, print the table, write it as JSON; 1 when an event was lost."""
    asked = _options().parse_args(arguments)
    # Asked to end, it takes all that it began with it, as it does on ^C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # what ends here is meant to
    machine = _machine()
    lines = asyncio.run(_lines(asked))
    told = table.report({**machine, "load_at_end": os.getloadavg()}, lines)
    path = asked.json or HOUSE / "var" / "bench" / f"{machine['at']}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(orjson.dumps(told, option=orjson.OPT_INDENT_2))
    print(f"\n{table.drawn(told)}\n\n{_said(told['machine'])}\nWritten to {path}")
    if asked.against:
        print(f"\n{table.compared(told, orjson.loads(asked.against.read_bytes()))}")
    return 1 if any(line.lost for line in lines) else 0


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short round of everything")
    parser.add_argument("--long", action="store_true", help="a backlog of 10M events")
    parser.add_argument("--only", nargs="+", choices=GROUPS, help="these groups of lines")
    parser.add_argument("--rounds", type=int, help="alternating rounds; 5, or 1 if quick")
    parser.add_argument("--against", type=Path, help="an earlier JSON to compare with")
    parser.add_argument("--json", type=Path, help="where to write; var/bench/<time>.json otherwise")
    return parser


async def _lines(asked: argparse.Namespace) -> list[Line]:
    folder = Path(tempfile.mkdtemp(prefix="hub-bench-"))
    lines = []
    try:
        async with AsyncExitStack() as stack:
            bench = Bench(
                folder=folder,
                rounds=asked.rounds or (1 if asked.quick else 5),
                seconds=0.5 if asked.quick else 1.0,
                size=0.1 if asked.quick else 1.0,
                backlog=20_000 if asked.quick else 10_000_000 if asked.long else 1_000_000,
                stack=stack,
            )
            for name in asked.only or GROUPS:
                began = time.monotonic()
                async for line in GROUPS[name](bench):
                    lines.append(line)
                    print(f"{line.name}: {line.value:.3g} ({line.goal})", flush=True)
                print(f"-- {name} took {time.monotonic() - began:.0f} s", flush=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return lines


def _machine() -> dict[str, Any]:
    """Where and when it ran, and how busy the machine was before it began."""
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "cores": os.cpu_count(),
        "processor": platform.machine(),
        "python": platform.python_version(),
        "load_at_begin": os.getloadavg(),
    }


def _said(machine: Mapping[str, Any]) -> str:
    loads = [f"{machine[name][0]:.1f}" for name in ("load_at_begin", "load_at_end")]
    return (
        f"{machine['at']}, {machine['cores']} cores ({machine['processor']}), "
        f"Python {machine['python']}, load average {loads[0]} before and {loads[1]} after."
    )


if __name__ == "__main__":
    sys.exit(main())
