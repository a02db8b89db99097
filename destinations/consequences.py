"""What each of the five outcomes comes to, for an event and for its lane. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from destinations import ledger, retry
from destinations.batcher import Bus
from destinations.book import Book
from destinations.gate import Gate
from destinations.happenings import Happenings
from destinations.item import Doomed, Item
from destinations.lanes import Lanes, State
from destinations.outcome import Barred, Busy, Delivered, Failed, Outcome, Refused, all_delivered
from destinations.parking import Parking
from destinations.plan import EXPIRED, IN_DOUBT, PATIENCE_EXHAUSTED, Boarding, Plan
from destinations.talk import Reply

MAX_BOUNCES = 20
"""Times that a row may go again for its neighbours' sake before that counts as an attempt."""


class Consequences:
    """One instance's. Times: `now` steady, `wall` epoch."""

    def __init__(
        self,
        plan: Plan,
        tells: Happenings,
        die: Callable[[], float],
        lanes: Lanes[Item],
        gate: Gate,
        parking: Parking,
        book: Book,
    ) -> None:
        told = plan.instance
        self._plan = plan
        self._tells = tells
        self._die = die
        self._lanes = lanes
        self._gate = gate
        self._parking = parking
        self._book = book
        self._retry = retry.Policy(told.retry_seconds, told.retry_most_seconds, told.patience)

    def of(
        self,
        bus: Bus[Item],
        outcomes: Sequence[Outcome],
        reply: Reply | None,
        probe: bool,
        now: float,
        wall: float,
    ) -> list[Doomed]:
        """Each rider's; returns those to be buried.

        An answer that comes after its partition moved changes nothing: the new owner sends again.
        """
        answer = self._plan.answer(reply)
        name = bus.action.name
        if all_delivered(outcomes):
            self._delivered(name, bus.riders, answer, wall)
            return []
        doomed = []
        for item, outcome in zip(bus.riders, outcomes, strict=True):
            if isinstance(outcome, Delivered):
                self._tells.delivered(name, [wall - item.event.received_at])
            if item.progress.gone:
                continue
            match self._after_bounces(item, outcome):
                case Delivered(note):
                    if note:
                        self._tells.noted(name, note)
                    told = {"note": note, **answer} if note else answer
                    self._ends(item, ledger.DELIVERED, wall, action=name, **told)
                case Busy():
                    item.alight()
                    self._lanes.again(item.lane, now)
                case Barred():
                    self.hold(item, now)
                case Failed() as failed:
                    dead = self._failed(item, failed, answer, probe, now, wall)
                    if dead is not None:
                        doomed.append(replace(dead, reply=reply))
                case Refused(code, reason):
                    item.attempts += 1
                    self._tells.refused(code)
                    doomed.append(Doomed(item, code, reason, reply))
        return doomed

    def _delivered(
        self, action: str, items: Sequence[Item], answer: dict[str, int | str], wall: float
    ) -> None:
        """All riders at once, as most requests end."""
        self._tells.delivered(action, [wall - item.event.received_at for item in items])
        told = {"action": action, "attempts": 0, "at": int(wall * 1000), **answer}
        fresh = []
        for item in items:
            if item.progress.gone:
                continue
            if item.fresh:
                fresh.append(item)
            else:
                self._book.ends(item, ledger.DELIVERED, **{**told, "attempts": item.attempts})
            self._moves_on(item)
        self._book.delivered(fresh, **told)

    def dares(self, item: Item, boarding: Boarding, wall: float) -> Refused | None:
        """A refusal when the item may have been taken already and must not be sent twice."""
        if not item.in_doubt or self._plan.instance.in_doubt == "at_least_once":
            return None
        since = item.first_at or item.event.received_at
        if self._plan.repeats(boarding.action, wall - since):
            return None
        return Refused(IN_DOUBT, "a call may have reached the vendor, and its answer is not known")

    def hold(self, item: Item, now: float) -> None:
        """The item's action is barred: it waits until that is lifted."""
        action = item.action.name
        item.alight()
        if item.lane.since is None:
            item.lane.since = now
        self._lanes.hold(item.lane, action)

    def filtered(self, item: Item, reason: str) -> None:
        """The event is not for this instance."""
        self._tells.filtered(reason)
        self._book.filtered(item, reason)
        self._moves_on(item)

    def finished(self, item: Item) -> None:
        """The record is no event: nothing can be told of it."""
        self._book.finished(item.progress, item.offset)
        self._moves_on(item)

    def buried(self, dead: Doomed, wall: float) -> None:
        """The dead letter is durable: the lane moves on."""
        if dead.item.progress.gone:
            return
        outcome = ledger.EXPIRED if dead.code == EXPIRED else ledger.REFUSED
        self._ends(dead.item, outcome, wall, code=dead.code, **self._plan.answer(dead.reply))

    def _failed(
        self,
        item: Item,
        failed: Failed,
        answer: dict[str, int | str],
        probe: bool,
        now: float,
        wall: float,
    ) -> Doomed | None:
        item.attempts += 1
        item.in_doubt = item.in_doubt or failed.unknown
        boarding = item.boarding
        if boarding is not None and (doubt := self.dares(item, boarding, wall)) is not None:
            self._tells.refused(doubt.code)
            return Doomed(item, doubt.code, doubt.reason)
        # A vendor who is away spends nobody's patience: neither a probe nor the time without it.
        # A replay's begins with its first attempt: its events may be older than any patience.
        since = (item.first_at or wall) if self._book.replay else item.event.received_at
        age = wall - since - (self._gate.away(now) - item.away)
        if self._retry.exhausted(age) and not probe:
            why = f"tried {item.attempts} times in {age:.0f} s; the last time: {failed.reason}"
            return Doomed(item, PATIENCE_EXHAUSTED, why)
        self._tells.retried(failed.reason)
        delay = self._retry.delay(item.attempts, self._die(), failed.after)
        self._book.goes_on(
            item,
            ledger.FAILED,
            action=item.action.name,
            code=failed.reason,
            attempts=item.attempts,
            at=int(wall * 1000),
            wait=round(delay, 3),
            **answer,
        )
        item.alight()
        if item.lane.since is None:
            item.lane.since = now
        if item.yard is not None:
            self._parking.back(item, now + delay)
        else:
            self._lanes.again(item.lane, now + delay)
        return None

    def _after_bounces(self, item: Item, outcome: Outcome) -> Outcome:
        if not isinstance(outcome, Busy) or outcome.after > 0:
            return outcome
        item.bounces += 1
        if item.bounces <= MAX_BOUNCES:
            return outcome
        item.bounces = 0
        return Failed("bounced")

    def _ends(self, item: Item, outcome: str, wall: float, **told: int | str) -> None:
        self._book.ends(item, outcome, attempts=item.attempts, at=int(wall * 1000), **told)
        self._moves_on(item)

    def _moves_on(self, item: Item) -> None:
        if item.lane.state is State.BOARDED:
            self._lanes.finish(item.lane)
            self._parking.passed(item)
