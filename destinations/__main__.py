"""`python -m destinations`: run, and all that a person asks of destinations."""

from __future__ import annotations

import argparse
import sys
from contextlib import AsyncExitStack

from destinations import asking, auditing, letters, registry, replaying, running, sandbox, tracing
from destinations.describe import described
from destinations.opening import listening
from destinations.settings import DestinationsSettings, plans
from hub import process
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
    for command in (asking, auditing, letters, replaying, tracing):
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


if __name__ == "__main__":
    sys.exit(main())
