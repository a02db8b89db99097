"""Whether a request may leave: the breaker, bars, the brake and the limits, asked as one. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from destinations import brake, breaker
from destinations.bars import Bars
from destinations.brake import Brake
from destinations.breaker import Breaker
from destinations.happenings import Happenings
from destinations.limiter import Limiter, Why
from destinations.outcome import Barred, Busy, Delivered, Failed, Outcome, Refused, different
from destinations.plan import Plan
from destinations.spec import Action, Heard
from destinations.talk import Reply

ANSWERS: Final = (Delivered, Refused)
"""What only a vendor says who works."""

Turn = tuple[int, int, float]
"""When a request left: by the breaker's and the bars' count of what happened since, and `now`."""


class Gate:
    """One instance's. Times: `now` steady, `wall` epoch."""

    def __init__(self, plan: Plan, tells: Happenings) -> None:
        told = plan.instance
        self._plan = plan
        self._tells = tells
        self._breaker = Breaker(breaker.Policy(told.breaker_failures, told.breaker_seconds))
        self._brake = Brake(brake.Policy(told.brake_run, told.brake_ratio))
        self._limiters = {
            action.rate.name: Limiter(action.rate, told.max_in_flight) for action in plan.actions
        }
        self.bars = Bars(told.barred_seconds)
        self.taken_at = float("-inf")
        self.away_so_far = 0.0
        self._away_since: float | None = None

    def wait(self, now: float) -> float:
        """Seconds until any request may leave; infinity while a probe or a person decides."""
        return float("inf") if self._brake.on else self._breaker.wait(now)

    @property
    def healthy(self) -> bool:
        """Whether the vendor is asked as usual."""
        return self._breaker.state is breaker.State.CLOSED and not self._brake.on

    @property
    def state(self) -> breaker.State:
        return self._breaker.state

    @property
    def braked(self) -> bool:
        return self._brake.on

    def away(self, now: float) -> float:
        """Seconds for which the vendor was left in peace since the beginning."""
        since = self._away_since
        return self.away_so_far + (0.0 if since is None else now - since)

    def limit(self, action: Action[Any], now: float) -> float:
        """Seconds for which the vendor's limits hold the action back."""
        return self._limiters[action.rate.name].wait(now, action.cost)

    def limited(self, now: float) -> Why | None:
        """What limit holds a rate back now, if any does."""
        looks = (limiter.look(now) for limiter in self._limiters.values())
        return next((why for seconds, why in looks if seconds > 0), None)

    def share(self, part: float, now: float) -> None:
        """This worker reads `part` of the partitions, and has that part of the vendor's limits."""
        for limiter in self._limiters.values():
            limiter.share(part, now)

    def may_go(self, action: Action[Any], now: float) -> bool:
        """Whether a bus of the action may leave, as far as its bar and its limits say."""
        return self.bars.may_go(action.name) and self.limit(action, now) == 0

    def leave(self, action: Action[Any], now: float, wall: float) -> Turn:
        """A request leaves; its turn must come back with it."""
        self._limiters[action.rate.name].leave(now, wall, action.cost)
        return self._breaker.leave(), self.bars.leave(action.name), now

    def release(self) -> bool:
        """A person let go of the brake; whether it was on."""
        was = self._brake.on
        self._brake.release()
        return was

    def back(
        self,
        action: Action[Any],
        turn: Turn,
        outcomes: Sequence[Outcome],
        reply: Reply | None,
        now: float,
        wall: float,
    ) -> str | None:
        """A request came back: what it says about the vendor. The action whose bar was lifted."""
        limiter = self._limiters[action.rate.name]
        seconds = now - turn[2]
        limiter.back(now, seconds)
        told = different(outcomes)
        answered = False
        for one in told:
            if isinstance(one, ANSWERS):
                answered = reply is not None
            elif isinstance(one, Busy) and one.after > 0:
                limiter.busy(now, one.after, one.reason)
        if reply is not None and action.rate.hint is not None:
            limiter.heard(self._heard(action, action.rate.hint, reply, wall), now)
        if answered:
            self.taken_at = now
            limiter.answered(now, seconds)
        lifted = self._judge(action, turn, told, reply, answered, now)
        closed = self._breaker.state is breaker.State.CLOSED
        if closed and self._away_since is not None:
            self.away_so_far += now - self._away_since
            self._away_since = None
        elif not closed and self._away_since is None:
            self._away_since = now
        return lifted

    def count(self, outcomes: Sequence[Outcome], reply: Reply | None) -> None:
        """The vendor's last word on these rows: whether so many refusals are too many."""
        kinds = list(map(type, outcomes))
        refused = kinds.count(Refused) if reply is not None else 0
        if self._brake.heard(refused, kinds.count(Delivered)):
            self._tells.braked()

    def _judge(
        self,
        action: Action[Any],
        turn: Turn,
        outcomes: Sequence[Outcome],
        reply: Reply | None,
        answered: bool,
        now: float,
    ) -> str | None:
        at_breaker, at_bars, _ = turn
        for one in outcomes:
            if not isinstance(one, Barred):
                continue
            # Who answers is not away; what is barred is this action.
            if reply is not None:
                self._breaker.answered(at_breaker)
            else:
                self._breaker.undecided(at_breaker)
            if self.bars.raise_(action.name, one, now, at_bars):
                self._tells.barred(action.name, one, self._plan.instance.barred_seconds)
            return None
        if answered:
            self._breaker.answered(at_breaker)
            return action.name if self.bars.lift(action.name, at_bars) else None
        if any(isinstance(o, Failed) for o in outcomes):
            self._breaker.failed(now, at_breaker)
        else:
            # Also what was refused without a word from the vendor: it shows nothing.
            self._breaker.undecided(at_breaker)
        self.bars.undecided(action.name, at_bars)
        return None

    def is_probe(self, turn: Turn) -> bool:
        """Whether the request that left at `turn` asked if the vendor is back."""
        return self._breaker.is_probe(turn[0])

    def _heard(
        self, action: Action[Any], hint: Callable[[Reply, float], Heard], reply: Reply, wall: float
    ) -> Heard:
        try:
            return hint(reply, wall)
        except Exception as error:
            self._tells.broke(action.name, error)
            return Heard()
