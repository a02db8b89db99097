"""What Klaviyo is told of an instance, and the calls that these settings shape."""

from __future__ import annotations

import base64
from collections.abc import Generator, Mapping
from typing import Literal, Self
from urllib.parse import urlencode, urlsplit

from pydantic import field_validator, model_validator

from destinations.spec import (
    Account,
    Barred,
    Busy,
    Failed,
    Refused,
    Reply,
    Request,
    SecretStr,
    Token,
    TokenTalk,
    Unreadable,
    VendorSettings,
    by_status,
    dumps,
    setting,
)


class Settings(VendorSettings):
    """What Klaviyo is told."""

    private_key: SecretStr | None = setting(
        None, description="A private API key, `pk_` and what follows; or what OAuth needs."
    )
    client_id: str | None = setting(None, description="The client id of an OAuth app.")
    client_secret: SecretStr | None = setting(
        None, description="The client secret of an OAuth app."
    )
    refresh_token: SecretStr | None = setting(
        None, description="The refresh token that an OAuth app was given for the account."
    )
    base_url: str = setting("https://a.klaviyo.com", description="Where the API is.")
    revision: str = setting(
        "2026-07-15",
        pattern=r"^\d{4}-\d{2}-\d{2}(\.[a-z0-9-]+)?$",
        description="The API revision that is asked for.",
    )
    batch: int = setting(
        1,
        ge=1,
        le=1_000,
        description="Most events in a request; 1 sends them singly, more in bulk jobs.",
    )
    default_country: str | None = setting(
        None,
        pattern=r"^[A-Z]{2}$",
        description="The country (`DE`) of phone numbers that come without a country code.",
    )
    metric_names: Mapping[str, str] = setting(
        default_factory=dict, description="Metrics' names by events' names; others keep their own."
    )
    backfill_after: float = setting(
        604_800.0,
        ge=0,
        description="Seconds of age beyond which an event triggers no flows; `inf` for never.",
    )
    groups: bool = setting(
        False, description="Whether group events set properties of the person's profile."
    )
    on_conflict: Literal["refuse", "email", "phone_number", "external_id"] = setting(
        "refuse",
        description="When identifiers belong to two people: a dead letter, or keep this one only.",
    )
    list_id: str | None = setting(
        None, min_length=1, description="The list that people are subscribed to."
    )
    consent_traits: bool = setting(
        False, description="Whether an identify's consent traits subscribe and unsubscribe."
    )
    consent_channels: tuple[Literal["email", "sms"], ...] = setting(
        ("email",), description="The channels that a consent event is about when it names none."
    )
    historical_import: bool = setting(
        False, description="Import consent given earlier: no double opt-in and no welcome flows."
    )
    custom_source: str = setting(
        "event hub", description="Where consent was given, as it is put on record."
    )
    timeout: float = setting(
        30.0, gt=0, le=120, description="Seconds until a request that has no answer is given up."
    )

    @field_validator("base_url")
    @classmethod
    def _leads_somewhere(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ("https", "http") or not parts.hostname or parts.query:
            raise ValueError("must be a URL with a host and without a query")
        return url.rstrip("/")

    @model_validator(mode="after")
    def _has_one_way_in(self) -> Self:
        oauth = [self.client_id, self.client_secret, self.refresh_token]
        if any(oauth) and not all(oauth):
            raise ValueError("client_id, client_secret and refresh_token belong together")
        if bool(self.private_key) == all(oauth):
            raise ValueError("set either private_key, or client_id, client_secret, refresh_token")
        return self


def ask(
    account: Account[Settings], method: str, path: str, document: object
) -> Generator[Request, Reply, Reply]:
    """One call, asked again at once when the answer is 401."""
    settings = account.settings
    if settings.private_key is not None:
        credentials = f"Klaviyo-API-Key {settings.private_key.get_secret_value()}"
    else:
        credentials = f"Bearer {account.token}"
    request = Request(
        method,
        f"{settings.base_url}/api/{path}",
        {
            "Authorization": credentials,
            "revision": settings.revision,
            "X-Klaviyo-Revision-Fall-Forward-Opt-Out": "1",
            "Accept": "application/vnd.api+json",
            "Content-Type": "application/vnd.api+json",
        },
        dumps({"data": document}),
        settings.timeout,
    )
    reply = yield request
    if reply.status == 401:
        reply = yield request
    return reply


def token(account: Account[Settings]) -> TokenTalk:
    """A new access token, for an hour; a refresh token ends when it rests for 90 days."""
    settings = account.settings
    secret = settings.client_secret.get_secret_value() if settings.client_secret else ""
    client = base64.b64encode(f"{settings.client_id}:{secret}".encode()).decode()
    reply = yield Request(
        "POST",
        f"{settings.base_url}/oauth/token",
        {
            "Authorization": f"Basic {client}",
            "Content-Type": "application/x-www-form-urlencoded",
        },
        urlencode({"grant_type": "refresh_token", "refresh_token": account.grant}).encode(),
        settings.timeout,
    )
    if reply.ok:
        return Token.of(reply)
    if reply.status in (400, 401):
        return Barred(*_refusal(reply))
    outcome = by_status(reply, account.now)
    match outcome:
        case Refused(code, reason):
            return Barred(code, reason)
        case Busy(after, reason):
            return Failed(reason, after)
        case _:
            return outcome


def _refusal(reply: Reply) -> tuple[str, str]:
    """Why no token is given, by OAuth's two words: another client, or a grant that has ended."""
    try:
        said = reply.object()
    except Unreadable:
        said = {}
    code = "invalid_client" if said.get("error") == "invalid_client" else "invalid_grant"
    return code, str(said.get("error_description") or "the refresh token is not accepted")
