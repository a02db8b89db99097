"""The event itself, in Meta's terms: when, where, under which name, and whether it can be sent."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

from destinations.meta import identity
from destinations.spec import (
    At,
    Const,
    Field,
    First,
    Form,
    Made,
    Refused,
    Row,
    Source,
    Unfit,
    forms,
)

DAY = 86_400.0
MARGIN = 600.0
"""Seconds by which an event is held too old earlier than Meta does: it still has to get there."""

AHEAD = 300.0
"""Seconds that an event may be ahead of its receipt (a clock that is wrong), and is told as of now:
Meta takes about a minute, and more would sink the neighbours. What is further ahead is refused."""

ActionSource = Literal[
    "website",
    "app",
    "email",
    "phone_call",
    "chat",
    "physical_store",
    "system_generated",
    "business_messaging",
    "other",
]
SOURCES = get_args(ActionSource)
MOBILE = {"ios": "i2", "ipados": "i2", "android": "a2"}


def _mobile(event: Mapping[str, Any]) -> str | None:
    """`i2` or `a2` for an event of an app, by what the mobile SDKs say of the device."""
    if At("context.page.url").find(event):  # a browser on a phone
        return None
    said = First("context.device.type", "context.os.name").find(event)
    return MOBILE.get(said.lower()) if isinstance(said, str) else None


def _app_data(event: Mapping[str, Any]) -> dict[str, Any] | None:
    """What Meta wants to know of an app: 16 places, of which the first and the fifth are needed."""

    def word(path: str) -> str:
        found = At(f"context.{path}").find(event)
        return str(found) if isinstance(found, str | int | float) else ""

    kind, system = _mobile(event), word("os.version")
    if kind is None or not system:
        return None
    tracked = At("context.device.adTrackingEnabled").find(event) is True
    version, screen = word("app.version"), ("screen.width", "screen.height", "screen.density")
    app = [kind, word("app.namespace"), word("app.build") or version, version, system]
    device = [word("device.model"), word("locale"), "", word("network.carrier")]
    return {
        # Without a word of the device, the person has not agreed.
        "advertiser_tracking_enabled": int(tracked),
        "application_tracking_enabled": 1,
        "extinfo": [*app, *device, *map(word, screen), "", "", "", word("timezone")],
    }


def _seconds(value: Any) -> int:
    found = forms.moment(value)
    if not 0 < found < 4e9:
        raise Unfit("is no time of these years")
    return int(found)


def _source(value: Any) -> str:
    if value not in SOURCES:
        raise Unfit(f"is none of {', '.join(SOURCES)}")
    return str(value)


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise Unfit("is neither true nor false")
    return value


def _object(value: Any) -> Any:
    if not isinstance(value, Mapping):
        raise Unfit("is no object")
    return value


def _options(value: Any) -> list[str]:
    return ["LDU"] if value in (["LDU"], ("LDU",), "LDU") else []


def _whole(value: Any) -> int:
    found = forms.number(value)
    if not isinstance(found, int) or not 0 <= found <= 9_999:
        raise Unfit("is no code of a place")
    return found


def _id_up_to(limit: int) -> Form:
    def form(value: Any) -> str:
        said = forms.text(value)
        fits = len(said) <= limit and said.isascii() and said.isprintable()
        return said if fits else hashlib.sha256(said.encode()).hexdigest()

    return form


def fields(
    name: Source,
    action_source: str,
    event_id_limit: int,
    opt_out_categories: Sequence[str],
    limited_use: tuple[Sequence[str], int, int],
) -> dict[str, Field]:
    """The fields of the event itself, by the vendor's own names."""

    def ours(key: str) -> First:
        return First(f"properties.{key}", f"context.{key}")

    def denied(event: Mapping[str, Any]) -> bool | None:
        given = At("context.consent.categoryPreferences").find(event)
        no = isinstance(given, Mapping) and any(
            given.get(category) is False for category in opt_out_categories
        )
        return True if no else None

    return {
        "event_name": Field("Its name at Meta.", name, forms.text, required=True),
        "event_time": Field("When, in seconds.", At("timestamp"), _seconds, required=True),
        "event_id": Field(
            "By which Meta knows a repetition, also of the pixel's.",
            First("properties.event_id", "messageId"),
            _id_up_to(event_id_limit),
        ),
        "action_source": Field(
            "Where it happened.",
            First(
                *ours("action_source").sources,
                Made(
                    "app for a phone without a page",
                    lambda event: "app" if _mobile(event) else None,
                ),
                Const(action_source),
            ),
            _source,
            required=True,
        ),
        "event_source_url": Field(
            "The page.", First("context.page.url", "properties.url"), forms.text
        ),
        "referrer_url": Field(
            "The page before.", First("context.page.referrer", "properties.referrer"), forms.text
        ),
        "opt_out": Field(
            "Whether Meta may not choose ads by it.",
            First(Made("a denied one of opt_out_categories", denied), *ours("opt_out").sources),
            _truth,
        ),
        "data_processing_options": Field(
            "Limited data use.",
            First(
                *ours("data_processing_options").sources,
                Const(list(limited_use[0])),
            ),
            _options,
        ),
        "data_processing_options_country": Field(
            "Its country.",
            First(
                *ours("data_processing_options_country").sources,
                Const(limited_use[1]),
            ),
            _whole,
        ),
        "data_processing_options_state": Field(
            "Its state.",
            First(
                *ours("data_processing_options_state").sources,
                Const(limited_use[2]),
            ),
            _whole,
        ),
        "app_data": Field(
            "The app and the device, of an app's event.",
            First("properties.app_data", Made("context.app, .device, .os, .screen", _app_data)),
            _object,
        ),
        "messaging_channel": Field("The messenger.", ours("messaging_channel"), forms.text),
        "original_event_data": Field(
            "The event that this one adds to.", ours("original_event_data"), _object
        ),
        "attribution_data": Field("Your own attribution.", ours("attribution_data"), _object),
    }


