"""`make run`: the whole hub on this machine, a small shop that sends, and a table to watch.

It starts what production starts (sandboxes, `python -m ingest`, `python -m destinations run`) as
processes of their own on the embedded log, sends with Segment's own Python SDK, and reads the two
/metrics. It imports nothing of the hub: all that it knows, any client could know.

    --once    end when all that was sent is accounted for; status 0 if it is, 1 otherwise
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import random
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from string import Template
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.table import Table
from segment.analytics.client import Client

HOUSE = Path(__file__).resolve().parent.parent
CONFIG = Path(__file__).with_name("demo.toml")
DESTINATIONS = ("warehouse", "crm", "mail", "ads")
PEOPLE = 40
PATIENCE = 60.0

SAMPLE = re.compile(r"^(?P<name>[a-z_]+)(?:\{(?P<labels>.*)\})? (?P<value>\S+)$")
LABEL = re.compile(r'(\w+)="([^"]*)"')


class Process:
    """One process of the hub; its output goes to a file beside the log."""

    def __init__(self, name: str, arguments: list[str], folder: Path) -> None:
        self.name = name
        self.out = folder / f"{name}.log"
        with self.out.open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", *arguments],
                cwd=HOUSE,
                stdout=out,
                stderr=subprocess.STDOUT,
                # Ctrl-C on a terminal goes to the whole group; we stop them in order instead.
                start_new_session=True,
            )

    def stop(self) -> None:
        """Ask, and insist after a while."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def check(self) -> None:
        """Raises RuntimeError with the end of its output when it has ended by itself."""
        if self.process.poll() is not None:
            tail = self.out.read_text("utf-8", "replace")[-2_000:]
            raise RuntimeError(f"{self.name} ended with {self.process.returncode}:\n{tail}")


def main() -> int:
    parser = argparse.ArgumentParser(prog="make run", description=__doc__)
    parser.add_argument("--once", action="store_true", help="end when all is accounted for")
    parser.add_argument("--people", type=int, default=PEOPLE, help="how many shop")
    options = parser.parse_args()
    console = Console()
    folder = HOUSE / "var" / "demo"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    key = secrets.token_urlsafe(24)
    ingest, delivery, practice = free_ports(8080, 8081, 8090)
    settings = folder / "hub.toml"
    settings.write_text(
        Template(CONFIG.read_text("utf-8")).substitute(
            DEMO_LOG=folder / "hub.db",
            DEMO_SANDBOX=f"http://127.0.0.1:{practice}",
            DEMO_KEY_HASH="sha256:" + hashlib.sha256(key.encode()).hexdigest(),
            DEMO_INGEST=ingest,
            DEMO_DELIVERY=delivery,
        ),
        "utf-8",
    )
    config = ["--config", str(settings)]
    with contextlib.ExitStack() as stack:
        # Stopped in the reverse order: delivery, then ingest, and the vendors last.
        running = []
        for name, arguments, url in (
            ("sandbox", ["destinations", "sandbox", "--port", str(practice)], None),
            ("ingest", ["ingest", *config, "run"], f"http://127.0.0.1:{ingest}/readyz"),
            (
                "destinations",
                ["destinations", *config, "run"],
                f"http://127.0.0.1:{delivery}/readyz",
            ),
        ):
            process = Process(name, arguments, folder)
            stack.callback(process.stop)
            running.append(process)
            wait_for(url or f"http://127.0.0.1:{practice}/_sandbox/webhook", process)
        house = House(f"http://127.0.0.1:{ingest}", f"http://127.0.0.1:{delivery}", running)
        console.print("[bold]sending[/] with segment-analytics-python: a small shop's traffic")
        shopping = Shopping(house.ingest, key, options.people)
        shopping.start()
        accounted = watch(console, house, shopping)
        if options.once:
            return 0 if accounted else 1
        console.print(
            f"\nThe hub serves on. Your write key is [bold]{key}[/]. Try:\n\n"
            f"  curl {house.ingest}/v1/track -u '{key}:' \\\n"
            '    -d \'{"userId": "me", "event": "Order Completed",'
            ' "properties": {"order_id": "1", "total": 9.9}}\'\n\n'
            f"metrics      {house.ingest}/metrics  {house.delivery}/metrics\n"
            f"sandboxes    http://127.0.0.1:{practice}/_sandbox/hubspot?taken=1"
            " (or webhook, klaviyo, meta)\n"
            "the log      .venv/bin/python -m hub.log --config var/demo/hub.toml tail events\n"
            "             (ingest and destinations take the same --config)\n\n"
            "Ctrl-C stops all of it.",
            soft_wrap=True,
        )
        with contextlib.suppress(KeyboardInterrupt):
            follow(console, house, shopping)
        console.print("stopping: ingest, destinations, sandbox")
    return 0


