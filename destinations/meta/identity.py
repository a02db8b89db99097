"""Who did it, in Meta's terms: the normal form of each identifier, and which of them suffice."""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

from destinations.meta.places import COUNTRIES, STATES
from destinations.spec import At, Field, First, Form, Made, Unfit, forms

TITLES = ("Meta Conversions API", "Facebook Conversions API", "Facebook Conversions API (Actions)")

HASHED = ("em", "ph", "fn", "ln", "ge", "db", "ct", "st", "zp", "country")
"""What Meta takes as SHA-256 only; `external_id` may be hashed, everything else never is."""

_TRAITS = ("context.traits", "traits", "properties")

# Meta's docs since v13: what is only a part of one of these matches nobody, and the event is
# invalid. One such event sinks its whole request (100/2804050), so it is stopped here.
_TOO_LITTLE = (
    frozenset({"ct", "country", "st", "zp", "ge", "client_user_agent"}),
    frozenset({"db", "client_user_agent"}),
    frozenset({"fn", "ge"}),
    frozenset({"ln", "ge"}),
)
_GENDERS = {"m": "m", "male": "m", "man": "m", "f": "f", "female": "f", "woman": "f"}
_IN_PLACES = re.compile(r"[0-9.\s\-()]")
_ZIP_PLUS_4 = re.compile(r"([0-9]{5})[0-9]{4}")
_UK_POSTCODE = re.compile(r"([a-z]{1,2}\d[a-z\d]?\d)[a-z]{2}")
_FBC = re.compile(r"fb\.\d+\.\d+\.\S+")


def phone(country: str | None) -> Form:
    """Digits with the country code, without a plus (unlike TikTok and Google)."""
    e164 = forms.e164(country)

    def form(value: Any) -> str:
        return e164(value).removeprefix("+")

    return form


def name(spaces: Literal["keep", "remove"]) -> Form:
    """Lower case without punctuation; accents stay. Sources disagree about spaces inside."""
    joint = " " if spaces == "keep" else ""

    def form(value: Any) -> str:
        lower = forms.text(value).lower()
        plain = (c for c in lower if unicodedata.category(c)[0] not in "PS")
        return joint.join("".join(plain).split())

    return form


def gender(value: Any) -> str:
    """`m` or `f`; Meta knows no other. Raises Unfit."""
    try:
        return _GENDERS[forms.text(value).lower()]
    except KeyError:
        raise Unfit("is neither m nor f") from None


def birthday(value: Any) -> str:
    """`YYYYMMDD` of an ISO 8601 date or time, the day as it is written. Raises Unfit."""
    try:
        day = datetime.fromisoformat(forms.text(value).replace("Z", "+00:00"))
    except ValueError:
        raise Unfit("is no ISO 8601 date") from None
    return f"{day.year:04d}{day.month:02d}{day.day:02d}"


def city(value: Any) -> str:
    """Lower case without digits, blanks, dots, hyphens and parentheses."""
    return _IN_PLACES.sub("", forms.text(value).lower())


def state(value: Any) -> str:
    """The two letters of a US state, else the letters alone, in lower case."""
    letters = _letters(value)
    return STATES.get(letters, letters)


def postcode(value: Any) -> str:
    """No blanks or dashes; five digits of a US ZIP; a UK code up to its sector.

    The shape tells the country: nobody else has nine digits. The vendor's SDK cuts every code at
    its dash, which leaves `100` of Tokyo's `100-0001`; Meta's page says "no spaces and no dash".
    """
    code = re.sub(r"[\s\-]", "", forms.text(value).lower())
    if found := _ZIP_PLUS_4.fullmatch(code):
        return found[1]
    found = _UK_POSTCODE.fullmatch(code)
    return found[1] if found else code


def country(value: Any) -> str:
    """ISO 3166-1 alpha-2 in lower case, of a code or an English name. Raises Unfit."""
    try:
        return COUNTRIES[_letters(value)]
    except KeyError:
        raise Unfit("is no country that we know") from None


def address(value: Any) -> str:
    """An IP address, v4 or v6. Raises Unfit."""
    try:
        return str(ipaddress.ip_address(forms.text(value)))
    except ValueError:
        raise Unfit("is no IP address") from None


def click(value: Any) -> str:
    """An `fbc`: `fb.1.<ms>.<fbclid>`, in the letters it came in. Raises Unfit."""
    said = forms.text(value)
    if not _FBC.fullmatch(said):
        raise Unfit("is not fb.1.<milliseconds>.<id>")
    return said


def fbc_of(event: Mapping[str, Any]) -> str | None:
    """The `_fbc` cookie, unless the page's URL holds a later click; then one made of that click.

    The click was first seen when the event happened, as far as we know.
    """
    cookie = _COOKIE.find(event)
    fbclid = _fbclid(event)
    if isinstance(cookie, str) and _FBC.fullmatch(cookie.strip()):
        if fbclid is None or cookie.strip().endswith("." + fbclid):
            return cookie
    elif fbclid is None:
        return None
    try:
        seen = forms.moment(At("timestamp").find(event))
    except Unfit:
        return None
    return f"fb.1.{int(seen * 1000)}.{fbclid}"


