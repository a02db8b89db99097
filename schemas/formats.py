"""The formats that are asserted: one function each, asked by both engines, so they cannot differ.

JSON Schema leaves it open whether `format` is a check or a remark, and the engines choose
differently by draft and by what else is installed. Here a name in the table is a check, in every
draft; any other name is a remark. All functions are ours or the standard library's, and lenient
where senders differ.
"""

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from ipaddress import IPv4Address, IPv6Address
from types import MappingProxyType
from typing import Final
from urllib.parse import urlsplit
from uuid import UUID

_EMAIL: Final = re.compile(r"[^\s@]+@[^\s@]+\.[^\s@]+")
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIME: Final = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ]([0-9]{2}:[0-9]{2}:[0-9]{2})(\.[0-9]+)?"
    r"([Zz]|[+-][0-9]{2}:[0-9]{2})"
)
_UUID: Final = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")


def _parses(parse: Callable[[str], object]) -> Callable[[str], bool]:
    def check(text: str) -> bool:
        try:
            parse(text)
        except ValueError:
            return False
        return True

    return check


def _moment(text: str) -> None:
    found = _TIME.fullmatch(text)
    if not found:
        raise ValueError
    offset = found[4].upper().replace("Z", "+00:00")
    datetime.fromisoformat(f"{found[1]}T{found[2]}{offset}")  # the fraction may have any length


def _day(text: str) -> None:
    if not _DATE.fullmatch(text):
        raise ValueError
    date.fromisoformat(text)


def _uuid(text: str) -> None:
    if not _UUID.fullmatch(text):
        raise ValueError
    UUID(text)


def _uri(text: str) -> None:
    parts = urlsplit(text)
    if not parts.scheme or not (parts.netloc or parts.path) or re.search(r"\s", text):
        raise ValueError


def _email(text: str) -> None:
    if not _EMAIL.fullmatch(text):
        raise ValueError


CHECKED: Final[Mapping[str, Callable[[str], bool]]] = MappingProxyType(
    {
        "date": _parses(_day),
        "date-time": _parses(_moment),
        "email": _parses(_email),
        "ipv4": _parses(IPv4Address),
        "ipv6": _parses(IPv6Address),
        "uri": _parses(_uri),
        "uuid": _parses(_uuid),
    }
)

# The names that an engine would check on its own if it were not told otherwise.
REMARKS: Final = (
    "color",
    "duration",
    "hostname",
    "idn-email",
    "idn-hostname",
    "iri",
    "iri-reference",
    "json-pointer",
    "regex",
    "relative-json-pointer",
    "time",
    "uri-reference",
    "uri-template",
)
