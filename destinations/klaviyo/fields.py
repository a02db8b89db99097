"""What of an event becomes what of Klaviyo's: identifiers, profiles, events, consent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

from destinations.spec import At, Const, Field, First, Form, Made, Unfit, forms

CHANNELS = ("email", "sms")
SUBSCRIBED, UNSUBSCRIBED = "SUBSCRIBED", "UNSUBSCRIBED"

PLACES = ("address1", "address2", "city", "region", "country", "zip", "timezone")
"""The fields that make up a profile's `location`."""

PERSON = ("email", "phone_number", "external_id", "anonymous_id", "_kx")
"""The identifiers of a profile; `anonymous_id` only with events, since revision 2026-01-15."""

_PLACED = frozenset(
    (
        "email",
        "phone",
        *("firstName", "first_name"),
        *("lastName", "last_name"),
        "title",
        "avatar",
        "locale",
        "timezone",
    )
)
_WORDS: Mapping[str, str] = {
    "true": SUBSCRIBED,
    "subscribed": SUBSCRIBED,
    "false": UNSUBSCRIBED,
    "unsubscribed": UNSUBSCRIBED,
}


def properties(value: Any) -> dict[str, Any]:
    """An object as it is. Raises Unfit for anything else."""
    if not isinstance(value, dict):
        raise Unfit("is no object")
    return value


def time(value: Any) -> str:
    """A moment as ISO 8601 in UTC; Klaviyo cuts it to whole seconds. Raises Unfit."""
    try:
        return iso(forms.moment(value))
    except (ValueError, OverflowError, OSError):
        raise Unfit("is no time of the calendar") from None


def iso(seconds: float) -> str:
    """Seconds since the epoch as ISO 8601 in UTC. Raises ValueError beyond the calendar."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def amount(value: Any) -> int | float:
    """A number that JSON can say; one that is too large for it would sink its whole batch."""
    found = forms.number(value)
    if abs(found) < 2**53:
        return found
    try:
        return float(found)
    except OverflowError:
        raise Unfit("is beyond all amounts") from None


def consent(value: Any) -> str:
    """`SUBSCRIBED` or `UNSUBSCRIBED`, of a boolean or of these words. Raises Unfit."""
    word = str(value).lower() if isinstance(value, bool) else forms.text(value).lower()
    if word not in _WORDS:
        raise Unfit("is neither consent nor its withdrawal")
    return _WORDS[word]


def channels(value: Any) -> tuple[str, ...]:
    """The channels that a list or a single word names. Raises Unfit when it names none."""
    said = value if isinstance(value, list | tuple) else [value]
    words = {word.lower() for word in said if isinstance(word, str)}
    found = tuple(channel for channel in CHANNELS if channel in words)
    if not found:
        raise Unfit("names neither email nor sms")
    return found


def renamed(names: Mapping[str, str]) -> Form:
    """Text, by its other name where `names` has one."""

    def form(value: Any) -> str:
        name = forms.text(value)
        return names.get(name, name)

    return form


def person(country: str | None, traits: tuple[str, ...]) -> dict[str, Field]:
    """The identifiers that every call may carry, looked for under `traits`."""

    def first(name: str) -> First:
        return First(*(f"{path}.{name}" for path in traits))

    return {
        "email": Field("The person's e-mail address.", first("email"), forms.email),
        "phone_number": Field(
            "The person's phone number, as E.164; left out when it cannot be made that.",
            first("phone"),
            forms.e164(country),
        ),
        "external_id": Field("Your id of the person.", At("userId"), forms.text),
    }


def event(country: str | None, names: Mapping[str, str]) -> dict[str, Field]:
    """The fields of an event."""
    return {
        "metric": Field(
            "The metric's name; `metric_names` may give it another.",
            At("event"),
            renamed(names),
            required=True,
        ),
        **person(country, ("context.traits", "traits", "properties")),
        "anonymous_id": Field("Your id of the device.", At("anonymousId"), forms.text),
        "_kx": Field(
            "Klaviyo's own id of a person who came by a link of its mails.",
            Made("`_kx` in context.page.url, else in context.page.search", _exchange_id),
            forms.text,
        ),
        "properties": Field(
            "What is told about the event; all of it, also what other fields take.",
            At("properties"),
            properties,
        ),
        "time": Field("When it happened.", At("timestamp"), time),
        "value": Field(
            "What it is worth.",
            First("properties.revenue", "properties.total", "properties.value"),
            amount,
        ),
        "value_currency": Field(
            "The currency of the value, as ISO 4217.", At("properties.currency"), forms.currency
        ),
        "unique_id": Field(
            "Of the events of one person and metric with the same id, Klaviyo keeps the first.",
            At("messageId"),
            forms.text,
        ),
    }


def profile(country: str | None) -> dict[str, Field]:
    """The fields of a profile, with consent."""
    return {
        **person(country, ("traits", "context.traits")),
        "first_name": _text("The given name.", "firstName", "first_name", word=0),
        "last_name": _text("The family name.", "lastName", "last_name", word=1),
        "organization": _text("The company's name.", "company.name", "company", "organization"),
        "title": _text("The title at work.", "title"),
        "image": _text("The URL of a picture.", "avatar"),
        "locale": Field(
            "The language, as an IETF tag.", First("traits.locale", "context.locale"), forms.text
        ),
        "address1": _text("The street.", "address.street", "address.address1"),
        "address2": _text("The second line of the address.", "address.street2", "address.address2"),
        "city": _text("The city.", "address.city"),
        "region": _text("The state or province.", "address.state", "address.region"),
        "country": _text("The country.", "address.country"),
        "zip": _text("The postal code.", "address.postalCode", "address.postal_code"),
        "timezone": Field(
            "The time zone, by its IANA name.",
            First("traits.timezone", "context.timezone"),
            forms.text,
        ),
        "properties": Field(
            "What else is known of the person; null clears, and what is not named stays.",
            Made("the other traits", _other_traits),
            properties,
        ),
        "email_consent": Field(
            "Consent to e-mail marketing; heeded with `consent_traits` only.",
            First("traits.email_consent", "traits.emailConsent"),
            consent,
        ),
        "sms_consent": Field(
            "Consent to SMS marketing; heeded with `consent_traits` only.",
            First("traits.sms_consent", "traits.smsConsent"),
            consent,
        ),
    }


def company(country: str | None) -> dict[str, Field]:
    """The fields of a profile that a group event tells of; its traits are the group's."""
    return {
        **person(country, ("context.traits",)),
        "organization": Field("The group's name.", At("traits.name"), forms.text),
        "properties": Field(
            "The group's id and traits.",
            Made("groupId and the traits, each as `group_` and its name", _group_traits),
            properties,
        ),
    }


