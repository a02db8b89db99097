"""What Klaviyo is told of an instance, and the call that these settings shape."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import field_validator, model_validator

from destinations.spec import Reply, Request, SecretStr, VendorSettings, dumps, setting


class Settings(VendorSettings):
    """What Klaviyo is told."""

    private_key: SecretStr | None = setting(
        None, description="A private API key, `pk_` and what follows; or give `access_token`."
    )
    access_token: SecretStr | None = setting(
        None, description="An OAuth access token instead of the key; it is not renewed here."
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
    def _has_one_key(self) -> Self:
        if (self.private_key is None) == (self.access_token is None):
            raise ValueError("private_key: give either private_key or access_token")
        return self


def ask(
    settings: Settings, method: str, path: str, document: object
) -> Generator[Request, Reply, Reply]:
    """One call, asked again at once when the answer is 401."""
    if settings.access_token is not None:
        credentials = f"Bearer {settings.access_token.get_secret_value()}"
    else:
        key = settings.private_key or SecretStr("")
        credentials = f"Klaviyo-API-Key {key.get_secret_value()}"
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