def item(row: Row, now: float) -> dict[str, Any]:
    """One event as Meta reads it."""
    user_data, custom_data, event = parts(row.fields)
    event["event_time"] = min(event["event_time"], int(now))
    if event["action_source"] != "app":
        event.pop("app_data", None)
    if "data_processing_options" not in event:
        event.pop("data_processing_options_country", None)
        event.pop("data_processing_options_state", None)
    if "value" not in custom_data:
        custom_data.pop("currency", None)
    if custom_data:
        event["custom_data"] = custom_data
    return {**event, "user_data": user_data}


def parts(found: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """The fields by the object they belong to: user_data, custom_data, the event itself."""
    user = {key: value for key, value in found.items() if key in identity.KEYS}
    event = {key: value for key, value in found.items() if key in KEYS}
    rest = user.keys() | event.keys()
    return user, {key: value for key, value in found.items() if key not in rest}, event


def check(row: Row) -> Refused | None:
    """What Meta would refuse together with everything that rides beside it."""
    found, source = row.fields, row.fields["action_source"]
    needed: tuple[str, ...] = ()
    if source == "website":
        needed = ("client_user_agent", "event_source_url")
    elif source == "app":
        needed = ("app_data",)
    if found["event_name"] == "Purchase":
        needed = (*needed, "value", "currency")
    for name in needed:
        if name not in found:
            kind = f"a {source} event" if name not in ("value", "currency") else "a Purchase"
            return Refused("missing_field", f"{name}: {kind} needs it")
    if found["event_time"] > row.received_at + AHEAD:
        return Refused("in_the_future", f"the event is more than {AHEAD:.0f} s ahead")
    if identity.too_little(parts(found)[0]):
        sentence = "user_data: nothing, or too little, by which Meta could know the person"
        return Refused("not_enough_customer_information", sentence)
    return None


def max_age(row: Row) -> float:
    """Seconds that an event may be old."""
    days = 62 if row.fields.get("action_source") == "physical_store" else 7
    return days * DAY - MARGIN


KEYS = frozenset(fields(Const(""), "website", 64, (), ((), 0, 0)))
"""The names of the event's own fields."""