def free_ports(*wanted: int) -> list[int]:
    """The wanted ports, and others where they are taken."""
    found: list[int] = []
    with contextlib.ExitStack() as stack:
        for port in wanted:
            probe = stack.enter_context(socket.socket())
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                probe.bind(("127.0.0.1", 0))
            found.append(probe.getsockname()[1])
    return found


def wait_for(url: str, process: Process) -> None:
    """Until `url` answers 200, or the process has ended."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        process.check()
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=2):  # noqa: S310
            return
        time.sleep(0.05)
    raise RuntimeError(f"{process.name} was not ready within {PATIENCE:.0f} s; see {process.out}")


class House:
    """The two processes to look at, through their metrics."""

    def __init__(self, ingest: str, delivery: str, running: list[Process]) -> None:
        self.ingest = ingest
        self.delivery = delivery
        self.running = running

    def state(self) -> dict[str, Any]:
        """What was accepted and refused, and each destination's counts."""
        for process in self.running:
            process.check()
        taken = list(scrape(f"{self.ingest}/metrics"))
        given = list(scrape(f"{self.delivery}/metrics"))
        return {
            "accepted": total(taken, "ingest_accepted_total"),
            "refused": total(taken, "ingest_refused_total"),
            "duplicates": total(taken, "ingest_duplicates_total"),
            "destinations": {
                name: {
                    word: total(given, f"destination_{word}_total", destination=name)
                    for word in ("delivered", "filtered", "dead_lettered", "retried")
                }
                for name in DESTINATIONS
            },
        }


def scrape(url: str) -> Iterator[tuple[str, dict[str, str], float]]:
    """The samples of a /metrics page."""
    with urllib.request.urlopen(url, timeout=5) as page:  # noqa: S310 - our own process
        for line in page.read().decode().splitlines():
            if match := SAMPLE.match(line):
                labels = dict(LABEL.findall(match["labels"] or ""))
                yield match["name"], labels, float(match["value"])


def total(samples: list[tuple[str, dict[str, str], float]], name: str, **labels: str) -> int:
    """The sum of a counter over the labels that are not given."""
    return int(sum(v for n, found, v in samples if n == name and labels.items() <= found.items()))


class Shopping(threading.Thread):
    """Sends while the table is watched; `sent` grows, and `ended` says that it is final."""

    def __init__(self, host: str, key: str, people: int) -> None:
        super().__init__(daemon=True)
        self._told = (host, key, people)
        self.sent = 0
        self.ended = False

    def run(self) -> None:
        for count in shop(*self._told):
            self.sent += count
        self.ended = True


