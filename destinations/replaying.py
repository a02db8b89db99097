"""The command `replay`: a range of the log, sent once more to one destination."""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Final

from destinations.claim import Taken, held
from destinations.deadletters import open_letters, settle
from destinations.meter import Meter
from destinations.opening import opened
from destinations.plan import Plan
from destinations.rehearsal import rehearsed, skipped, told
from destinations.replay import Range, is_settled, replay, surveyed
from destinations.selection import Selection, add_arguments, selection_of
from destinations.settings import DestinationsSettings, plans
from destinations.stint import Stint, work
from hub import process
from hub.clock import SystemClock, iso
from hub.log import Log, LogError, Place
from hub.settings import Fault, Misconfigured, load, path_of

RATE: Final = 50.0
"""Events a second, if nobody says otherwise: what any vendor bears beside its daily work."""

NICE: Final = 10
"""How much the live lane's processes go before this one."""

_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")


def parser(commands: Any) -> None:
    """`replay` and its words."""
    found = commands.add_parser("replay", help="send a range of the log to a destination again")
    found.add_argument("--destination", required=True, metavar="NAME", help="to this instance")
    add_arguments(found, "appended to the log")
    found.add_argument(
        "--all", action="store_true", help="also what was delivered before; see --dry-run first"
    )
    found.add_argument("--yes", action="store_true", help="also what the vendor would count twice")
    found.add_argument("--name", help="of this replay; the same one again goes on where it ended")
    add_pace(found)
    found.set_defaults(run=run)


def add_pace(found: argparse.ArgumentParser) -> None:
    """`--rate` and `--dry-run`."""
    found.add_argument(
        "--rate", type=rate, default=RATE, metavar="N", help=f"events a second; {RATE:.0f} if unset"
    )
    found.add_argument("--dry-run", action="store_true", help="count, and send nothing")


def rate(text: str) -> float:
    """Events a second, as `50` or `50/s`. Raises ValueError."""
    found = float(text.removesuffix("/s"))
    if not 0 < found < float("inf"):
        raise ValueError("a rate is more than nothing")
    return found


async def run(options: argparse.Namespace) -> int:
    """0 when all that was chosen is delivered or filtered, 1 when something is left or dead."""
    clock = SystemClock()
    now = int(clock.now() * 1000) / 1000  # as it can be said again
    selection = selection_of(options, now)
    settings = load(DestinationsSettings, path_of(options.config))
    plan = plan_of(settings, options.destination)
    name = options.name or name_of(plan.name, now)
    _check(options, plan, selection, name, now)
    asked = process.asked_to_stop()
    async with AsyncExitStack() as stack:
        log = await stack.enter_async_context(log_of(settings, asked))
        if not options.dry_run:
            await stack.enter_async_context(
                held(log, f"replay {name} of {plan.name}", clock, asked)
            )
        of = await surveyed(log, plan.name, selection, now, replay=name, everything=options.all)
        if options.dry_run:
            for line in told(await rehearsed(plan, log, of, now), of):
                print(line)
            return 0
        since = "start" if selection.since is None else iso(selection.since)
        print(f"replay {name}: {of.total:,} records, from {since} to {iso(of.until)}")
        words = f"--from {since} --to {iso(of.until)} --name {name}"
        print(f"to go on after any end, say the same with {words}", flush=True)
        os.nice(NICE)
        errand = replay(log, of, clock, options.rate)
        stint = await work(
            plan,
            log,
            errand,
            settings.delivery,
            clock,
            asked,
            Meter(sys.stderr, clock.steady()),
            lambda: (of.looked - errand.open, of.total),
        )
        await settle_letters(log, plan.name, of)
    _report(stint, of)
    return stint.status


async def settle_letters(log: Log, destination: str, of: Range) -> None:
    """Dead letters of events that the replay has done with are open no more, but for its own."""
    some = []
    async for letter in open_letters(log, destination=destination):
        own = letter.body.get("replay") == of.verdicts.replay
        if not own and is_settled(of, Place(**letter.body["place"])):
            some.append(letter)
        if len(some) == 100:
            await settle(log, some)
            some = []
    await settle(log, some)


def _check(
    options: argparse.Namespace, plan: Plan, selection: Selection, name: str, now: float
) -> None:
    """Raises Misconfigured for a name that is none, and for what needs a person's consent."""
    if not _NAME.fullmatch(name):
        raise Misconfigured([Fault("--name", "letters, digits, . - and _, at most 64")])
    if options.name and selection != selection_of(options, now + 1.0):
        # Who goes on must mean the range of who began.
        raise Misconfigured([Fault("--from, --to", f"with --name say times that stay: {iso(now)}")])
    age = float("inf") if selection.since is None else now - selection.since
    twice = [action.name for action in plan.actions if not plan.repeats(action, age)]
    if options.all and twice and not (options.yes or options.dry_run):
        raise Misconfigured(
            [
                Fault(
                    "--all",
                    f"{plan.vendor.name} counts twice what it is told twice by {', '.join(twice)};"
                    " see how many these are with --dry-run, and then say --yes",
                )
            ]
        )


def _report(stint: Stint, of: Range) -> None:
    if stint.done and not of.chooser.counts["sent"]:
        print("there is nothing to do")
    print(
        f"{stint.delivered:,} delivered, {stint.refused:,} dead, {stint.filtered:,} filtered;"
        f" {'all done' if stint.done else 'not done'}"
    )
    if stint.state == "braked":
        print("stopped: too much is refused; see `deadletters list`, and go on by the same name")
    for line in skipped(of):
        print(line)


def plan_of(settings: DestinationsSettings, name: str) -> Plan:
    """The plan of the instance. Raises Misconfigured when there is none."""
    made = plans(settings)
    if name not in made:
        known = ", ".join(made) or "none"
        raise Misconfigured([Fault(name, f"no such destination; there are {known}")])
    return made[name]


def name_of(what: str, now: float) -> str:
    """A name for what begins at `now` (seconds since the epoch): `crm-20261122T100000`."""
    return f"{what}-{datetime.fromtimestamp(now, UTC):%Y%m%dT%H%M%S}"


@asynccontextmanager
async def log_of(settings: DestinationsSettings, asked: asyncio.Event) -> AsyncIterator[Log]:
    """The log, closed at the end. Raises KeyboardInterrupt when `asked` before it is there, and
    SystemExit, with a word on standard error, when it goes away, or what was wanted of it is taken.
    """
    log = await opened(settings, asked)
    if log is None:
        raise KeyboardInterrupt
    try:
        yield log
    except (LogError, Taken) as error:
        print(error, file=sys.stderr)
        raise SystemExit(1) from None
    finally:
        await log.close()
