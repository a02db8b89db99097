"""How soon one may knock again: the vendor's windows, its wishes, and its concurrency. Pure."""

from __future__ import annotations

from collections import deque

from destinations.spec import Rate, Window

SLICES = 50
"""Parts of a window in which requests are counted; it is exact to a fiftieth of its length."""


class Limiter:
    """One rate of one instance. Times are steady seconds."""

    def __init__(self, rate: Rate) -> None:
        self._windows = [_Counted(window) for window in rate.windows]
        self._concurrency = rate.concurrency
        self._open = 0
        self._held = 0.0

    def wait(self, now: float) -> float:
        """Seconds until a request may leave; 0 is now, infinity when one must first return."""
        if self._concurrency is not None and self._open >= self._concurrency:
            return float("inf")
        return max(0.0, self._held - now, *(window.wait(now) for window in self._windows))

    def leave(self, now: float) -> None:
        """A request leaves."""
        self._open += 1
        for window in self._windows:
            window.count(now)

    def back(self) -> None:
        """A request came back, or was given up."""
        self._open -= 1

    def hold(self, until: float) -> None:
        """The vendor asks for peace until then; a shorter wish does not shorten a longer one."""
        self._held = max(self._held, until)


class _Counted:
    """A window with its requests, counted by slices and never forgotten too early."""

    __slots__ = ("_limit", "_seconds", "_slice", "_slices", "_sum")

    def __init__(self, window: Window) -> None:
        self._limit = window.limit
        self._seconds = window.seconds
        self._slice = window.seconds / SLICES
        self._slices: deque[list[float]] = deque()  # [end of the slice, requests in it]
        self._sum = 0.0

    def wait(self, now: float) -> float:
        while self._slices and self._slices[0][0] + self._seconds <= now:
            self._sum -= self._slices.popleft()[1]
        if self._sum < self._limit:
            return 0.0
        return self._slices[0][0] + self._seconds - now

    def count(self, now: float) -> None:
        if self._slices and now < self._slices[-1][0]:
            self._slices[-1][1] += 1
        else:
            self._slices.append([now + self._slice, 1])
        self._sum += 1
