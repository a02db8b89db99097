"""The command `deadletters`: list, count, show, and send again what was given up on."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any, Final

import orjson

from destinations.claim import held
from destinations.deadletters import DeadLetter, find, open_letters
from destinations.meter import Meter
from destinations.rendering import rendered
from destinations.replaying import add_pace, log_of, name_of, plan_of
from destinations.retrial import retrial
from destinations.selection import add_arguments, selection_of
from destinations.settings import DestinationsSettings, plans
from destinations.stint import work
from hub import process
from hub.clock import SystemClock
from hub.encoding import dumps
from hub.event import Event
from hub.log import Log, Place
from hub.settings import Fault, Misconfigured, load, path_of

LIMIT: Final = 100_000
"""Letters, if nobody says otherwise."""

ROWS: Final = 1_000
"""Rows of the table; a name is a client's word, and there may be many."""


def parser(commands: Any) -> None:
    """`deadletters` and its verbs."""
    letters = commands.add_parser("deadletters", help="events that were given up on")
    verbs = letters.add_subparsers(dest="verb", required=True)
    for verb, sentence, does in (
        ("list", "one JSON line for each open dead letter", list_them),
        ("count", "a table by destination, code and event", count),
        ("show", "one letter, and what would be sent now", show),
        ("retry", "send open dead letters again", retry),
    ):
        found = verbs.add_parser(verb, help=sentence)
        found.set_defaults(run=does)
        if verb == "show":
            found.add_argument("place", help="as `list` tells it: partition:offset")
            continue
        found.add_argument("--destination", required=verb == "retry", help="of this instance")
        add_arguments(found, "died")
        if verb == "count":
            found.add_argument("--json", action="store_true", help="one JSON line for each row")
            continue
        found.add_argument("--limit", type=int, default=LIMIT, help="at most so many")
        if verb == "retry":
            add_pace(found)


async def list_them(options: argparse.Namespace) -> int:
    """Each open letter as it is, with its own place as `letter`."""
    settings = _settings(options)
    async with log_of(settings, asyncio.Event()) as log:
        async for letter in _asked_for(log, options):
            print(dumps({"letter": _text(letter.place), **letter.body}).decode())
    return 0


async def count(options: argparse.Namespace) -> int:
    """How many are open, the most first."""
    settings = _settings(options)
    rows: Counter[tuple[str, str, str]] = Counter()
    async with log_of(settings, asyncio.Event()) as log:
        async for letter in _asked_for(log, options):
            body = letter.body
            row = body["destination"], body["code"], body["name"] or body["type"]
            if row not in rows and len(rows) >= ROWS:
                row = body["destination"], body["code"], "(other events)"
            rows[row] += 1
    for (destination, code, event), number in rows.most_common():
        told = {"destination": destination, "code": code, "event": event, "count": number}
        table = f"{number:>10,}  {destination:<20} {code:<28} {event}"
        print(dumps(told).decode() if options.json else table)
    if not options.json:
        print(f"{rows.total():>10,}  open dead letters")
    return 0


async def show(options: argparse.Namespace) -> int:
    """A letter whole, whether it is open, and the request that a retry would send, redacted."""
    settings = _settings(options)
    partition, _, offset = options.place.partition(":")
    if not (partition.isdecimal() and offset.isdecimal()):
        raise Misconfigured([Fault("place", "is a partition and an offset, as 3:42")])
    async with log_of(settings, asyncio.Event()) as log:
        found = await find(log, Place(int(partition), int(offset)))
    if found is None:
        print(f"{options.place}: there is no dead letter", file=sys.stderr)
        return 1
    letter, is_open = found
    told = {"letter": options.place, "open": is_open, **letter.body}
    plan = plans(settings).get(letter.body["destination"])
    if plan is not None:
        told["retry"] = rendered(plan, Event.of(letter.event), SystemClock().now())
    try:
        print(orjson.dumps(told, option=orjson.OPT_INDENT_2).decode())
    except TypeError:  # deeper than orjson writes
        print(dumps(told).decode())
    return 0


async def retry(options: argparse.Namespace) -> int:
    """Send letters again as they are; 0 when none is left and none died anew."""
    clock = SystemClock()
    settings = _settings(options)
    plan = plan_of(settings, options.destination)
    asked = process.asked_to_stop()
    async with log_of(settings, asked) as log:
        total = 0
        async for _ in _asked_for(log, options):
            total += 1
        print(f"{total:,} open dead letters of {plan.name}", flush=True)
        if options.dry_run or not total:
            return 0
        errand = retrial(
            name_of("retry", clock.now()), log, _asked_for(log, options), clock, options.rate
        )
        async with held(log, f"retry of {plan.name}", clock, asked):
            stint = await work(
                plan,
                log,
                errand,
                settings.delivery,
                clock,
                asked,
                Meter(sys.stderr, clock.steady()),
                lambda: (errand.finished, total),
            )
    print(
        f"{stint.delivered:,} delivered, {stint.refused:,} dead again,"
        f" {stint.filtered:,} filtered, {total - errand.finished:,} left"
    )
    return stint.status


def _settings(options: argparse.Namespace) -> DestinationsSettings:
    """The settings, in which the destination that is asked for must be."""
    settings = load(DestinationsSettings, path_of(options.config))
    if getattr(options, "destination", None):
        plan_of(settings, options.destination)
    return settings


async def _asked_for(log: Log, options: argparse.Namespace) -> AsyncIterator[DeadLetter]:
    left = getattr(options, "limit", None)
    selection = selection_of(options, SystemClock().now())
    async for letter in open_letters(log, destination=options.destination, selection=selection):
        if left == 0:
            return
        left = None if left is None else left - 1
        yield letter


def _text(place: Place) -> str:
    return f"{place.partition}:{place.offset}"
