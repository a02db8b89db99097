"""`python -m destinations`: run, and all that a person asks of destinations."""

from __future__ import annotations

import argparse
import asyncio
import sys
from contextlib import AsyncExitStack

from destinations import asking, auditing, registry, running, sandbox, tracing
from destinations.deadletters import DeadLetter, open_letters
from destinations.describe import described
from destinations.opening import listening, opened
from destinations.plan import Plan
from destinations.replay import LettersReader
from destinations.sender import Sender
from destinations.settings import DestinationsSettings, plans
from destinations.worker import Worker
from hub import process
from hub.clock import SystemClock
from hub.encoding import dumps
from hub.log import DEAD_LETTERS, Log
from hub.metrics import Metrics
from hub.settings import Fault, Misconfigured, load, path_of


def main() -> int:
    """Parse the command line and do what it says; returns the exit status."""
    options = _parser().parse_args()
    process.begin_logging()
    if hasattr(options, "run"):
        return process.run(options.run(options))
    match options.command:
        case "list":
            return _list()
        case "describe":
            return _describe(options)
        case "sandbox":
            return process.run(_sandbox(options))
        case "check":
            return process.run(_check(options))
        case "deadletters":
            return process.run(_deadletters(options))
        case _:
            return process.run(running.run(options))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m destinations", description=__doc__)
    parser.add_argument("--config", help="the settings file; HUB_CONFIG or hub.toml otherwise")
    commands = parser.add_subparsers(dest="command")
    commands.add_parser("run", help="deliver, until asked to stop (the default)")
    commands.add_parser("list", help="the vendors there are")
    describe = commands.add_parser("describe", help="a vendor's settings, actions and fields")
    describe.add_argument("name", help="a vendor, or an instance of the settings file")
    commands.add_parser("check", help="read the settings and tell every fault")
    served = commands.add_parser("sandbox", help="serve vendors to practise on")
    served.add_argument("vendors", nargs="*", help="which; all if none is named")
    served.add_argument("--host", default="127.0.0.1")
    served.add_argument("--port", type=int, default=8090, help="0 takes a free one")
    letters = commands.add_parser("deadletters", help="events that were given up on")
    verbs = letters.add_subparsers(dest="verb", required=True)
    for verb, sentence in (
        ("list", "one JSON line for each open dead letter"),
        ("replay", "send open dead letters again"),
    ):
        found = verbs.add_parser(verb, help=sentence)
        found.add_argument("--destination", required=verb == "replay", help="of this instance")
        found.add_argument("--code", help="with this code")
        found.add_argument("--limit", type=int, default=100_000, help="at most so many")
        if verb == "replay":
            found.add_argument("--dry-run", action="store_true", help="count, and send nothing")
    for command in (asking, auditing, tracing):
        command.parser(commands)
    return parser


def _list() -> int:
    for name in registry.vendors():
        vendor = registry.vendor(name)
        ends = f", ends {vendor.sunset:%Y-%m-%d}" if vendor.sunset else ""
        actions = ", ".join(action.name for action in vendor.actions)
        print(f"{name:<12} {vendor.titles[0]} (API {vendor.version}{ends}): {actions}")
    return 0


def _describe(options: argparse.Namespace) -> int:
    name = options.name
    if name in registry.vendors():
        print(described(name), end="")
        return 0
    try:
        made = plans(load(DestinationsSettings, path_of(options.config)))
    except Misconfigured as error:
        print(error, file=sys.stderr)
        return 2
    if name not in made:
        known = ", ".join([*registry.vendors(), *made])
        print(f"{name}: no vendor or instance of that name; there are {known}", file=sys.stderr)
        return 2
    print(described(made[name].vendor.name, made[name]), end="")
    return 0


async def _check(options: argparse.Namespace) -> int:
    made = plans(load(DestinationsSettings, path_of(options.config)))
    for name, plan in made.items():
        state = "enabled" if plan.instance.enabled else "disabled"
        actions = ", ".join(action.name for action in plan.actions)
        print(f"{name}: {plan.vendor.name} (API {plan.vendor.version}), {state}, {actions}")
    print(f"{len(made)} destinations, no fault")
    return 0


async def _sandbox(options: argparse.Namespace) -> int:
    names = options.vendors or registry.vendors()
    unknown = sorted(set(names) - set(registry.vendors()))
    if unknown:
        known = ", ".join(registry.vendors())
        raise Misconfigured([Fault(name, f"no such vendor; there are {known}") for name in unknown])
    asked = process.asked_to_stop()
    async with AsyncExitStack() as stack:
        address = await listening(stack, sandbox.app(names), options.host, options.port)
        for name in names:
            print(f"{name}: {address}/{name}", flush=True)
        await asked.wait()
    return 0


async def _deadletters(options: argparse.Namespace) -> int:
    settings = load(DestinationsSettings, path_of(options.config))
    made = plans(settings)
    if options.destination and options.destination not in made:
        known = ", ".join(made) or "none"
        raise Misconfigured([Fault(options.destination, f"no such destination; there are {known}")])
    log = await opened(settings, asyncio.Event())
    if log is None:
        return 1
    try:
        letters: list[DeadLetter] = []
        found = open_letters(log, destination=options.destination, code=options.code)
        async for letter in found:
            if len(letters) == options.limit:
                break
            letters.append(letter)
        if options.verb == "list":
            for letter in letters:
                place = f"{letter.place.partition}:{letter.place.offset}"
                print(dumps({"letter": place, **letter.body}).decode())
            return 0
        print(f"{len(letters)} open dead letters of {options.destination}")
        if options.dry_run or not letters:
            return 0
        return await _replay(made[options.destination], log, letters, settings)
    finally:
        await log.close()


async def _replay(
    plan: Plan, log: Log, letters: list[DeadLetter], settings: DestinationsSettings
) -> int:
    """Send `letters` again; 0 when none died anew."""
    clock = SystemClock()
    metrics = Metrics()
    asked = process.asked_to_stop()
    reader = LettersReader(log, letters, clock)

    async def end() -> None:
        await reader.done.wait()
        asked.set()

    ending = asyncio.create_task(end())
    async with Sender() as sender:
        await Worker(plan, log, sender, metrics, clock, settings.delivery).run(asked, reader)
    ending.cancel()
    again = _total(metrics, "destination_dead_lettered_total")
    sent = _total(metrics, "destination_delivered_total")
    left = len(letters) - reader.settled
    print(f"{sent:.0f} delivered, {again:.0f} dead again, {left} left in {DEAD_LETTERS}")
    return 1 if again or left else 0


def _total(metrics: Metrics, name: str) -> float:
    samples = (s for m in metrics.registry.collect() for s in m.samples)
    return sum(sample.value for sample in samples if sample.name == name)


if __name__ == "__main__":
    sys.exit(main())
