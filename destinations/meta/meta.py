"""Meta (Facebook) Conversions API: conversions told by the server, matched by hashed identifiers.

API     Graph v26.0, `POST /{version}/{dataset}/events`, up to 1,000 events as JSON. A version that
        has ended is served by an older one without a word, save the header facebook-api-version;
        the delivery then carries a note.
Auth    A system user's token as Bearer; it has no renewal, a dead one (190, 102) bars the
        instance. Optionally appsecret_proof, in the body.
Limits  None published; codes 4, 17, 32, 613 and 80000-80014 throttle, usage headers warn before.
        Events of the last 7 days (62 in a physical store); one that is older sinks its request.
Quirks  All or nothing, and the culprit is not always named. The HTTP status means nothing, only
        the codes in the body do. Test events count like any other. Errors echo tokens.
        Events are deduplicated by name and id for 48 h, with those of the pixel too: give the
        pixel the same id as `properties.event_id` or messageId.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import AwareDatetime, StringConstraints, field_validator, model_validator

from destinations.meta import answers, commerce, event, identity
from destinations.spec import (
    Account,
    Action,
    Barred,
    Batch,
    Const,
    Destination,
    Field,
    Idempotency,
    Made,
    On,
    Rate,
    Request,
    Row,
    SecretStr,
    Source,
    Talk,
    VendorSettings,
    all_rows,
    dumps,
    setting,
)


class Settings(VendorSettings):
    """What we are told of a dataset at Meta."""

    dataset_id: str = setting(pattern=r"^\d+$", description="Id of the dataset (the pixel).")
    access_token: SecretStr = setting(description="A system user's token for the dataset.")
    app_secret: SecretStr | None = setting(
        None, description="The app's secret; proves each request (appsecret_proof) when set."
    )
    version: str = setting(
        "v26.0", pattern=r"^v\d+\.\d+$", description="Version of the Graph API that we ask for."
    )
    base_url: str = setting("https://graph.facebook.com", description="Where the Graph API is.")
    action_source: event.ActionSource = setting(
        "website", description="Where events happen that do not say so and are no app's."
    )
    events: Mapping[str, str] = setting(
        default_factory=dict,
        description="Our event names to Meta's, before the usual ones; an empty name leaves out.",
    )
    unmapped: Literal["custom", "drop"] = setting(
        "custom", description="Events that no table names: send them by their own name, or not."
    )
    page_event: str = setting(
        "PageView", description="What pages and screens are at Meta; empty leaves them out."
    )
    currency: Annotated[str, StringConstraints(to_upper=True, pattern=r"^[A-Za-z]{3}$")] = setting(
        "USD", description="The currency of values that come without one."
    )
    custom_properties: tuple[str, ...] = setting(
        (), description="Properties to tell Meta by their own names; never personal ones."
    )
    phone_country: str | None = setting(
        None,
        pattern=r"^[A-Z]{2}$",
        description="Country (DE) of phone numbers without a code; without it they are left out.",
    )
    name_spaces: Literal["keep", "remove"] = setting(
        "keep", description="Blanks inside names; remove them only if your pixel does so too."
    )
    hash_external_id: bool = setting(
        True, description="Hash external_id; your pixel must be told it in the same form."
    )
    # Unverified: Meta publishes no limit; 64 is what all vendors of its kind take.
    event_id_limit: int = setting(
        64, ge=36, le=512, description="Characters of an event_id; longer ones are hashed."
    )
    data_processing_options: tuple[Literal["LDU"], ...] = setting(
        (), description='["LDU"] asks Meta to limit data use, for events that do not say.'
    )
    data_processing_options_country: int = setting(
        0, ge=0, le=1, description="Country of limited data use: 1 is the US, 0 lets Meta find out."
    )
    data_processing_options_state: int = setting(
        0, ge=0, le=9_999, description="State of limited data use (1000 is California), 0 as above."
    )
    opt_out_categories: tuple[str, ...] = setting(
        (), description="Consent categories: if one is denied, the event is sent with opt_out."
    )
    test_event_code: str | None = setting(
        None, description="Shows events under Test events; they count all the same."
    )
    test_event_code_until: AwareDatetime | None = setting(
        None, description="When the test code ends (ISO 8601 with offset); needed beside a code."
    )
    test_event_seconds: float = setting(
        3_600.0, gt=0, le=86_400, description="The longest that a test code may still have to go."
    )
    partner_agent: str | None = setting(None, description="The platform that Meta is to see.")
    batch: int = setting(1_000, ge=1, le=1_000, description="Most events in a request.")
    # Unverified: a peer's README says about 1 MB.
    batch_bytes: int = setting(
        900_000, ge=10_000, le=10_000_000, description="Most bytes of events in a request."
    )
    throttled_seconds: float = setting(
        60.0, gt=0, le=3_600, description="Seconds of a pause when throttled without a word on it."
    )
    timeout: float = setting(
        10.0, gt=0, le=60, description="Seconds until a request that has no answer is given up."
    )

    @field_validator("access_token")
    @classmethod
    def _fits_a_header(cls, token: SecretStr) -> SecretStr:
        if not all("!" <= c <= "~" for c in token.get_secret_value()):
            raise ValueError("must be ASCII without blanks or line breaks")
        return token

    @field_validator("base_url")
    @classmethod
    def _is_an_address(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ("https", "http") or not parts.hostname or parts.query:
            raise ValueError("must be an http(s) URL with a host and without a query")
        return url.rstrip("/")

    @field_validator("custom_properties")
    @classmethod
    def _are_free_names(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if name in KEYS:
                raise ValueError(f"{name} is a field of its own")
        return names

    @model_validator(mode="after")
    def _tests_end(self) -> Self:
        if self.test_event_code and self.test_event_code_until is None:
            raise ValueError("test_event_code: must come with test_event_code_until")
        return self


def event_fields(settings: Settings) -> dict[str, Field]:
    """All fields of a conversion; no two of Meta's objects share a name."""
    usual = ", ".join(f"{ours} is {theirs}" for ours, theirs in commerce.EVENTS.items())
    name = Made(
        f"the setting `events`, else {usual}, else the event's own name",
        lambda found: commerce.name_of(found, settings.events),
    )
    return _fields(name, settings, commerce.fields(settings.currency, settings.custom_properties))


