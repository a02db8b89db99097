"""Limits by plan, and what replies say is left of them."""

from __future__ import annotations

from typing import Any

import pytest

from destinations.hubspot.quota import DAY, crm
from destinations.hubspot.sandbox import Sandbox
from destinations.hubspot.settings import Settings
from destinations.spec import Heard, Left, Reply, Request, Window
from tests.destinations.cases import NOW
from tests.destinations.hubspot.practice import OAUTH

PRIVATE = {"access_token": "x"}


def rate(**said: Any) -> Any:
    return crm(Settings.model_validate({**PRIVATE, **said}))


@pytest.mark.parametrize(
    ("said", "windows"),
    [
        ({}, (Window(100, 10.0),)),
        ({"tier": "professional"}, (Window(190, 10.0),)),
        ({"tier": "addon"}, (Window(250, 10.0),)),
        (
            {"tier": "enterprise", "timezone": "Europe/Berlin"},
            (Window(190, 10.0), Window(1_000_000, DAY, "Europe/Berlin")),
        ),
        ({"access_token": None, **OAUTH, "tier": "addon"}, (Window(110, 10.0),)),
    ],
)
def test_the_plan_decides_how_much_there_is(
    said: dict[str, Any], windows: tuple[Window, ...]
) -> None:
    """A private app has its plan's limits, an OAuth app its own; a day needs a time zone."""
    assert windows == rate(**said).windows


@pytest.mark.parametrize(
    ("headers", "left"),
    [
        ({}, ()),
        ({"remaining": "7"}, (Left(10.0, 7, 10.0),)),
        ({"remaining": "soon"}, ()),
        ({"secondly-remaining": "0"}, (Left(1.0, 0, 1.0),)),
        ({"daily-remaining": "0"}, (Left(DAY, 0, 3_600.0),)),
    ],
)
def test_headers_say_what_is_left(headers: dict[str, str], left: tuple[Left, ...]) -> None:
    """Of ten seconds, of one, and of the day, which is asked about hourly without a time zone."""
    said = {f"x-hubspot-ratelimit-{name}": value for name, value in headers.items()}

    assert Heard(left=left) == rate().hint(Reply(200, said), NOW)


def test_a_spent_day_ends_at_the_accounts_midnight() -> None:
    """It is eleven in the morning in Berlin."""
    heard = rate(timezone="Europe/Berlin").hint(
        Reply(200, {"x-hubspot-ratelimit-daily-remaining": "0"}), NOW
    )

    assert Heard(left=(Left(DAY, 0, 13 * 3_600.0),)) == heard


def test_the_sandbox_holds_to_the_limits() -> None:
    """The 191st request in ten seconds is too many, and the headers said so before."""
    practice = Sandbox()
    request = Request("GET", "/crm/v3/properties/contacts", {"authorization": "Bearer pat-sandbox"})
    replies = [practice.answer(request, NOW) for _ in range(191)]
    later = practice.answer(request, NOW + 10)
    left = [rate().hint(reply, NOW).left[0].remaining for reply in replies]

    assert [200] * 190 + [429] == [reply.status for reply in replies]
    assert [*range(189, -1, -1), 0] == left
    assert 200 == later.status
