"""A vendor that takes everything at once, or below /slow after 0 to 5 ms; it counts by path.

Run as a program: a port. GET /_count tells what was taken since POST /_reset, as JSON.
"""

from __future__ import annotations

import asyncio
import random
import re
import sys
import time
from array import array
from dataclasses import dataclass, field
from typing import Any

import orjson
import uvloop

from tests.bench.load import HEAD_END, LENGTH, quantile

SENT = re.compile(rb'"messageId":"([0-9a-f]{16}([0-9a-f]{16}))"')
SLOWEST = 0.005
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


@dataclass(slots=True)
class Taken:
    """What came to one path. Times are of the monotonic clock, in seconds."""

    requests: int = 0
    events: int = 0
    ids: set[bytes] = field(default_factory=set)
    delays: array[float] = field(default_factory=lambda: array("d"))
    first: float = 0.0
    last: float = 0.0

    def take(self, body: bytes) -> None:
        now = time.monotonic()
        self.first = self.first or now
        self.last = now
        self.requests += 1
        for identity, sent in SENT.findall(body):
            self.events += 1
            self.ids.add(identity)
            self.delays.append(now - int(sent, 16) / 1e9)

    def told(self) -> dict[str, Any]:
        return {
            "requests": self.requests,
            "events": self.events,
            "different": len(self.ids),
            "first": self.first,
            "last": self.last,
        }


class Call(asyncio.Protocol):
    """One connection of who delivers."""

    def __init__(self, taken: dict[str, Taken]) -> None:
        self._taken = taken
        self._read = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport

    def data_received(self, data: bytes) -> None:
        self._read += data
        while (end := self._read.find(HEAD_END)) >= 0:
            length = LENGTH.search(self._read, 0, end + 2)
            whole = end + len(HEAD_END) + (int(length[1]) if length else 0)
            if len(self._read) < whole:
                return
            head, body = bytes(self._read[:end]), bytes(self._read[end + len(HEAD_END) : whole])
            del self._read[:whole]
            self._answer(head.split(b" ", 2)[1].decode(), body)

    def _answer(self, path: str, body: bytes) -> None:
        match path:
            case "/_count":
                self._tell({name: taken.told() for name, taken in self._taken.items()})
            case "/_delays":
                self._tell({name: _quantiles(taken) for name, taken in self._taken.items()})
            case "/_reset":
                self._taken.clear()
                self._tell({})
            case _:
                self._taken.setdefault(path, Taken()).take(body)
                if path.startswith("/slow"):
                    wait = random.uniform(0.0, SLOWEST)
                    asyncio.get_running_loop().call_later(wait, self._transport.write, OK)
                else:
                    self._transport.write(OK)

    def _tell(self, told: dict[str, Any]) -> None:
        body = orjson.dumps(told)
        self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)


def _quantiles(taken: Taken) -> dict[str, float]:
    ordered = sorted(taken.delays)
    return {f"p{100 * q:g}": quantile(ordered, q) for q in (0.5, 0.95, 0.99)}


async def serve(port: int) -> None:
    """Serve until the process is ended."""
    taken: dict[str, Taken] = {}
    loop = asyncio.get_running_loop()
    await loop.create_server(lambda: Call(taken), "127.0.0.1", port, backlog=1_024)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
