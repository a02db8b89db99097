"""What the server adds to an event: its address, agent and channel, as far as they are the user's.

A browser or a phone is the user's own: its address says where the user is. A server's says where
the server is, and is left out unless the event asks for it (`context.direct`).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

AGENT_LETTERS: Final = 1_024
"""Of a User-Agent header; what is longer would be copied into each event of a batch."""

# How the names of libraries begin that run at the user's.
_BROWSER: Final = ("analytics.js", "analytics-next", "amp", "RudderLabs JavaScript SDK")
_MOBILE: Final = (
    "analytics-ios",
    "analytics-swift",
    "analytics-android",
    "analytics-kotlin",
    "analytics-react-native",
    "@segment/analytics-react-native",
    "react-native",
    "analytics_flutter",
    "analytics-flutter",
)

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Connection(NamedTuple):
    """What the connection tells of who is at its other end."""

    peer: str | None = None
    forwarded: str = ""
    agent: str | None = None
    client_side: bool = False


def channel_of(library: str) -> str | None:
    """Whose library this is: browser, mobile, server; None when it does not say."""
    if not library:
        return None
    if library.startswith(_BROWSER):
        return "browser"
    return "mobile" if library.startswith(_MOBILE) else "server"


def enrich(
    event: dict[str, Any], connection: Connection, proxies: Sequence[Network]
) -> dict[str, Any]:
    """Put context.ip, context.userAgent and channel where they are missing and ours to say."""
    context: dict[str, Any] = event["context"]
    channel = channel_of(library_of(context))
    client_side = connection.client_side or channel in ("browser", "mobile")
    if channel and "channel" not in event:
        event["channel"] = channel
    if client_side or context.get("direct") is True:
        if context.get("ip") is None:
            address = address_of(connection.peer, connection.forwarded, proxies)
            if address:
                context["ip"] = address
        if connection.agent and context.get("userAgent") is None:
            context["userAgent"] = connection.agent[:AGENT_LETTERS]
    return event


def library_of(context: Mapping[str, Any]) -> str:
    """The name of the SDK, or nothing."""
    library = context.get("library")
    name = library.get("name") if isinstance(library, dict) else None
    return name if isinstance(name, str) else ""


def address_of(peer: str | None, forwarded: str, proxies: Sequence[Network]) -> str | None:
    """The first address, seen from us, that is none of our proxies'.

    X-Forwarded-For grows to the right; everything left of the first stranger is hearsay.
    """
    address = _address(peer or "")
    if address is None or not _ours(address, proxies):
        return str(address) if address else None
    for hop in reversed(forwarded.split(",")):
        told = _address(hop.strip())
        if told is None:
            break
        address = told
        if not _ours(address, proxies):
            break
    return str(address)


def _ours(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address, proxies: Sequence[Network]
) -> bool:
    return any(address in network for network in proxies)


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    text = text.partition("%")[0]
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
