"""`python -m destinations ledger`: the ledger as a table, for any range of time."""

from __future__ import annotations

import argparse
import asyncio
import sys
from typing import Any

from destinations.balance import SECONDS, Question, balances, table
from destinations.opening import opened
from destinations.settings import DestinationsSettings, plans
from hub.clock import SystemClock
from hub.encoding import dumps
from hub.log import LogError
from hub.log.moment import moment
from hub.settings import load, path_of


def parser(commands: Any) -> None:
    """`ledger`."""
    shows = commands.add_parser(
        "ledger", help="accepted = delivered + filtered + refused + expired + pending"
    )
    shows.add_argument("--from", dest="begin", default="start", type=_moment, metavar="TIME",
                       help="start, 15m (ago), 2h, 7d, or 2026-11-21T10:00:00Z")  # fmt: skip
    shows.add_argument(
        "--to", dest="end", default="0s", type=_moment, metavar="TIME", help="so, too"
    )
    shows.add_argument("--by", choices=SECONDS, default="all", help="a row for each; of acceptance")
    shows.add_argument("--source", help="of this source only")
    shows.add_argument("--destination", help="of this instance only")
    shows.add_argument("--json", action="store_true", help="a JSON line for each row")
    shows.set_defaults(run=ledger)


async def ledger(options: argparse.Namespace) -> int:
    """Print the table; 1 when something is unaccounted for."""
    settings = load(DestinationsSettings, path_of(options.config))
    names = [name for name, plan in plans(settings).items() if plan.instance.enabled]
    asked = Question(options.begin, options.end, options.by, options.source, options.destination)
    log = await opened(settings, asyncio.Event())
    if log is None:
        raise AssertionError("nobody has asked us to stop")
    try:
        rows = await balances(log, names, asked)
    except LogError as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        await log.close()
    if options.json:
        for row in rows:
            print(dumps(row.told()).decode())
    else:
        print(table(rows), end="")
    return 1 if any(row.difference for row in rows) else 0


def _moment(text: str) -> float:
    try:
        return moment(text, SystemClock().now())
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
