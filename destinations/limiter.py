"""How soon one may knock again: windows, points, requests at once, and the vendor's wishes. Pure.

The workers of one instance share a limit without a word between them: each keeps to the part of it
that its part of the partitions is. What a vendor says of its own count corrects ours, downwards.

When parts move, who gains one takes it for used up, for a window. Only a worker's first part is
taken for unused, or a start would cost a window's silence. So within the window in which it joins
others that are busy, the vendor may see the limit and, once more, the new worker's part of it: less
than twice the limit, once.
"""

from __future__ import annotations

from collections import deque
from typing import Final, Literal, get_args

from destinations.pace import Pace
from destinations.spec import Bucket, Heard, Left, Rate, Window, to_midnight

SLICES = 50
"""Parts of a window in which requests are counted; it is exact to a fiftieth of its length."""

BUDGET = 30.0
"""Seconds from which on a window is a budget and no pace: success and refusals do not scale it."""

LAST = 0.2
"""The part of a budget that is spread over the time until it is renewed: after a burst come fewer
and fuller requests, and not a silence.
"""

LONG = 3_600.0
"""Seconds of a budget that nobody waits for: it is spent as it is needed."""

DAY = 86_400.0

Why = Literal["held", "daily_limit", "concurrency", "window", "cost"]
WHYS: Final = get_args(Why)
"""All that a request may have to wait for, as the metric's label says it."""


class Limiter:
    """One rate of one instance. Times are steady seconds, `wall` is in seconds since the epoch.

    `most`: requests that the instance itself has open at once, at most.
    """

    def __init__(self, rate: Rate, most: int = 1_000) -> None:
        self._windows: list[_Daily | _Rolling] = [
            _Daily(w) if w.resets else _Rolling(w) for w in rate.windows
        ]
        self._bucket = None if rate.bucket is None else _Points(rate.bucket)
        self._concurrency = float("inf") if rate.concurrency is None else rate.concurrency
        self._most = most
        self._pace = Pace()
        self._share: float | None = None
        self._owned: float | None = None
        self._open = 0
        self._resting = 0.0
        self._held = 0.0
        self._held_for: Why = "held"

    def wait(self, now: float, cost: float = 1.0) -> float:
        """Seconds until a request of this cost may leave; as the first of `look`."""
        return self.look(now, cost)[0]

    def look(self, now: float, cost: float = 1.0) -> tuple[float, Why]:
        """Seconds until a request may leave (0 is now, infinity when one must first return), and
        what it waits for.
        """
        if self._open >= max(1, int(self._seats)):
            return float("inf"), "concurrency"
        seconds, why = max(0.0, self._held - now), self._held_for
        if self._resting - now > seconds:
            seconds, why = self._resting - now, "concurrency"
        for window in self._windows:
            if (wait := window.wait(now, cost, self._part(window))) > seconds:
                seconds, why = wait, window.why
        if self._bucket is not None:
            share = self._share or 1.0
            wait = self._bucket.wait(now, cost, share, share * self._pace.rate)
            if wait > seconds:
                seconds, why = wait, "cost"
        return seconds, why

    def leave(self, now: float, wall: float, cost: float = 1.0) -> None:
        """A request leaves."""
        self._open += 1
        for window in self._windows:
            window.count(now, wall, cost)
        if self._bucket is not None:
            self._bucket.take(cost)

    def back(self, now: float, seconds: float) -> None:
        """A request came back after so many seconds, or was given up."""
        self._open -= 1
        if self._seats < 1:
            # Less than one at a time is one at a time with a rest: on average it is the same.
            self._resting = now + seconds * (1 / self._seats - 1)

    def answered(self, now: float, seconds: float) -> None:
        """The vendor did what was asked, after so many seconds."""
        self._pace.answered(now, seconds)

    def busy(self, now: float, after: float, reason: str) -> None:
        """The vendor refused for its limits: nothing leaves for `after` seconds, then less does.

        A day that is spent (`daily_limit`) says nothing about the pace.
        """
        if reason == "daily_limit":
            self.hold(now + after, "daily_limit")
            return
        self.hold(now + after)
        self._pace.refused(now, now + after)

    def hold(self, until: float, why: Why = "held") -> None:
        """The vendor asks for peace until then; a shorter wish does not shorten a longer one."""
        if until > self._held:
            self._held = until
            self._held_for = why

    def heard(self, heard: Heard, now: float) -> None:
        """What a reply said of the limits."""
        self.hold(now + heard.hold)
        for left in heard.left:
            named = [window for window in self._windows if window.seconds == left.seconds]
            for window in named:
                window.hear(left, now, self._part(window))
            if not named and left.remaining < 1:
                until = now + (left.seconds if left.reset is None else left.reset)
                self.hold(until, _why(left.seconds))
        if heard.level is not None and self._bucket is not None:
            self._bucket.hear(heard.level, self._share or 1.0)

    def share(self, part: float, now: float) -> None:
        """This worker reads `part` of the partitions, and has that part of all limits at once.

        Who owns nothing sends nothing, so its limits stay as they are.
        """
        if self._owned is None and part <= 0:
            return  # nothing was ours yet that another could have used
        if self._owned is not None and part > self._owned:
            for window in self._windows:
                window.inherit(part - self._owned, now)
        self._owned = part
        if part > 0:
            self._share = part

    @property
    def _seats(self) -> float:
        """Requests that may be open at once."""
        vendors = self._concurrency * (self._share or 1.0)
        return min(self._most, vendors) * self._pace.rate * self._pace.width

    def _part(self, window: _Counted) -> float:
        pace = 1.0 if window.seconds >= BUDGET else self._pace.rate
        return (self._share or 1.0) * pace


