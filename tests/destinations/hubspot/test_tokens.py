"""Tokens, limits, and the settings that open an account."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from destinations.hubspot.fields import contact_fields
from destinations.hubspot.hubspot import token
from destinations.hubspot.settings import Settings
from destinations.outcome import Barred, Busy, Delivered, Failed, Outcome
from destinations.talk import Reply, Token, Unreadable
from tests.destinations.cases import NOW
from tests.destinations.hubspot.practice import OAUTH, Practice, contact


async def renewed(practice: Practice, **more: Any) -> Any:
    """What the talk about a token comes to."""
    account = practice.account(access_token=None, **{**OAUTH, **more})
    account.grant = account.settings.refresh_token.get_secret_value()
    talk = token(account)
    request = next(talk)
    try:
        talk.send(await practice.send(request))
    except StopIteration as end:
        return end.value
    raise AssertionError("the talk goes on")


@pytest.mark.parametrize("version", ["2026-03", "2026-09", "v3"])
async def test_a_token_is_renewed(version: str) -> None:
    """Each version's token endpoint gives a token of 30 minutes, and it opens the account."""
    practice = Practice()
    got = await renewed(practice, api_version=version)
    account = practice.account(access_token=None, api_version=version, **OAUTH)
    account.token = got.value
    outcomes = await practice.carry("upsert_contact", [contact(1, "ada@ex.org")], account)

    assert Token(got.value, 1_800.0, "refresh-sandbox") == got
    assert [Delivered()] == outcomes


@pytest.mark.parametrize("version", ["2026-03", "v3"])
async def test_a_refresh_token_that_is_revoked_bars(version: str) -> None:
    """`invalid_grant` is no matter of trying again."""
    outcome = await renewed(Practice(), refresh_token="revoked", api_version=version)

    assert Barred("invalid_grant", "missing or invalid refresh token") == outcome


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        (Reply(503), Failed("http_503")),
        (Reply(429, {"retry-after": "7"}), Failed("rate_limit", 7.0)),
    ],
)
async def test_a_token_may_have_to_wait(reply: Reply, outcome: Outcome) -> None:
    """Their fault and a limit are tried again."""
    assert outcome == await renewed(Practice(lambda _, __: reply))


@pytest.mark.parametrize("said", [{}, {"access_token": "x", "expires_in": 0}])
async def test_an_answer_without_a_token_cannot_be_read(said: dict[str, Any]) -> None:
    """A 200 of another shape is no token."""
    with pytest.raises(Unreadable):
        await renewed(Practice(lambda _, __: Reply.of(200, said)))


@pytest.mark.parametrize("said", ["expired", "pat-wrong"])
async def test_only_oauth_asks_for_another_token(said: str) -> None:
    """A 401 calls for a new token with OAuth; a static one stays what it is."""
    static = Practice().account(access_token=said)
    oauth = Practice().account(access_token=None, **OAUTH)
    oauth.token = said
    rows = [contact(1, "ada@ex.org")]
    outcomes = [
        (await Practice().carry("upsert_contact", rows, account))[0] for account in (static, oauth)
    ]

    assert [False, True] == [o.stale_token for o in outcomes if isinstance(o, Barred)]


async def test_a_day_ends_at_midnight_also_when_clocks_change() -> None:
    """On 28 March 2027 a day in Berlin has 23 hours."""
    practice = Practice()
    practice.clock.advance(1_806_188_400.0 - NOW)  # 2027-03-27T23:00Z, midnight there
    account = practice.account(access_token="daily", timezone="Europe/Berlin")
    outcomes = await practice.carry("upsert_contact", [contact(1, "ada@ex.org")], account)

    assert [Busy(23 * 3_600.0, "daily_limit")] == outcomes


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ({}, "set either access_token"),
        ({"access_token": "x", **OAUTH}, "set either access_token"),
        ({"client_id": "x"}, "belong together"),
        ({"access_token": "x", "timezone": "Mars/Olympus"}, "no time zone"),
        ({"access_token": "x", "api_version": "v1"}, "api_version"),
    ],
)
def test_settings_say_what_is_wrong(said: dict[str, Any], sentence: str) -> None:
    """There is one way in, and it is whole."""
    with pytest.raises(ValidationError, match=sentence):
        Settings.model_validate(said)


def test_a_contact_may_have_properties_of_your_own() -> None:
    """What the settings name becomes a field, which `hub.toml` may override like any other."""
    told = {"access_token": "x", "contact_properties": {"segment_user_id": "userId"}}
    fields = contact_fields(Settings.model_validate(told))

    assert "userId" == str(fields["segment_user_id"].source)
