"""A replay without sending."""

from __future__ import annotations

from destinations import ledger
from destinations.choice import Chooser
from destinations.ledger import Page
from destinations.plan import Plan
from destinations.rehearsal import Rehearsal, rehearsed, told
from destinations.replay import Range
from destinations.selection import Selection
from destinations.spec import Field, Idempotency, Made, On, Refused
from destinations.verdicts import Verdicts
from hub.event import entry_of
from hub.log import EVENTS, Span
from hub.log.memory import MemoryLog
from hub.log.settings import MemoryLog as MemorySettings
from tests.destinations.invented import NOW, action, event, plan


def judged(of: Plan, delivered: bool = False, **body: object) -> Rehearsal:
    """The rehearsal of one event."""
    found = Rehearsal()
    found.judge(of, event(**body), NOW, delivered)
    return found


def test_each_verdict_is_counted() -> None:
    """By action, by reason, by code; what is too old, and where the vendor's function breaks."""

    def breaks(_: object) -> None:
        raise ZeroDivisionError

    old = plan(action(max_age=10.0))
    no = plan(action(check=lambda _: Refused("bad", "no")))
    broken = plan(action(fields={"email": Field("The address.", Made(breaks, "-"))}))

    assert {"send": 1} == judged(plan()).sent
    assert {"filtered_by_source": 1} == judged(plan(sources=("other",))).filtered
    assert {"bad": 1} == judged(no).refused
    assert 1 == judged(old, timestamp="2026-11-20T10:00:00Z").expired
    assert 1 == judged(broken).broke


def test_what_would_count_twice_is_counted() -> None:
    """Delivered before, and the vendor does not know our id, or not for so long."""
    none = plan(action(idempotency=Idempotency.NONE))
    upsert = plan(action(idempotency=Idempotency.UPSERT))
    known = plan(action(idempotency=Idempotency.NATIVE, window=60.0))

    assert (1, 0) == (judged(none, delivered=True).twice, judged(none).twice)
    assert 0 == judged(upsert, delivered=True).twice
    assert 0 == judged(known, delivered=True).twice


async def test_a_range_is_told_with_three_samples() -> None:
    """Counts of all that is in it, why the rest is skipped, and requests without anybody's data."""
    log = MemoryLog(MemorySettings(partitions=1))
    for number in range(10):
        body = {
            "type": "track",
            "event": "Bought",
            "messageId": f"m{number}",
            "userId": "u",
            "properties": {"email": "ada@ex.org"},
        }
        await log.append(EVENTS, [entry_of("shop", body, NOW)])
    span = Span(0, 0, 10)
    known = Verdicts("crm", [span])
    known.hear(Page("crm", 0, NOW, [{"offset": 3, "outcome": ledger.DELIVERED}]), 0)
    of = Range({0: span}, Chooser(Selection(), known, {0: 8}), NOW)
    found = await rehearsed(plan(action(on=On(("track",)))), log, of, NOW)
    lines = list(told(found, of))

    assert "10 records in the range" == lines[0]
    assert [
        "           7  would be sent by send",
        "           1  skipped: delivered before; --all sends them too",
        "           2  skipped: still to come in the live lane",
    ] == lines[1:4]
    assert 3 == len(lines[4:]) == len(found.samples)
    assert "ada@ex.org" not in "".join(lines)
