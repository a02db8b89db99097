"""Whose address it is, and what may be said about it."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.enrich import AGENT_LETTERS, Connection, address_of, channel_of, enrich

OURS = (ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("fd00::/8"))


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("203.0.113.1", "6.6.6.6", "203.0.113.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "6.6.6.6, 203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "6.6.6.6, 203.0.113.9:443, 10.2.2.2", "203.0.113.9"),
        ("10.0.0.1", "6.6.6.6, unknown, 10.2.2.2", "10.2.2.2"),
        ("10.0.0.1", "10.9.9.9, 10.2.2.2", "10.9.9.9"),
        ("fd00::1", "[2001:db8::7]:1234", "2001:db8::7"),
        ("::ffff:10.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("fe80::1%eth0", "", "fe80::1"),
        ("", "6.6.6.6", None),
        (None, "6.6.6.6", None),
    ],
)
def test_the_address_is_the_first_that_is_not_ours(
    peer: str | None, forwarded: str, address: str | None
) -> None:
    """Only what our own proxies wrote is believed."""
    assert address == address_of(peer, forwarded, OURS)


@given(st.text(), st.text())
def test_no_header_breaks_it(peer: str, forwarded: str) -> None:
    """Whatever a client claims."""
    address_of(peer, forwarded, OURS)
    address_of("10.0.0.1", forwarded, OURS)


@pytest.mark.parametrize(
    ("library", "channel"),
    [
        ("analytics.js", "browser"),
        ("analytics-kotlin", "mobile"),
        ("analytics_flutter", "mobile"),
        ("analytics-python", "server"),
        ("", None),
    ],
)
def test_libraries_have_a_channel(library: str, channel: str | None) -> None:
    """What is no browser's and no phone's is a server's."""
    assert channel == channel_of(library)


def test_a_long_agent_is_cut() -> None:
    """It would be copied into each event of a batch."""
    event = {"context": {"direct": True}}
    enrich(event, Connection("203.0.113.1", "", "x" * 9_999), OURS)

    assert "x" * AGENT_LETTERS == event["context"]["userAgent"]
