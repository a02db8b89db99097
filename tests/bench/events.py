"""The events of the load: what a shop's site sends, 1.2 KB each, rendered before anyone waits.

A messageId is 32 hex digits, and its last 16 say when it was sent (nanoseconds of the monotonic
clock, which all processes of a machine share), so that a vendor can tell how long it took.
"""

from __future__ import annotations

import base64
import random
import secrets
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import cycle
from typing import Any

import orjson

ID, USER = "messageid", "user"
SIZE = 1_200
TEMPLATES = 64

# The share of each name in what a shop sends.
NAMES = {
    "Product Viewed": 50,
    "Product List Viewed": 15,
    "Products Searched": 10,
    "Product Added": 12,
    "Checkout Started": 7,
    "Order Completed": 6,
}


def keys_of(key: str, sources: int) -> list[str]:
    """The write keys of so many sources."""
    return [f"{key}-{number}" for number in range(sources)]


class Events:
    """New events without end, of so many users."""

    def __init__(self, users: int, seed: int = 1) -> None:
        die = random.Random(seed)
        names = die.choices(list(NAMES), list(NAMES.values()), k=TEMPLATES)
        self._templates = [_template(name, die) for name in names]
        self._users = users
        self._run = secrets.token_hex(4).encode()
        self._count = 0

    def event(self) -> bytes:
        """One more, as JSON."""
        return self._templates[(self._count + 1) % TEMPLATES] % self.person()

    def person(self) -> tuple[bytes, bytes]:
        """The messageId and the userId of one more."""
        self._count = count = self._count + 1
        # A stride that is prime to both counts, so that every user does everything.
        user = b"user-%07d" % (count * 7_919 % self._users)
        return b"%b%08x%016x" % (self._run, count, time.monotonic_ns()), user

    def body(self, batch: int) -> bytes:
        """What is sent to /v1/track, or to /v1/batch if `batch` is more than one."""
        if batch == 1:
            return self.event()
        return b'{"batch":[%b]}' % b",".join([self.event() for _ in range(batch)])

    def requests(self, batch: int, keys: Sequence[str]) -> Iterator[bytes]:
        """Whole requests of HTTP/1.1, to be kept alive, with one write key after the other."""
        path = b"track" if batch == 1 else b"batch"
        for head in cycle([_head(path, key) for key in keys]):
            body = self.body(batch)
            yield b"%b%d\r\n\r\n%b" % (head, len(body), body)


def _head(path: bytes, key: str) -> bytes:
    """A request's head, up to its body's length."""
    return (
        b"POST /v1/%b HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Authorization: Basic %b\r\nUser-Agent: bench\r\nContent-Length: "
        % (path, base64.b64encode(f"{key}:".encode()))
    )


def _template(name: str, die: random.Random) -> bytes:
    """An event with two places to fill in; `%` stands nowhere else."""
    event: dict[str, Any] = {
        "type": "track",
        "event": name,
        "messageId": ID,
        "userId": USER,
        "anonymousId": f"{die.getrandbits(128):032x}",
        "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "context": _context(die),
        "properties": _properties(name, die),
    }
    lacking = SIZE - len(orjson.dumps(event)) - 32
    event["properties"]["description"] = ("a well made thing of good wool " * 40)[: max(1, lacking)]
    text = orjson.dumps(event)
    return text.replace(f'"{ID}"'.encode(), b'"%b"').replace(f'"{USER}"'.encode(), b'"%b"')


def _context(die: random.Random) -> dict[str, Any]:
    return {
        "library": {"name": "analytics.js", "version": "2.11.1"},
        "ip": f"203.0.113.{die.randrange(256)}",
        "locale": die.choice(("de-DE", "en-GB", "fr-FR")),
        "timezone": "Europe/Berlin",
        "userAgent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
        "Chrome/142.0.0.0 Safari/537.36",
        "page": {
            "url": f"https://shop.example/wool/{die.randrange(10_000)}?utm_source=mail",
            "path": "/wool",
            "title": "Wool and more",
            "referrer": "https://search.example/",
        },
        "campaign": {"name": "autumn", "source": "mail", "medium": "email"},
    }


def _properties(name: str, die: random.Random) -> dict[str, Any]:
    product = {
        "product_id": f"p-{die.randrange(10_000)}",
        "sku": f"SKU-{die.randrange(10_000)}",
        "name": "Merino jumper",
        "price": round(die.uniform(5, 200), 2),
        "quantity": die.randint(1, 4),
        "category": "Wool",
    }
    match name:
        case "Product Viewed" | "Product Added":
            return {**product, "currency": "EUR"}
        case "Products Searched":
            return {"query": "jumper"}
        case "Product List Viewed":
            return {"list_id": "wool", "category": "Wool", "products": [product]}
        case _:
            return {
                "order_id": f"o-{die.randrange(100_000)}",
                "total": product["price"],
                "currency": "EUR",
                "products": [product],
            }
