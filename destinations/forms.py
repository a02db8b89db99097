"""The forms that vendors want values in: normalised, E.164, hashed; pure, each with its rule."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import phonenumbers

from destinations.mapping import Form, Unfit

_HASHED = re.compile(r"[a-f0-9]{64}")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_EMPTY = hashlib.sha256(b"").hexdigest()


def text(value: Any) -> str:
    """Text without blanks around it; numbers become text. Raises Unfit for anything else."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise Unfit("is not text")
    return str(value).strip()


def email(value: Any) -> str:
    """An e-mail address, trimmed and in lower case. Raises Unfit when it has not that shape."""
    address = text(value).lower()
    if not _EMAIL.fullmatch(address):
        raise Unfit("has not the shape of an e-mail address")
    return address


def e164(country: str | None = None) -> Callable[[Any], str]:
    """A phone number as `+4930901820`; without its country code, `country` (`DE`) is assumed."""

    def form(value: Any) -> str:
        said = text(value)
        if said.startswith("00"):
            said = "+" + said[2:]
        try:
            number = phonenumbers.parse(said, country)
        except phonenumbers.NumberParseException:
            raise Unfit("is no phone number with a country code") from None
        if not phonenumbers.is_possible_number(number):
            raise Unfit("is no possible phone number")
        return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)

    return form


def number(value: Any) -> int | float:
    """A number, also one given as text. Raises Unfit."""
    if isinstance(value, bool):
        raise Unfit("is not a number")
    try:
        found = Decimal(text(value))
    except InvalidOperation:
        raise Unfit("is not a number") from None
    # `1e999999999` is a short text and a long integer.
    if not found.is_finite() or abs(found.adjusted()) > 300:
        raise Unfit("is not a finite number")
    if isinstance(value, int | float):
        return value
    # JSON's integers end at 64 bits.
    whole = found.adjusted() < 18 and found == found.to_integral_value()
    return int(found) if whole else float(found)


def currency(value: Any) -> str:
    """An ISO 4217 code in upper case, by its shape. Raises Unfit."""
    code = text(value).upper()
    if not re.fullmatch(r"[A-Z]{3}", code):
        raise Unfit("is no ISO 4217 code of three letters")
    return code


def moment(value: Any) -> float:
    """An ISO 8601 time as seconds since the epoch; no offset means UTC. Raises Unfit.

    Digits alone are refused: 1712012301500 (milliseconds) would read as a day of 1712.
    """
    said = value.strip().upper() if isinstance(value, str) else ""
    try:
        if said.isdecimal():
            raise ValueError
        found = datetime.fromisoformat(said)
    except ValueError:
        raise Unfit("is no ISO 8601 time") from None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def hashed(normalise: Form) -> Form:
    """SHA-256 in lower-case hex of the normalised value.

    What is hashed already passes as it is (the match is anchored: 64 hex digits and nothing else);
    the digest of empty text is refused, since a vendor would match it with everybody's.
    """

    def form(value: Any) -> str | None:
        if isinstance(value, str) and _HASHED.fullmatch(value.strip().lower()):
            digest = value.strip().lower()
        else:
            normal = normalise(value)
            if normal is None or normal == "":
                return None
            digest = hashlib.sha256(str(normal).encode()).hexdigest()
        if digest == _EMPTY:
            raise Unfit("is the hash of nothing")
        return digest

    return form


def many(form: Form) -> Form:
    """The form of each item of a list; a single value counts as a list of one, unfit ones go."""

    def each(value: Any) -> list[Any] | None:
        found = []
        for item in value if isinstance(value, list) else [value]:
            try:
                shaped = form(item)
            except Unfit:
                continue
            if shaped is not None:
                found.append(shaped)
        return found or None

    return each
