"""The questions that a person asks of running processes from the command line."""

from __future__ import annotations

import argparse
import sys
from typing import Any

import aiohttp

from destinations.settings import Delivery, DestinationsSettings
from hub.settings import Fault, Misconfigured, load, path_of

SECONDS = 10.0
"""How long an answer is waited for."""


class Unanswered(Exception):
    """Nobody answers there, or not as we asked; the message says where and why."""


def parser(commands: Any) -> None:
    """`status` and `release`."""
    stands = commands.add_parser("status", help="how each destination of a running hub stands")
    lets_go = commands.add_parser("release", help="let a destination go on that was braked")
    lets_go.add_argument("destination", help="the instance's name")
    for command, asks in ((stands, status), (lets_go, release)):
        command.add_argument(
            "--at",
            action="append",
            metavar="URL",
            help="a process to ask, once for each; [delivery] of the settings otherwise",
        )
        command.set_defaults(run=asks)


async def status(options: argparse.Namespace) -> int:
    """A line for each instance, and one for each of its bars with the vendor's reason."""
    delivery = load(DestinationsSettings, path_of(options.config)).delivery
    worst = 0
    for url in _addresses(delivery, options.at):
        try:
            told = await ask(delivery, "GET", url, "/admin/destinations")
        except Unanswered as error:
            print(error, file=sys.stderr)
            worst = 1
            continue
        for name, stands in told.items():
            print(
                f"{name:<20} {stands['state']:<12} backlog {stands['backlog']},"
                f" in flight {stands['in_flight']}, parked {stands['parked']},"
                f" oldest {stands['oldest_seconds']:.0f} s, {len(stands['partitions'])} partitions"
            )
            for bar in stands["bars"]:
                print(
                    f"  {bar['action']} is barred ({bar['code']}): {bar['reason']};"
                    f" asked again in {bar['seconds']:.0f} s"
                )
    return worst


async def release(options: argparse.Namespace) -> int:
    """Let go of the brake, in every process that is asked."""
    delivery = load(DestinationsSettings, path_of(options.config)).delivery
    worst = 0
    for url in _addresses(delivery, options.at):
        try:
            path = f"/admin/destinations/{options.destination}/release"
            told = await ask(delivery, "POST", url, path)
        except Unanswered as error:
            print(error, file=sys.stderr)
            worst = 1
            continue
        how = "goes on" if told["released"] else "had no brake on"
        print(f"{options.destination} at {url}: {how}")
    return worst


async def ask(delivery: Delivery, method: str, url: str, path: str) -> dict[str, Any]:
    """The answer of a process as JSON. Raises Unanswered, or Misconfigured without a token."""
    if delivery.admin_token is None:
        raise Misconfigured(
            [Fault("delivery.admin_token", "set a token, and start the process with it")]
        )
    headers = {"Authorization": f"Bearer {delivery.admin_token.get_secret_value()}"}
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(SECONDS)) as session,
            session.request(method, url + path, headers=headers) as response,
        ):
            told: dict[str, Any] = await response.json()
            if response.status != 200:
                raise Unanswered(f"{url}: {told.get('error', response.status)}")
            return told
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        raise Unanswered(f"{url}: no answer ({type(error).__name__})") from None


def _addresses(delivery: Delivery, told: list[str] | None) -> list[str]:
    return [one.rstrip("/") for one in told or [f"http://{delivery.host}:{delivery.port}"]]