def page_fields(settings: Settings) -> dict[str, Field]:
    """All fields of a page or a screen."""
    name = Const(settings.page_event)
    return _fields(name, settings, commerce.page_fields(settings.custom_properties))


def _fields(name: Source, settings: Settings, custom: dict[str, Field]) -> dict[str, Field]:
    limited_use = (
        settings.data_processing_options,
        settings.data_processing_options_country,
        settings.data_processing_options_state,
    )
    return {
        **event.fields(
            name,
            settings.action_source,
            settings.event_id_limit,
            settings.opt_out_categories,
            limited_use,
        ),
        **identity.fields(settings.phone_country, settings.name_spaces, settings.hash_external_id),
        **custom,
    }


def tell(rows: Sequence[Row], account: Account[Settings]) -> Talk:
    """One request, all or nothing."""
    settings, now = account.settings, account.now
    body: dict[str, Any] = {"data": [event.item(row, now) for row in rows]}
    if settings.test_event_code and settings.test_event_code_until:
        left = settings.test_event_code_until.astimezone(UTC).timestamp() - now
        if left > settings.test_event_seconds:
            sentence = f"test_event_code_until: more than {settings.test_event_seconds:.0f} s away"
            return all_rows(Barred("test_event_code", sentence), rows)
        if left > 0:
            body["test_event_code"] = settings.test_event_code
    if settings.partner_agent:
        body["partner_agent"] = settings.partner_agent
    token = settings.access_token.get_secret_value()
    if settings.app_secret is not None:
        secret = settings.app_secret.get_secret_value().encode()
        body["appsecret_proof"] = hmac.new(secret, token.encode(), hashlib.sha256).hexdigest()
    reply = yield Request(
        "POST",
        f"{settings.base_url}/{settings.version}/{settings.dataset_id}/events",
        {"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
        dumps(body),
        settings.timeout,
    )
    return answers.outcomes(reply, rows, settings.version, now, settings.throttled_seconds)


def _wanted(found: Mapping[str, Any], settings: Settings) -> bool:
    if not commerce.name_of(found, settings.events):
        return False
    return settings.unmapped == "custom" or commerce.known(found, settings.events)


KEYS = event.KEYS | identity.KEYS | commerce.fields("USD", ()).keys()
"""The names that Meta gives fields of its own."""

USUAL = Settings(dataset_id="0", access_token=SecretStr(""))
"""Settings of which all is as usual, for the fields that `describe` prints without an instance."""


def _action(
    name: str, sentence: str, on: On, fields: Callable[[Settings], dict[str, Field]]
) -> Action[Settings]:
    return Action(
        name=name,
        sentence=sentence,
        on=on,
        fields=fields(USUAL),
        fields_for=fields,
        talk=tell,
        idempotency=Idempotency.NATIVE,
        window=48 * 3_600.0,
        batch=Batch(rows=1_000, bytes=900_000, atomic=True),
        batch_for=lambda settings: Batch(settings.batch, settings.batch_bytes, atomic=True),
        rate=Rate("events", hint=answers.hint),
        max_age=event.max_age,
        check=event.check,
    )


destination = Destination(
    name="meta",
    titles=identity.TITLES,
    settings=Settings,
    # Released 2026-07-29. A version lives for two years after the next one, and there is none yet.
    version="v26.0",
    docs="https://developers.facebook.com/docs/marketing-api/conversions-api",
    actions=(
        _action(
            "event",
            "Tells Meta of a conversion.",
            On(("track",), where=_wanted, sentence="whose name at Meta is not empty"),
            event_fields,
        ),
        _action(
            "page_view",
            "Tells Meta of a page or a screen.",
            On(
                ("page", "screen"),
                where=lambda _, settings: bool(settings.page_event),
                sentence="unless page_event is empty",
            ),
            page_fields,
        ),
    ),
)
