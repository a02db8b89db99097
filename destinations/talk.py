"""What is said to a vendor and heard back: requests, replies, and the talk that they make.

A talk is a generator: it yields a Request, is told the Reply, and at last returns one outcome for
each row. It never waits, so a test can drive it by hand and the engine can do the waiting.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from types import MappingProxyType
from typing import Any, Final, Generic, TypeVar

import orjson
from msgspec import Struct

from destinations.outcome import Barred, Busy, Failed, Outcome, Refused

MAX_REPLY = 1_048_576
"""Bytes of a reply's body that are read, unless its request says otherwise.

The rest is left, and the reply then reads as no JSON.
"""

NO_HEADERS: Final[Mapping[str, str]] = MappingProxyType({})


class Unreadable(Exception):
    """A reply that is not what was promised; the engine makes it a failure, never a success."""


class Request(Struct, frozen=True, gc=False):
    """One HTTP request. `timeout` in seconds; `public_only` refuses private addresses (SSRF).

    `max_reply`: bytes of the reply that are read (a property catalogue outgrows the usual bound).
    """

    method: str
    url: str
    headers: Mapping[str, str] = NO_HEADERS
    body: bytes = b""
    timeout: float = 10.0
    public_only: bool = False
    max_reply: int = MAX_REPLY

    def json(self) -> Any:
        """The body as JSON; for sandboxes and tests."""
        return _json(self.body)


class Reply(Struct, frozen=True, gc=False):
    """One HTTP reply; header names are lower case."""

    status: int
    headers: Mapping[str, str] = NO_HEADERS
    body: bytes = b""

    @property
    def ok(self) -> bool:
        """The status is 2xx; what that means is the vendor's to say."""
        return 200 <= self.status < 300

    def json(self) -> Any:
        """The body as JSON. Raises Unreadable."""
        return _json(self.body)

    def object(self) -> dict[str, Any]:
        """The body as a JSON object. Raises Unreadable."""
        found = self.json()
        if not isinstance(found, dict):
            raise Unreadable("the reply is no JSON object")
        return found

    @classmethod
    def of(cls, status: int, body: Any = None, **headers: str) -> Reply:
        """A reply with a JSON body, for sandboxes; `retry_after="3"` becomes `retry-after: 3`."""
        said = {name.replace("_", "-"): value for name, value in headers.items()}
        if body is None:
            return cls(status, said)
        return cls(status, {"content-type": "application/json", **said}, orjson.dumps(body))


def _json(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        raise Unreadable("the reply is not JSON") from None


Talk = Generator[Request, Reply, Sequence[Outcome]]


@dataclass(frozen=True, slots=True)
class Token:
    """An access token, and in how many seconds it ends.

    `refresh_token` is the one to ask with next time, where the vendor gave another.
    """

    value: str
    expires_in: float
    refresh_token: str = ""

    @classmethod
    def of(cls, reply: Reply) -> Token:
        """The token of an answer as OAuth 2 has it (RFC 6749, 5.1). Raises Unreadable."""
        match reply.object():
            case {"access_token": str(value), "expires_in": int() | float() as life, **rest} if (
                value and life > 0
            ):
                renewed = rest.get("refresh_token")
                return cls(value, float(life), renewed if isinstance(renewed, str) else "")
        raise Unreadable("the reply holds no token")


TokenTalk = Generator[Request, Reply, Token | Failed | Barred]

Settings_co = TypeVar("Settings_co", covariant=True)


@dataclass(slots=True)
class Account(Generic[Settings_co]):
    """What a talk may know of the instance that it speaks for: settings, token, time, and notes.

    `grant` is what a token is asked with: the refresh token of the settings, or its successor.

    Notes are facts about the account that the vendor told us (a property catalogue), each with the
    time when it goes stale. They are kept in memory and may be forgotten at any moment.
    """

    settings: Settings_co
    clock: Callable[[], float]
    token: str = ""
    grant: str = ""
    _notes: dict[str, tuple[float, Any]] = field(default_factory=dict)

    @property
    def now(self) -> float:
        """Seconds since the epoch."""
        return self.clock()

    def recall(self, name: str) -> Any | None:
        """What was noted under `name`, unless it has gone stale."""
        stale, value = self._notes.get(name, (0.0, None))
        return value if self.now < stale else None

    def note(self, name: str, value: Any, seconds: float) -> None:
        """Keep `value` for `seconds`. Names are constants of the vendor, so notes are bounded."""
        self._notes[name] = (self.now + seconds, value)

    def forget(self, name: str) -> None:
        """Ask the vendor again next time."""
        self._notes.pop(name, None)


def all_rows(outcome: Outcome, rows: Sequence[object]) -> list[Outcome]:
    """The same outcome for every row."""
    return [outcome] * len(rows)


def retry_after(reply: Reply, now: float, default: float, most: float = 86_400.0) -> float:
    """The wait that `Retry-After` asks for, as seconds or as an HTTP date, within 0 to `most`."""
    said = reply.headers.get("retry-after", "").strip()
    try:
        wait = float(said)
    except ValueError:
        try:
            wait = parsedate_to_datetime(said).timestamp() - now
        except (ValueError, OverflowError):
            wait = default
    return min(max(wait, 0.0), most) if wait == wait else default


def date_of(reply: Reply) -> float | None:
    """When the vendor says that it answered, in seconds since the epoch, if it says so."""
    try:
        return parsedate_to_datetime(reply.headers.get("date", "")).timestamp()
    except (ValueError, OverflowError):
        return None


def by_status(reply: Reply, now: float) -> Failed | Refused | Barred | Busy:
    """What a status means where a vendor's body says nothing better.

    A 2xx that came here was not understood, and so it is a failure.
    """
    status = reply.status
    if status == 429:
        return Busy(retry_after(reply, now, default=5.0))
    if status == 401:
        return Barred("unauthorised", "HTTP 401: the credentials are not accepted", True)
    if status in (403, 404):
        return Barred(f"http_{status}", f"HTTP {status}: no permission, or no such account or path")
    if status in (400, 409, 413, 414, 415, 422):
        return Refused(f"http_{status}", f"HTTP {status} without a reason that we can read")
    if 200 <= status < 300:
        return Failed("unreadable_reply", unknown=True)
    known = status in (408, 423, 425, 477, 500, 501, 502, 503, 504, 521, 522, 523, 524)
    wait = retry_after(reply, now, -1.0) if "retry-after" in reply.headers else None
    # A gateway that gave up on its server cannot say what that one did.
    unknown = status in (502, 504, 522, 524)
    return Failed(f"http_{status}" if known else f"http_{status // 100}xx", wait, unknown)
