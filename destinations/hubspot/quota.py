"""How many requests an account has, by its plan and by what its replies say."""

from __future__ import annotations

from collections.abc import Mapping

from destinations.hubspot.settings import Settings
from destinations.spec import Heard, Left, Rate, Reply, Window, to_midnight

BURST = 10.0
DAY = 86_400.0
HOUR = 3_600.0

PLANS: Mapping[str, tuple[int, int]] = {
    "free": (100, 250_000),
    "starter": (100, 250_000),
    "professional": (190, 625_000),
    "enterprise": (190, 1_000_000),
    # An add-on brings a million; this is an Enterprise plan with the two that one may have.
    "addon": (250, 3_000_000),
}
"""Requests in ten seconds and in a day. What is less than this, the headers and a 429 say."""

OAUTH = 110
"""Requests in ten seconds of an OAuth app, on any plan; it has no limit of a day."""


def crm(settings: Settings) -> Rate:
    """The rate of all calls but events. A day is counted only where its end is known."""
    zone = settings.timezone
    if settings.renewable:
        return _rate(zone, Window(OAUTH, BURST))
    burst, daily = PLANS[settings.tier]
    windows = [Window(burst, BURST)] + ([Window(daily, DAY, zone)] if zone else [])
    return _rate(zone, *windows)


def _rate(zone: str | None, *windows: Window) -> Rate:
    return Rate("crm", windows, hint=lambda reply, now: heard(reply, now, zone))


def heard(reply: Reply, now: float, zone: str | None) -> Heard:
    """What the headers say is left. A day that is spent is asked about hourly where no time zone
    tells when it ends.
    """
    said = (
        (BURST, _number(reply, "remaining"), BURST),
        (1.0, _number(reply, "secondly-remaining"), 1.0),
        (DAY, _number(reply, "daily-remaining"), to_midnight(zone, now) if zone else HOUR),
    )
    return Heard(left=tuple(Left(per, n, ends) for per, n, ends in said if n is not None))


def _number(reply: Reply, name: str) -> int | None:
    said = reply.headers.get(f"x-hubspot-ratelimit-{name}", "").strip()
    return int(said) if said.isascii() and said.isdecimal() and len(said) < 12 else None


CRM = _rate(None, Window(PLANS["free"][0], BURST))
"""Of the smallest plan, where no instance is asked about."""
