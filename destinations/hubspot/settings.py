"""What an instance of HubSpot is told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Self
from zoneinfo import ZoneInfo

from pydantic import field_validator, model_validator

from destinations.spec import SecretStr, VendorSettings, setting


class Settings(VendorSettings):
    """What HubSpot is told: one static token, or the three words of OAuth."""

    access_token: SecretStr | None = setting(
        None, description="The token of a legacy private app (`pat-...`) or a Service Key."
    )
    client_id: str | None = setting(None, description="The client id of an OAuth app.")
    client_secret: SecretStr | None = setting(
        None, description="The client secret of an OAuth app."
    )
    refresh_token: SecretStr | None = setting(
        None, description="The refresh token that an OAuth app was given for the account."
    )
    api_version: Literal["2026-03", "2026-09", "v3"] = setting(
        "2026-03",
        description="The API version in all paths; `v3` ends in September 2027, and since "
        "2026-09 an administrator's required properties are enforced.",
    )
    base_url: str = setting(
        "https://api.hubapi.com", description="Where the API is; accounts in the EU need no other."
    )
    contact_id_property: str = setting(
        "email",
        description="The property that tells contacts apart; one other than `email` must have "
        "unique values, and is filled from userId.",
    )
    company_id_property: str = setting(
        "segment_group_id",
        description="The property that tells companies apart: of unique values, filled from "
        "groupId.",
    )
    contact_properties: Mapping[str, str] = setting(
        default_factory=dict,
        description="More contact properties, each with the dotted path of its value.",
    )
    company_properties: Mapping[str, str] = setting(
        default_factory=dict,
        description="More company properties, each with the dotted path of its value.",
    )
    associate: bool = setting(
        True, description="Link a group's company with the contact of the event's e-mail address."
    )
    events: Mapping[str, str] = setting(
        default_factory=dict,
        description="Custom events: a track event's (or page's, or screen's) name, and the "
        "definition's full name, such as `pe123_order_completed`.",
    )
    unknown_properties: Literal["drop", "create", "fail"] = setting(
        "drop",
        description="What becomes of properties that the account does not have: left out, created "
        "as text (for events: left out), or sent unasked and refused with their record.",
    )
    property_cache_seconds: float = setting(
        3_600.0, ge=60, description="Seconds for which the account's properties are remembered."
    )
    tier: Literal["free", "starter", "professional", "enterprise", "addon"] = setting(
        "free",
        description="The account's plan, or `addon` with the API add-on: it decides how many "
        "requests a private app may make; an OAuth app has a limit of its own.",
    )
    timezone: str | None = setting(
        None,
        description="The account's time zone, such as `Europe/Berlin`, at whose midnight the daily "
        "limit ends; if unset, a spent day is asked about hourly.",
    )
    timeout: float = setting(
        30.0, gt=0, le=120, description="Seconds until a request that has no answer is given up."
    )

    @field_validator("timezone")
    @classmethod
    def _is_a_zone(cls, name: str | None) -> str | None:
        try:
            if name is not None:
                ZoneInfo(name)
        except (KeyError, OSError, ValueError):
            raise ValueError("is no time zone that this machine knows") from None
        return name

    @model_validator(mode="after")
    def _has_one_way_in(self) -> Self:
        oauth = [self.client_id, self.client_secret, self.refresh_token]
        if any(oauth) and not all(oauth):
            raise ValueError("client_id, client_secret and refresh_token belong together")
        if bool(self.access_token) == all(oauth):
            raise ValueError(
                "set either access_token, or client_id, client_secret and refresh_token"
            )
        return self

    @property
    def renewable(self) -> bool:
        """Whether a new token can be had."""
        return self.refresh_token is not None
