"""`python -m tests.faults [SCENARIO]`: breaks a hub in every way, and ends with a table."""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace

from tests.faults import table
from tests.faults.play import Line, Scenario
from tests.faults.scenarios import SCENARIOS
from tests.faults.suite import Logs, run
from tests.kafka.broker import missing_tools

COMPARED = ("all-alive", "dead-destination")


def main() -> int:
    """Run what was asked for; 1 when a promise was broken."""
    options = _options()
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # what fails here is meant to
    lines: list[Line] = []
    logs = Logs()
    try:
        for name in options.scenario or SCENARIOS:
            kind = options.log or SCENARIOS[name].log[0]
            if reason := _impossible(SCENARIOS[name], kind):
                print(f"{name} is left out: {reason}")
                continue
            for seed in options.seed or range(1, options.seeds + 1):
                lines.append(asyncio.run(_line(name, kind, seed, logs, options)))
                print(" | ".join(table.cells(lines[-1])), flush=True)
                if not lines[-1].sound:
                    print(table.faults(lines[-1]), flush=True)
    finally:
        logs.close()
        print("\n" + table.table(lines))
        for alive, dead in _compared(lines):
            told = table.comparison(alive, dead)
            print(f"\nFrom received to taken, seed {alive.seed}:\n\n{told}")
    return 0 if all(line.sound for line in lines) else 1


def _options() -> argparse.Namespace:
    told = "\n".join(f"  {name:<18}{one.sentence}" for name, one in SCENARIOS.items())
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults",
        description=__doc__,
        epilog=f"scenarios:\n{told}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "scenario",
        nargs="*",
        metavar="SCENARIO",
        choices=[[], *SCENARIOS],
        help="all if none is named",
    )
    parser.add_argument("--seed", type=int, action="append", help="this seed, and no other")
    parser.add_argument("--seeds", type=int, default=2, help="seeds of each, from 1 on")
    parser.add_argument("--log", default="", help="kafka or sqlite; each scenario's own otherwise")
    parser.add_argument("--count", type=int, help="so many events, or rebalances")
    parser.add_argument("--rate", type=float, help="events in a second")
    parser.add_argument("--seconds", type=float, help="how long what is timed lasts")
    return parser.parse_args()


def _impossible(scenario: Scenario, kind: str) -> str:
    """Why the scenario cannot be run here; empty if it can."""
    if kind not in scenario.log:
        return f"it is about {scenario.log[0]}"
    if scenario.linux and sys.platform != "linux":
        return "it needs Linux"
    missing = missing_tools() if kind != "sqlite" else []
    return f"a Kafka broker needs {' and '.join(missing)}" if missing else ""


async def _line(name: str, kind: str, seed: int, logs: Logs, options: argparse.Namespace) -> Line:
    scenario = SCENARIOS[name]
    if options.rate:
        scenario = replace(scenario, shape=replace(scenario.shape, rate=options.rate))
    broker = logs.broker(kind)
    return await run(
        name, scenario, seed, kind, broker, count=options.count, seconds=options.seconds
    )


def _compared(lines: Sequence[Line]) -> Iterator[tuple[Line, Line]]:
    """The runs with a dead destination, each behind the run without."""
    for alive in lines:
        for dead in lines:
            if (alive.scenario, dead.scenario, alive.seed) == (*COMPARED, dead.seed):
                yield alive, dead


if __name__ == "__main__":
    sys.exit(main())
