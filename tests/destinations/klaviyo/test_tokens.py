"""OAuth: how an access token is renewed, and what it means when it is not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from destinations.klaviyo.sandbox import OAUTH_LIFE, Sandbox
from destinations.klaviyo.settings import Settings, token
from destinations.outcome import Barred, Failed, Outcome
from destinations.spec import Account, Reply, Request, Token, Unreadable
from tests.destinations.cases import NOW

APP = {
    "client_id": "client-practice",
    "client_secret": "secret-practice",
    "refresh_token": "refresh-practice",
    "base_url": "http://klaviyo",
}


def renewed(
    answer: Callable[[Request], Reply], grant: str = "refresh-practice", **more: Any
) -> Any:
    """What the talk about a token comes to."""
    account = Account(Settings.model_validate({**APP, **more}), lambda: NOW, grant=grant)
    talk = token(account)
    request = next(talk)
    try:
        talk.send(answer(request))
    except StopIteration as end:
        return end.value
    raise AssertionError("the talk goes on")


def sandbox(request: Request) -> Reply:
    headers = {name.lower(): value for name, value in request.headers.items()}
    url = request.url.removeprefix("http://klaviyo")
    return Sandbox().answer(Request(request.method, url, headers, request.body), NOW)


def test_a_token_is_renewed() -> None:
    """The app proves itself by Basic, and gets a token of an hour."""
    assert Token("practice-1", float(OAUTH_LIFE), "refresh-practice") == renewed(sandbox)


@pytest.mark.parametrize(
    ("more", "code"),
    [({"grant": "revoked"}, "invalid_grant"), ({"client_secret": "wrong"}, "invalid_client")],
)
def test_what_is_not_accepted_bars(more: dict[str, Any], code: str) -> None:
    """Asking again is no help: a person must."""
    outcome = renewed(sandbox, **more)

    assert isinstance(outcome, Barred)
    assert code == outcome.code


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        (Reply(503), Failed("http_503")),
        (Reply(429, {"retry-after": "7"}), Failed("rate_limit", 7.0)),
        (Reply(400, {}, b"<html>"), Barred("invalid_grant", "the refresh token is not accepted")),
    ],
)
def test_a_token_may_have_to_wait(reply: Reply, outcome: Outcome) -> None:
    """Their fault and a limit are tried again."""
    assert outcome == renewed(lambda _: reply)


def test_an_answer_without_a_token_cannot_be_read() -> None:
    """A 200 of another shape is no token."""
    with pytest.raises(Unreadable):
        renewed(lambda _: Reply.of(200, {"access_token": "", "expires_in": 60}))