def withdrawal(country: str | None, defaults: tuple[str, ...]) -> dict[str, Field]:
    """The fields of a withdrawal of consent."""
    found = person(country, ("properties", "context.traits", "traits"))
    return {
        "email": found["email"],
        "phone_number": found["phone_number"],
        "channels": Field(
            "The channels it is about: email, sms.",
            First("properties.channels", Made(_CHANNELS, _channel), Const(list(defaults))),
            channels,
        ),
        "list": Field("The list it is about.", At("properties.klaviyo_list_id"), forms.text),
    }


def subscription(
    country: str | None, defaults: tuple[str, ...], list_id: str | None
) -> dict[str, Field]:
    """The fields of consent."""
    told = withdrawal(country, defaults)
    if list_id:
        named = First("properties.klaviyo_list_id", Const(list_id))
        told["list"] = replace(told["list"], source=named)
    given = "When consent was given; told with `historical_import` only."
    return {**told, "consented_at": Field(given, At("timestamp"), time)}


_CHANNELS = "the first word of the event's name, if it is a channel"


def _channel(said: Mapping[str, Any]) -> str | None:
    word = str(said.get("event")).partition(" ")[0].lower()
    return word if word in CHANNELS else None


def _text(sentence: str, *names: str, word: int | None = None) -> Field:
    """A trait as text; with `word`, else that one of the two words of the trait `name`."""
    sources = [At(f"traits.{name}") for name in names]
    if word is None:
        return Field(sentence, First(*sources), forms.text)
    split = Made(f"word {word + 1} of the two in traits.name", _word(word))
    return Field(sentence, First(*sources, split), forms.text)


def _word(index: int) -> Callable[[Mapping[str, Any]], str | None]:
    def find(said: Mapping[str, Any]) -> str | None:
        name = At("traits.name").find(said)
        words = name.split() if isinstance(name, str) else []
        return words[index] if len(words) == 2 else None

    return find


def _other_traits(said: Mapping[str, Any]) -> dict[str, Any] | None:
    traits = said.get("traits")
    if not isinstance(traits, dict):
        return None
    return {
        name: value
        for name, value in traits.items()
        if name not in _PLACED and not (name == "address" and isinstance(value, dict))
    }


def _group_traits(said: Mapping[str, Any]) -> dict[str, Any]:
    traits = said.get("traits")
    told = traits if isinstance(traits, dict) else {}
    return {"group_id": said.get("groupId"), **{f"group_{n}": v for n, v in told.items()}}


def _exchange_id(said: Mapping[str, Any]) -> str | None:
    for path in ("context.page.url", "context.page.search"):
        address = At(path).find(said)
        if isinstance(address, str) and "_kx=" in address:
            try:
                found = parse_qs(urlsplit(address).query).get("_kx")
            except ValueError:
                continue
            if found:
                return found[0]
    return None
