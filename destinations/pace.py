"""How hard one may knock: less after a 429 or when answers grow slow, more with success. Pure.

Two parts of what the vendor's limits allow, each from LEAST to 1:

`rate` follows refusals as TCP does: halved when the vendor says that it is too much, raised by a
little for each second in which it answers. It scales windows and requests at once.

`width` follows the time of answers. When the last ten or so took twice as long as is usual (of the
last two hundred), requests wait in a queue at the vendor, and sending fewer at once costs nothing:
it falls by a tenth for each round of answers, and rises as gently. What is usual follows slowly, so
that a vendor whose batches have grown is not thought slow for ever. It scales requests at once.
"""

from __future__ import annotations

LEAST = 0.1
"""The part that is always allowed: enough to hear that the vendor takes more again."""

STEP = 0.05
"""How much a part grows at a time."""

LATELY, USUALLY = 0.1, 0.005
"""The weight of an answer's time in the two averages: of some ten and two hundred answers."""

QUICK = 0.1
"""Seconds; answers that are quicker come from no queue, however much slower than usual."""


class Pace:
    """The pace of one rate. Times are steady seconds."""

    __slots__ = ("_grown", "_lately", "_refused_until", "_turned", "_usually", "rate", "width")

    def __init__(self) -> None:
        self.rate = 1.0
        self.width = 1.0
        self._refused_until = float("-inf")
        self._grown = float("-inf")
        self._turned = float("-inf")
        self._lately = self._usually = 0.0

    def refused(self, now: float, until: float) -> None:
        """The vendor said that it is too much, and to come back at `until`.

        Requests that were on the road by then say the same, and are one refusal with it.
        """
        if now < self._refused_until:
            return
        self.rate = max(LEAST, self.rate / 2)
        self._refused_until = self._grown = max(until, now + self._lately)

    def answered(self, now: float, seconds: float) -> None:
        """A request was answered well, after so many seconds."""
        if now - self._grown >= 1.0:
            self.rate = min(1.0, self.rate + STEP)
            self._grown = now
        if not self._usually:
            self._lately = self._usually = seconds
        self._lately += (seconds - self._lately) * LATELY
        self._usually += (seconds - self._usually) * USUALLY
        if now - self._turned >= self._lately:
            self._turned = now
            slow = self._lately > max(2 * self._usually, QUICK)
            self.width = max(LEAST, self.width * 0.9) if slow else min(1.0, self.width + STEP)
