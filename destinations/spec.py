"""All that a vendor may say: settings, actions, fields, batches, rates; and all that it may import.

A vendor's file holds Settings, its talks, and one `destination = Destination(...)`. It declares and
speaks; the engine waits, retries, counts and logs.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import Enum
from typing import Any, Final, Generic, Protocol, TypeVar
from zoneinfo import ZoneInfo

import orjson
from msgspec import Struct
from pydantic import BaseModel, ConfigDict, SecretStr
from pydantic import Field as setting  # noqa: N813 - in a vendor, `Field` is a mapped field

from destinations import forms
from destinations.mapping import At, Const, Field, First, Form, Made, Source, Unfit
from destinations.outcome import Barred, Busy, Delivered, Failed, Outcome, Refused
from destinations.talk import (
    Account,
    Reply,
    Request,
    Talk,
    Token,
    TokenTalk,
    Unreadable,
    all_rows,
    by_status,
    date_of,
    retry_after,
)
from hub.encoding import dumps

__all__ = [
    "Account",
    "Action",
    "At",
    "Barred",
    "Batch",
    "Bucket",
    "Busy",
    "Const",
    "Delivered",
    "Destination",
    "Failed",
    "Field",
    "First",
    "Form",
    "Heard",
    "Idempotency",
    "Left",
    "Made",
    "On",
    "Outcome",
    "Rate",
    "Refused",
    "Reply",
    "Request",
    "Row",
    "Sandbox",
    "SecretStr",
    "Source",
    "Taken",
    "Talk",
    "Token",
    "TokenTalk",
    "Unfit",
    "Unreadable",
    "VendorSettings",
    "Window",
    "all_rows",
    "by_status",
    "date_of",
    "dumps",
    "forms",
    "retry_after",
    "setting",
    "to_midnight",
]


class VendorSettings(BaseModel):
    """What an instance of a vendor is told; every field has a sentence, secrets are SecretStr."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Settings = TypeVar("Settings", bound=VendorSettings)


PRIVATE: Final = "_metadata"
"""What an event says to the hub alone (facts, 1.4 and row 38 of the checklist)."""


class Row(Struct, frozen=True, gc=False):
    """An event mapped to an action's fields.

    `id` is the messageId; `received_at` is in seconds since the epoch; `timestamp` is what the
    event says itself, whatever that is; `written` is the event as the log has it, and `private`
    tells whether it says something to the hub alone.
    """

    id: str
    type: str
    name: str
    received_at: float
    timestamp: Any
    fields: Mapping[str, Any]
    written: bytes
    private: bool = False

    @property
    def json(self) -> bytes:
        """The flat Segment event as JSON, without what it says to the hub alone."""
        if not self.private:
            return self.written
        return dumps({k: v for k, v in orjson.loads(self.written).items() if k != PRIVATE})


@dataclass(frozen=True, slots=True)
class On:
    """Which events an action is for: their types and, unless None, their names.

    `where` decides on the rest, with the instance's settings; `sentence` prints it.
    """

    types: tuple[str, ...]
    names: tuple[str, ...] | None = None
    where: Callable[[Mapping[str, Any], Any], bool] | None = None
    sentence: str = ""


@dataclass(frozen=True, slots=True)
class Batch:
    """Who may ride together: at most `rows` and `bytes`, one seat per key in any case.

    `group`: only rows of the same group share a request. `unique`: rows of which only one may ride
    (the vendor refuses twins). `atomic`: the vendor takes all or none, so when every row of a
    request comes back refused and none was named, the engine bisects to find the culprit. `weigh`:
    bytes of a row.
    """

    rows: int = 1
    bytes: int = 1_000_000
    group: Callable[[Row], Hashable] | None = None
    unique: Callable[[Row], Hashable] | None = None
    atomic: bool = False
    weigh: Callable[[Row], int] | None = None


@dataclass(frozen=True, slots=True)
class Window:
    """At most `limit` requests in any `seconds`.

    `resets` names the time zone at whose midnight a day's count begins anew; without it, a window
    rolls.
    """

    limit: int
    seconds: float
    resets: str | None = None


@dataclass(frozen=True, slots=True)
class Bucket:
    """A store of at most `points`, of which `restore` come back each second."""

    points: float
    restore: float


