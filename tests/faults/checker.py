"""Sets what clients were promised against what a vendor took and what the ledger says of it. Pure.

It believes three witnesses: the clients, who count an event as accepted when they have read its
200; the vendor's own journal; and the pages of the ledger, but only where the journal bears them
out. Metrics, logs and committed places of the hub are not asked.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

IN_DOUBT = "in_doubt"
"""Refused by ourselves, since it may have been taken, and the instance wishes it at most once."""

FINAL = frozenset({"delivered", "filtered", "refused", "expired", IN_DOUBT})
REFUSED = frozenset({"refused", "expired"})

Place = tuple[int, int]
"""A partition of `events` and an offset in it."""

Span = tuple[float, float]
"""From when until when, in seconds since the epoch."""


@dataclass(frozen=True, slots=True)
class Sent:
    """One event of the load, the `number`-th of its user.

    `accepted` is when a client had read the 200 for it; None when it never did, and then the event
    may be delivered or not. `poison`: the vendors refuse it, by the scenario.
    """

    user: str
    number: int
    accepted: float | None = None
    poison: bool = False


@dataclass(frozen=True, slots=True)
class Took:
    """An event that the vendor took, and when."""

    id: str
    at: float


@dataclass(frozen=True, slots=True)
class Vendor:
    """What a vendor's journal and the ledger of its instance say.

    `took` in the journal's order. `told`: the outcomes on the ledger's pages, by the event's place.
    `broken`: when the scenario kept it from taking anything. `at_most_once`: the instance gives up
    what may have been taken, rather than send it again.
    """

    name: str
    dedupes: bool
    took: Sequence[Took]
    told: Mapping[Place, Collection[str]]
    broken: Sequence[Span] = ()
    at_most_once: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of a run at one vendor; `late` and what follows list ids, or places.

    `lost`: accepted, and neither taken nor rightly refused; also what the ledger alone saw
    delivered. `late`: first taken after a later event of its user. `repeated`: taken once more.
    `strange`: taken, and never sent. `unbalanced`: records that the ledger ends not once, but
    never or in two ways, and those it tells of that are not there. `stall` in seconds.
    `exact`: the vendor knows our ids, or the instance sends at most once.
    """

    vendor: str
    exact: bool
    accepted: int
    delivered: int
    lost: Sequence[str]
    late: Sequence[str]
    repeated: Sequence[str]
    strange: Sequence[str]
    unbalanced: Sequence[Place]
    stall: float

    @property
    def sound(self) -> bool:
        """Whether the promises were kept: nothing lost, in order, and once where ids are known."""
        wrong = (self.lost, self.late, self.strange, self.unbalanced)
        return not any(wrong) and not (self.exact and self.repeated)


def judge(sent: Mapping[str, Sent], records: Mapping[Place, str], vendor: Vendor) -> Verdict:
    """The verdict on one vendor; `records` are the ids of all that stands in `events`."""
    first: dict[str, float] = {}
    repeated = []
    for took in vendor.took:
        if took.id in first:
            repeated.append(took.id)
        else:
            first[took.id] = took.at
    ends: dict[str, set[str]] = {}
    for place, outcomes in vendor.told.items():
        ends.setdefault(records.get(place, ""), set()).update(FINAL.intersection(outcomes))
    return Verdict(
        vendor.name,
        vendor.dedupes or vendor.at_most_once,
        sum(event.accepted is not None for event in sent.values()),
        len(first.keys() & sent.keys()),
        [
            one
            for one in sent
            if one not in first and _is_lost(sent[one], ends.get(one, set()), vendor.at_most_once)
        ],
        list(_late(sent, first)),
        repeated,
        [one for one in first if one not in sent],
        sorted(_unbalanced(records, vendor.told)),
        longest_stall(sent, first, vendor.broken),
    )


def _is_lost(event: Sent, ends: Collection[str], at_most_once: bool) -> bool:
    """Whether an event that the vendor did not take should have been."""
    if "delivered" in ends:
        return True  # whatever was promised: the vendor knows nothing of it
    rightly = (event.poison and REFUSED.intersection(ends)) or (at_most_once and IN_DOUBT in ends)
    return event.accepted is not None and not rightly


def _late(sent: Mapping[str, Sent], first: Mapping[str, float]) -> Iterator[str]:
    newest: dict[str, int] = {}
    for one in first:  # in the order in which the vendor took them
        if (event := sent.get(one)) is None:
            continue
        if event.number < newest.get(event.user, -1):
            yield one
        newest[event.user] = max(event.number, newest.get(event.user, -1))


def _unbalanced(
    records: Mapping[Place, str], told: Mapping[Place, Collection[str]]
) -> Iterator[Place]:
    """A record ends in one way, though it may be told twice: a restart may repeat what it did."""
    for place in records.keys() | told.keys():
        ends = FINAL.intersection(told.get(place, ()))
        if place not in records or len(ends) != 1:
            yield place


def longest_stall(
    sent: Mapping[str, Sent], first: Mapping[str, float], broken: Sequence[Span]
) -> float:
    """The longest time in which accepted events waited, the vendor would have taken them, and took
    nothing. What it never took, it is not waited for: that is lost, not late.
    """
    waited = sorted(
        (first[one], event.accepted)
        for one, event in sent.items()
        if one in first and event.accepted is not None
    )
    longest, since = 0.0, float("inf")
    gaps = []
    for n in range(len(waited) - 1, -1, -1):
        taken, accepted = waited[n]
        since = min(since, accepted)  # of all that were taken now or later
        before = waited[n - 1][0] if n else float("-inf")
        gaps.append((max(before, since), taken))
    for gap in gaps:
        longest = max(longest, *(end - begin for begin, end in _outside(gap, broken)), 0.0)
    return longest


def _outside(gap: Span, broken: Sequence[Span]) -> Iterator[Span]:
    """The pieces of a gap that lie outside of what was broken on purpose."""
    begin, end = gap
    for away, back in sorted(broken):
        if away < end and back > begin:
            yield begin, max(begin, away)
            begin = back
    yield begin, max(begin, end)
