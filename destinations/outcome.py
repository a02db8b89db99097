"""The five words that a vendor's answer comes down to, one for each row, and nothing besides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Delivered:
    """The vendor has it: the offset is finished, the lane moves on. `note` says what it dropped."""

    note: str = ""


@dataclass(frozen=True, slots=True)
class Busy:
    """Come back in `after` seconds: the limiter holds and no attempt is spent.

    `Busy(0)` is for the neighbours of a row that sank an atomic batch: they simply go again.
    """

    after: float
    reason: str = "rate_limit"


@dataclass(frozen=True, slots=True)
class Failed:
    """It did not work this time: an attempt is spent, backoff follows, the breaker counts.

    `reason` is a bounded code (`timeout`, `http_503`); `after` is the vendor's wish in seconds.
    `unknown`: the request may have done its work, and nobody can tell.
    """

    reason: str
    after: float | None = None
    unknown: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class Refused:
    """Never: the event becomes a dead letter and the lane moves on.

    `code` is a bounded label; `reason` is the vendor's sentence, which the engine redacts. `named`
    says that the vendor named this very row: to halve its batch would teach nothing.
    """

    code: str
    reason: str
    named: bool = False


@dataclass(frozen=True, slots=True)
class Barred:
    """They do not let us in (credentials, permission, version): the destination pauses.

    `stale_token` says that a new token may open the door; the engine then asks for one, once.
    """

    code: str
    reason: str
    stale_token: bool = False


Outcome = Delivered | Busy | Failed | Refused | Barred


def all_delivered(outcomes: Sequence[Outcome]) -> bool:
    """Whether each is Delivered, and nobody notes anything."""
    for outcome in different(outcomes):
        if type(outcome) is not Delivered or outcome.note:
            return False
    return True


def different(outcomes: Sequence[Outcome]) -> Sequence[Outcome]:
    """Each object once: the rows of a request mostly share one, and need not be asked each."""
    if len(outcomes) == 1:
        return outcomes
    return list(dict(zip(map(id, outcomes), outcomes, strict=True)).values())
