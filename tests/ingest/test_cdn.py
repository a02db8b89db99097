"""The settings SDKs ask for, and the host they name."""

from typing import Any

import orjson
import pytest

from ingest.cdn import answer


@pytest.mark.parametrize(
    ("public_url", "host", "api_host", "protocol"),
    [
        ("https://hub.example.com", "inner:8080", "hub.example.com/v1", None),
        ("https://hub.example.com/events/", None, "hub.example.com/events/v1", None),
        ("https://hub.example.com/v1", None, "hub.example.com/v1", None),
        ("http://hub.example.com", None, "hub.example.com/v1", "http"),
        (None, "hub.example.com", "hub.example.com/v1", None),
        (None, "localhost:8080", "localhost:8080/v1", "http"),
        (None, "[::1]:8080", "[::1]:8080/v1", "http"),
        (None, "evil\r\nX: y", "localhost/v1", "http"),
        (None, None, "localhost/v1", "http"),
    ],
)
def test_the_host_is_ours(public_url: Any, host: Any, api_host: str, protocol: Any) -> None:
    """The one that is set, else the one that was asked; plain HTTP only where it is meant."""
    segment = orjson.loads(answer("k", public_url, host).body)["integrations"]["Segment.io"]

    assert (api_host, protocol) == (segment["apiHost"], segment.get("protocol"))