@dataclass(frozen=True, slots=True)
class Left:
    """What a reply says is left of the window of so many `seconds`: `remaining` requests.

    It holds for `reset` seconds; for the window's own length, if the vendor does not say.
    """

    seconds: float
    remaining: float
    reset: float | None = None


@dataclass(frozen=True, slots=True)
class Heard:
    """What a reply says of limits, whatever it says besides: it can slow us down, never speed up.

    Seconds to `hold` all requests, what is `left` of windows, and the `level` of the bucket.
    """

    hold: float = 0.0
    left: tuple[Left, ...] = ()
    level: float | None = None


@dataclass(frozen=True, slots=True)
class Rate:
    """How often one may knock. Actions that name the same rate share it.

    `concurrency` is the most requests at once; None leaves it to the instance. `hint` reads, from
    any reply and the time in seconds since the epoch, what it says of this rate.
    """

    name: str
    windows: tuple[Window, ...] = ()
    concurrency: int | None = None
    bucket: Bucket | None = None
    hint: Callable[[Reply, float], Heard] | None = None


def to_midnight(zone: str, now: float) -> float:
    """Seconds until the day ends in a time zone; `now` in seconds since the epoch."""
    here = datetime.fromtimestamp(now, ZoneInfo(zone))
    tomorrow = (here + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    # Compared as moments, for on the days when clocks change a day has not 24 hours.
    return max(tomorrow.timestamp() - now, 1.0)


class Idempotency(Enum):
    """What the vendor does when it is told the same thing twice."""

    NATIVE = "the vendor ignores what it has seen by our id"
    UPSERT = "saying it twice leaves the same state"
    NONE = "saying it twice counts twice"


@dataclass(frozen=True, slots=True)
class Action(Generic[Settings]):
    """One kind of call: what triggers it, what it says, and how it may be carried.

    `max_age` in seconds, of the event's own time, or a function of the row (the event is then
    refused as `expired` before it is sent, and again before each retry). `one_of`: at least one of
    these fields must be found. `check` refuses a row that would sink its neighbours. `window`: for
    how many seconds the vendor remembers our id. `cost`: what a talk takes of its rate, in requests
    of its windows or points of its bucket. What ends in `_for` is asked for its namesake under an
    instance's settings.
    """

    name: str
    sentence: str
    on: On
    fields: Mapping[str, Field]
    talk: Callable[[Sequence[Row], Account[Settings]], Talk]
    idempotency: Idempotency
    batch: Batch = Batch()
    rate: Rate = Rate("all")
    cost: float = 1.0
    max_age: float | Callable[[Row], float] | None = None
    window: float | None = None
    one_of: tuple[str, ...] = ()
    check: Callable[[Row], Refused | None] | None = None
    fields_for: Callable[[Settings], Mapping[str, Field]] | None = None
    batch_for: Callable[[Settings], Batch] | None = None
    rate_for: Callable[[Settings], Rate] | None = None

    def fields_of(self, settings: Settings) -> Mapping[str, Field]:
        """The fields under these settings (a default country changes how phones are read)."""
        return self.fields_for(settings) if self.fields_for else self.fields


@dataclass(frozen=True, slots=True)
class Destination(Generic[Settings]):
    """A vendor, as we speak to it.

    `titles` are the names by which Segment's `integrations` object calls it, our own first.
    `actions`: the first whose `on` fits an event takes it. `token` asks for an access token, with
    the `grant` of the settings: a refresh token or a client's secret; None where they call for no
    token. `sunset` is the day on which the API version ends.
    """

    name: str
    titles: tuple[str, ...]
    settings: type[Settings]
    actions: tuple[Action[Settings], ...]
    version: str
    docs: str
    sunset: date | None = None
    reply_ids: tuple[str, ...] = ("x-request-id", "request-id")
    token: Callable[[Account[Settings]], TokenTalk] | None = None
    grant: Callable[[Settings], SecretStr | None] = lambda _: None


@dataclass(frozen=True, slots=True)
class Taken:
    """What a sandbox took as delivered: our id (if it is told), for whom, what, and the item."""

    id: str | None
    who: str
    what: str
    item: Any = field(default=None, repr=False)


class Sandbox(Protocol):
    """A vendor to practise on: answers as the vendor would, and keeps what it took.

    It holds no clock and no socket: `now` is given, and `destinations/sandbox.py` serves it. `url`
    of a request is the path and query below the vendor's base address.
    """

    taken: list[Taken]

    def answer(self, request: Request, now: float) -> Reply: ...