def _why(seconds: float) -> Why:
    return "daily_limit" if seconds >= DAY else "window"


class _Counted:
    """A window with its requests; `others` are those that the vendor counts and we do not."""

    def __init__(self, window: Window) -> None:
        self.seconds = window.seconds
        self.why = _why(window.seconds)
        self._limit = window.limit
        self._zone = window.resets
        self._sum = 0.0
        self._others = 0.0
        self._others_until = 0.0

    def hear(self, left: Left, now: float, part: float) -> None:
        """Believe the vendor where it counts more than we do. What is under way counts as counted:
        vendors count when a request arrives.
        """
        self._others = max(0.0, self._limit * part - self._sum - left.remaining)
        self._others_until = now + (self.seconds if left.reset is None else left.reset)

    def inherit(self, part: float, now: float) -> None:
        """Another worker's part is ours now; it may just have used it up.

        Of a long window that would idle us for a day at each handover: there the vendor's own
        count, or its refusal, is what corrects us.
        """
        if self.seconds < LONG:
            self._forget_others(now)
            self._others += self._limit * part
            self._others_until = now + self.seconds

    def _overfull(self, now: float, cost: float, room: float) -> bool:
        self._forget_others(now)
        return self._sum + self._others + min(cost, room) > room

    def _forget_others(self, now: float) -> None:
        if now >= self._others_until:
            self._others = 0.0


class _Rolling(_Counted):
    """Counted by slices, and never forgotten too early."""

    def __init__(self, window: Window) -> None:
        super().__init__(window)
        self._slice = window.seconds / SLICES
        self._slices: deque[list[float]] = deque()  # [end of the slice, requests in it]
        self._last = 0.0

    def wait(self, now: float, cost: float, part: float) -> float:
        # Less than one request in a window is one request in a longer window.
        room = max(1.0, self._limit * part)
        span = self.seconds * room / (self._limit * part)
        while self._slices and self._slices[0][0] + span <= now:
            self._sum -= self._slices.popleft()[1]
        if not self._slices:
            self._sum = 0.0  # what is left of sums of fractions
        if not self._overfull(now, cost, room):
            return self._spread(now, room, span)
        frees = [self._slices[0][0] + span] if self._slices else []
        return min([*frees, self._others_until] if self._others else frees) - now

    def _spread(self, now: float, room: float, span: float) -> float:
        """Seconds until the next, so that what is left of the window lasts until it frees."""
        left = room - self._sum - self._others
        if not BUDGET <= self.seconds < LONG or left > room * LAST or not self._slices:
            return 0.0
        gap = (self._slices[0][0] + span - now) / max(left, 1.0)
        return max(0.0, self._last + gap - now)

    def count(self, now: float, wall: float, cost: float) -> None:
        del wall
        self._last = now
        if self._slices and now < self._slices[-1][0]:
            self._slices[-1][1] += cost
        else:
            self._slices.append([now + self._slice, cost])
        self._sum += cost


class _Daily(_Counted):
    """Begun anew at a midnight."""

    _ends = 0.0

    def wait(self, now: float, cost: float, part: float) -> float:
        if now >= self._ends:
            self._sum = 0.0
        room = max(1.0, self._limit * part)
        if not self._overfull(now, cost, room):
            return 0.0
        ours = self._sum + min(cost, room) > room
        return (self._ends if ours else self._others_until) - now

    def count(self, now: float, wall: float, cost: float) -> None:
        if now >= self._ends:
            self._sum = 0.0
            self._ends = now + to_midnight(self._zone or "UTC", wall)
        self._sum += cost


class _Points:
    """A bucket of points, with a debt where one request costs more than it holds."""

    def __init__(self, bucket: Bucket) -> None:
        self._points = bucket.points
        self._restore = bucket.restore
        self._level = bucket.points
        self._at = 0.0

    def wait(self, now: float, cost: float, share: float, part: float) -> float:
        most = self._points * share
        restored = max(0.0, now - self._at) * self._restore * part
        self._level = min(most, self._level + restored)
        self._at = now
        return (min(cost, most) - self._level) / (self._restore * part)

    def take(self, cost: float) -> None:
        self._level -= cost

    def hear(self, level: float, share: float) -> None:
        self._level = min(self._level, level * share)