def _of_meta(key: str) -> First:
    """An id of the vendor's own: in properties, in context, or in context.integrations."""
    spelled = (key, "_" + key) if key in ("fbc", "fbp") else (key,)
    plain = tuple(At(f"{place}.{s}") for place in ("properties", "context") for s in spelled)
    # Device mode leaves its cookies in the options of the integration; the rarer ids it knows not.
    options = TITLES if key.startswith("fb") else ()
    return First(*plain, *(At(f"context.integrations.{title}.{key}") for title in options))


_COOKIE = _of_meta("fbc")
_CLICK = _of_meta("fbclid")


def _fbclid(event: Mapping[str, Any]) -> str | None:
    found = _CLICK.find(event)
    if isinstance(found, str):
        return found
    for path in ("context.page.url", "context.page.search", "properties.url"):
        url = At(path).find(event)
        if isinstance(url, str) and "fbclid=" in url:
            try:
                ids = parse_qs(urlsplit(url).query).get("fbclid", [])
            except ValueError:  # `http://[` is no URL
                continue
            if ids and not re.search(r"\s", ids[0]):
                return ids[0]
    return None


def _letters(value: Any) -> str:
    return "".join(c for c in forms.text(value).lower() if c.isalpha())


def _trait(*names: str) -> First:
    return First(*(At(f"{place}.{n}") for n in names for place in _TRAITS))


def _half(which: int) -> Made:
    """A first or last name out of a name of exactly two words."""

    def make(event: Mapping[str, Any]) -> str | None:
        whole = First("context.traits.name", "traits.name").find(event)
        words = whole.split() if isinstance(whole, str) else []
        return words[which] if len(words) == 2 else None

    return Made(f"the {('first', 'last')[which]} of the two words of traits.name", make)


def _once(form: Form) -> Form:
    """The hashes of one value or of several, each once: Meta takes a list of alternatives."""
    many = forms.many(forms.hashed(form))

    def each(value: Any) -> list[Any] | None:
        return list(dict.fromkeys(many(value) or ())) or None

    return each


def _number(value: Any) -> int:
    found = forms.number(value)
    if not isinstance(found, int) or abs(found) >= 2**63:
        raise Unfit("is no whole number")
    return found


def fields(
    phone_country: str | None, name_spaces: Literal["keep", "remove"], hash_external_id: bool
) -> dict[str, Field]:
    """The fields of `user_data`, by the vendor's own names."""
    given = name(name_spaces)
    external = _once(forms.text) if hash_external_id else forms.many(forms.text)
    return {
        "em": Field("E-mail address, hashed.", _trait("email"), _once(forms.email)),
        "ph": Field("Phone number, hashed.", _trait("phone"), _once(phone(phone_country))),
        "fn": Field(
            "First name, hashed.",
            First(*_trait("firstName", "first_name").sources, _half(0)),
            _once(given),
        ),
        "ln": Field(
            "Last name, hashed.",
            First(*_trait("lastName", "last_name").sources, _half(1)),
            _once(given),
        ),
        "ge": Field("Gender, hashed.", _trait("gender"), _once(gender)),
        "db": Field("Date of birth, hashed.", _trait("birthday"), _once(birthday)),
        "ct": Field("City, hashed.", _trait("address.city", "city"), _once(city)),
        "st": Field("State or province, hashed.", _trait("address.state", "state"), _once(state)),
        "zp": Field(
            "Postal code, hashed.",
            _trait("address.postalCode", "address.postal_code", "address.zip"),
            _once(postcode),
        ),
        "country": Field("Country, hashed.", _trait("address.country", "country"), _once(country)),
        "external_id": Field(
            "Your own id of the person, as the pixel is told it; hashed unless `hash_external_id`"
            " is off.",
            First("userId", "anonymousId"),
            external,
        ),
        "client_ip_address": Field("IP address, as it is.", At("context.ip"), address),
        "client_user_agent": Field("Browser, as it is.", At("context.userAgent"), forms.text),
        "fbc": Field(
            "The click on an ad, as it is.",
            Made(
                f"{_COOKIE}, unless the fbclid of context.page.url (or .search, or an fbclid"
                " beside the others) is another: then made of that and of timestamp",
                fbc_of,
            ),
            click,
        ),
        "fbp": Field("The browser's id, as it is.", _of_meta("fbp"), forms.text),
        "madid": Field(
            "The device's advertising id, as it is.",
            First("properties.madid", "context.device.advertisingId"),
            forms.text,
        ),
        "fb_login_id": Field("Id of the Facebook login.", _of_meta("fb_login_id"), _number),
        "lead_id": Field("Id of the lead ad's form.", _of_meta("lead_id"), _number),
        **{
            key: Field(sentence, _of_meta(key), forms.text)
            for key, sentence in {
                "anon_id": "Id of the app's installation.",
                "subscription_id": "Id of the subscription.",
                "page_id": "Id of the page that a conversation is with.",
                "page_scoped_user_id": "The person's id in that page's Messenger.",
                "ctwa_clid": "The click on an ad that leads to WhatsApp.",
                "ig_account_id": "Id of the Instagram account.",
                "ig_sid": "The person's id with that Instagram account.",
                "whatsapp_business_account_id": "Id of the WhatsApp business account.",
                "partner_id": "The person's id with a partner.",
                "partner_name": "The partner's name.",
            }.items()
        },
    }


def too_little(user_data: Mapping[str, Any]) -> bool:
    """Whether these identifiers are too few to match anybody, by Meta's own table."""
    return any(user_data.keys() <= some for some in _TOO_LITTLE)


KEYS = frozenset(fields(None, "keep", True))
"""The names of the fields of `user_data`."""
