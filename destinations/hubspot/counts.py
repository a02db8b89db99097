"""What the practice account counts: ten seconds for each token, and a day that ends in UTC."""

from __future__ import annotations

from collections import deque

from destinations.hubspot.accounts import FAULTS
from destinations.spec import Reply

BURST = {"pat": 190, "oauth": 110}
"""Requests in ten seconds of a private app on an Enterprise plan, and of an OAuth app."""

DAILY = 1_000_000
"""Requests in a day of the account's private apps; those of OAuth apps are not counted."""


class Counts:
    """The last ten seconds of each token, and today."""

    def __init__(self) -> None:
        self._lately: dict[str, deque[float]] = {}
        self._day = 0
        self._today = 0

    def count(self, token: str, now: float) -> tuple[Reply | None, dict[str, str]]:
        """Count a request: a refusal if it is one too many, and the headers of its reply."""
        oauth = token.startswith("oauth-")
        most = BURST["oauth" if oauth else "pat"]
        calls = self._lately.setdefault(token, deque())
        while calls and calls[0] <= now - 10:
            calls.popleft()
        if self._day != now // 86_400:
            self._day, self._today = int(now // 86_400), 0
        refusal = None
        if len(calls) >= most:
            refusal = FAULTS["ten-secondly"]
        elif not oauth and self._today >= DAILY:
            refusal = FAULTS["daily"]
        else:
            calls.append(now)
            self._today += not oauth
        headers = {
            "interval-milliseconds": "10000",
            "max": str(most),
            "remaining": str(most - len(calls)),
        }
        if not oauth:
            headers |= {"daily": str(DAILY), "daily-remaining": str(DAILY - self._today)}
        return refusal, {f"x-hubspot-ratelimit-{name}": said for name, said in headers.items()}
