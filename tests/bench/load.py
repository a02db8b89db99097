"""Sends events over kept-alive connections as fast as they are answered, or at a rate.

Run as a program, in a process of its own; prints what it saw as one line of JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import re
import time
from collections.abc import Iterator
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import orjson
import uvloop

from tests.bench.events import Events, keys_of
from tests.bench.spent import cpu

LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")
HEAD_END = b"\r\n\r\n"
ANSWER_SECONDS = 30.0
FILL_SECONDS = 3_600.0


class Sender(asyncio.Protocol):
    """One connection: the next request leaves when the last one is answered, and not before due.

    A delay is counted from when the request was due, if the connection was busy then: who waits in
    line waits too.
    """

    def __init__(self, load: Load, first: float) -> None:
        self._load = load
        self._due = first
        self._began = 0.0
        self._answer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport
        self._next()

    def data_received(self, data: bytes) -> None:
        self._answer += data
        end = self._answer.find(HEAD_END)
        length = LENGTH.search(self._answer, 0, end + 2) if end >= 0 else None
        if length is None or len(self._answer) < end + len(HEAD_END) + int(length[1]):
            return
        self._load.take(self._answer.startswith(b"HTTP/1.1 200 "), self._began)
        self._answer = b""
        self._next()

    def connection_lost(self, _: Exception | None) -> None:
        self._load.leave(self)

    def _next(self) -> None:
        load = self._load
        now = time.monotonic()
        self._due = self._due + load.gap if load.gap else now
        if load.left <= 0 or max(now, self._due) >= load.end:
            self._transport.close()
        elif self._due > now:
            asyncio.get_running_loop().call_later(self._due - now, self._send, None)
        else:
            self._send(self._due)

    def _send(self, due: float | None) -> None:
        self._load.left -= 1
        self._began = time.monotonic() if due is None else due
        self._transport.write(next(self._load.requests))


class Load:
    """What all connections share: the requests, the end, and the count of answers."""

    def __init__(self, requests: Iterator[bytes], seconds: float, gap: float, left: float) -> None:
        self.requests = requests
        self.left = left  # requests that may still be sent
        self.begin = time.monotonic()
        self.end = self.begin + seconds
        self.gap = gap  # seconds between two requests of one connection; 0: as fast as it goes
        self.answered = self.refused = 0
        self.delays: list[float] = []
        self.senders: set[Sender] = set()
        self.done = asyncio.Event()

    def take(self, accepted: bool, began: float) -> None:
        """A request was answered."""
        if accepted:
            self.answered += 1
        else:
            self.refused += 1
        self.delays.append(time.monotonic() - began)

    def leave(self, sender: Sender) -> None:
        """A connection is closed: it has its last answer, or it was cut."""
        self.senders.discard(sender)
        if not self.senders:
            self.done.set()


async def run(asked: argparse.Namespace) -> dict[str, Any]:
    """Send for so many seconds; what was seen."""
    where = urlsplit(asked.url)
    gap = asked.connections * asked.batch / asked.rate if asked.rate else 0.0
    keys = keys_of(asked.key, asked.sources)
    requests = Events(asked.users).requests(asked.batch, keys)
    left, seconds = (
        (asked.count / asked.batch, FILL_SECONDS) if asked.count else (math.inf, asked.seconds)
    )
    load = Load(requests, seconds, gap, left)
    loop = asyncio.get_running_loop()
    # Connections begin one after the other over a gap, so that a rate is even.
    load.senders = {
        Sender(load, load.begin - gap * n / asked.connections) for n in range(asked.connections)
    }
    began, spent, watched = time.monotonic(), time.process_time(), list(map(cpu, asked.watch))
    for sender in list(load.senders):
        await loop.create_connection(partial(_same, sender), where.hostname, where.port)
    async with asyncio.timeout(seconds + ANSWER_SECONDS):
        await load.done.wait()
    load.delays.sort()
    return {
        "events": load.answered * asked.batch,
        "refused": load.refused * asked.batch,
        "seconds": time.monotonic() - began,
        "cpu": time.process_time() - spent,
        "watched": [cpu(pid) - then for pid, then in zip(asked.watch, watched, strict=True)],
        "delays": {f"p{100 * q:g}": quantile(load.delays, q) for q in (0.5, 0.99, 0.999)},
    }


def _same(sender: Sender) -> Sender:
    return sender


def quantile(ordered: list[float], share: float) -> float:
    """The value that `share` of the others do not exceed; of nothing it is 0."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.load", description=__doc__)
    parser.add_argument("url")
    parser.add_argument("key")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--batch", type=int, default=1, help="events of a request")
    parser.add_argument("--count", type=int, help="events, however long they take")
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument(
        "--rate", type=float, default=0.0, help="events a second; 0 is all it takes"
    )
    parser.add_argument("--users", type=int, default=5_000)
    parser.add_argument("--sources", type=int, default=1, help="take turns")
    parser.add_argument(
        "--watch", type=int, nargs="*", default=[], help="processes whose CPU is told"
    )
    print(orjson.dumps(uvloop.run(run(parser.parse_args()))).decode())  # noqa: T201 - its result


if __name__ == "__main__":
    main()