def shop(host: str, key: str, people: int) -> Iterator[int]:
    """A morning's traffic by Segment's SDK, with some events no vendor takes; yields how many."""
    die = random.Random(7)  # the same morning each time
    lost: list[Any] = []
    client = Client(key, host=host, on_error=lambda error, _: lost.append(error), max_retries=3)
    for number in range(people):
        person = f"user-{number:03d}"
        email = f"{person}@shop.example" if number % 10 else "not-an-address"
        traits = {
            "email": email,
            "firstName": die.choice(["Ada", "Grace", "Linus", "Zoë"]),
            "lastName": die.choice(["Lovelace", "Hopper", "Müller"]),
            "address": {"city": "Amsterdam", "country": "NL"},
        }
        context = {
            "ip": "203.0.113.7",
            "userAgent": "Mozilla/5.0 (X11; Linux x86_64)",
            "page": {"url": "https://shop.example/tea", "path": "/tea"},
            "traits": traits,
        }
        client.identify(person, traits, context)
        client.page(person, "Shop", "Tea", {"url": "https://shop.example/tea"}, context)
        product = {"product_id": f"p-{die.randrange(9)}", "price": 12.5, "quantity": 1}
        client.track(person, "Product Viewed", {**product, "currency": "EUR"}, context)
        client.track(person, "Product Added", {**product, "currency": "EUR"}, context)
        order = {"order_id": f"o-{number}", "total": 25.0, "currency": "EUR", "products": [product]}
        client.track(person, "Order Completed", order, context)
        yield 5
    client.group("user-001", "acme", {"name": "Acme", "employees": 12})
    # The SDK lets this through; ingest refuses it, keeps it, and says why.
    client.track("user-002", "Segment Consent Preference Updated", {})
    client.flush()
    client.join()
    for error in lost:
        print(f"the SDK reports: {type(error).__name__}: {error}", file=sys.stderr)
    yield 2


def pending(state: dict[str, Any], counts: dict[str, int]) -> int:
    """Accepted events that a destination has neither delivered, filtered nor given up on."""
    done = counts["delivered"] + counts["filtered"] + counts["dead_lettered"]
    return int(state["accepted"]) - done


def is_accounted_for(state: dict[str, Any], shopping: Shopping) -> bool:
    """Whether all that was sent is accepted or refused, and finished at every destination."""
    answered = state["accepted"] + state["refused"] + state["duplicates"]
    finished = not any(pending(state, counts) for counts in state["destinations"].values())
    return shopping.ended and answered == shopping.sent and finished


def watch(console: Console, house: House, shopping: Shopping) -> bool:
    """Show the counts until all is accounted for, for as long as patience lasts."""
    deadline = time.monotonic() + PATIENCE
    state = house.state()
    with contextlib.ExitStack() as stack:
        live = None
        if console.is_terminal:
            live = stack.enter_context(Live(table(state, shopping), console=console))
        while not is_accounted_for(state, shopping) and time.monotonic() < deadline:
            time.sleep(0.2)
            state = house.state()
            if live is not None:
                live.update(table(state, shopping))
    if live is None:
        lines(state, shopping)
    accounted = is_accounted_for(state, shopping)
    console.print("[green]all accounted for[/]" if accounted else "[red]not all accounted for[/]")
    return accounted


def follow(console: Console, house: House, shopping: Shopping) -> None:
    """Serve on, with a live table on a terminal."""
    if not console.is_terminal:
        while True:
            time.sleep(5)
            house.state()
    with Live(table(house.state(), shopping), console=console) as live:
        while True:
            time.sleep(1)
            live.update(table(house.state(), shopping))


def table(state: dict[str, Any], shopping: Shopping) -> Table:
    """The counts for a person at a terminal."""
    made = Table(title=heading(state, shopping))
    made.add_column("destination")
    for column in ("delivered", "filtered", "refused", "retried", "pending"):
        made.add_column(column, justify="right")
    for name, counts in state["destinations"].items():
        row = (counts["delivered"], counts["filtered"], counts["dead_lettered"], counts["retried"])
        made.add_row(name, *map(str, row), str(pending(state, counts)))
    return made


def lines(state: dict[str, Any], shopping: Shopping) -> None:
    """The counts where there is no terminal."""
    print(heading(state, shopping))
    for name, counts in state["destinations"].items():
        print(
            f"{name}: delivered {counts['delivered']}, filtered {counts['filtered']},"
            f" refused {counts['dead_lettered']}, retried {counts['retried']},"
            f" pending {pending(state, counts)}"
        )


def heading(state: dict[str, Any], shopping: Shopping) -> str:
    return f"sent {shopping.sent}, accepted {state['accepted']}, refused {state['refused']}"


def asked(*_: object) -> None:
    """Either signal ends the demo in order, also where a shell left SIGINT ignored."""
    raise KeyboardInterrupt


if __name__ == "__main__":
    for sign in (signal.SIGINT, signal.SIGTERM):
        signal.signal(sign, asked)
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main())
    sys.exit(130)
