"""The settings that browser and mobile SDKs ask for before they send. Pure.

`integrations["Segment.io"]` must be there: without it analytics.js ignores the page's own apiHost
and sends to Segment. Where it names a host, SDKs of every kind but Flutter follow it, so that the
address of a live app can be changed from here.
"""

from __future__ import annotations

import re
from typing import Any, Final
from urllib.parse import urlsplit

import orjson

from ingest.errors import Answer

_HOST: Final = re.compile(r"^(?:[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?$")
_LOCAL: Final = ("localhost", "127.0.0.1", "[::1]")

SECONDS: Final = 60
"""For which an SDK or a proxy may keep the settings: a change is everywhere within a minute."""


def answer(key: str, public_url: str | None, host: str | None) -> Answer:
    """The settings for the source of `key`, whether or not there is one and it is enabled."""
    return Answer(
        200,
        orjson.dumps(settings_of(key, *_reached(public_url, host))),
        (("Cache-Control", f"public, max-age={SECONDS}"),),
    )


def settings_of(key: str, api_host: str, protocol: str | None) -> dict[str, Any]:
    """The smallest settings that every SDK takes; no destination runs in a browser."""
    segment: dict[str, Any] = {
        "apiKey": key,
        "apiHost": api_host,
        "unbundledIntegrations": [],
        "addBundledMetadata": True,
        "maybeBundledConfigIds": {},
        "versionSettings": {"version": "4.4.7", "componentTypes": ["browser"]},
        "httpConfig": http_config(),
    }
    if protocol:
        segment["protocol"] = protocol
    return {
        "integrations": {"Segment.io": segment},
        "plan": {
            "track": {"__default": {"enabled": True, "integrations": {}}},
            "identify": {"__default": {"enabled": True}},
            "group": {"__default": {"enabled": True}},
        },
        "edgeFunction": {},
        "analyticsNextEnabled": True,
        "middlewareSettings": {"routingRules": []},
        "enabledMiddleware": {},
        "metrics": {"sampleRate": 0},
        "legacyVideoPluginsEnabled": False,
        "remotePlugins": [],
        "httpConfig": http_config(),
    }


def http_config() -> dict[str, Any]:
    """How SDKs retry: what we answer with 408 and 429 comes again, other 4xx never would pass.

    Without it Swift and Kotlin ignore Retry-After.
    """
    return {
        "rateLimitConfig": {
            "enabled": True,
            "maxRetryCount": 100,
            "maxRetryInterval": 300,
            "maxRateLimitDuration": 43_200,
        },
        "backoffConfig": {
            "enabled": True,
            "maxRetryCount": 100,
            "baseBackoffInterval": 0.5,
            "maxBackoffInterval": 300,
            "maxTotalBackoffDuration": 43_200,
            "jitterPercent": 10,
            "default4xxBehavior": "drop",
            "default5xxBehavior": "retry",
            "statusCodeOverrides": {"408": "retry", "410": "retry", "429": "retry", "460": "retry"},
        },
    }


def _reached(public_url: str | None, host: str | None) -> tuple[str, str | None]:
    """apiHost, without a scheme and with /v1; and the protocol, where it is not https."""
    if public_url:
        parts = urlsplit(public_url)
        prefix = parts.path.rstrip("/").removesuffix("/v1")
        return f"{parts.netloc}{prefix}/v1", "http" if parts.scheme == "http" else None
    if not host or not _HOST.match(host):
        host = "localhost"
    local = host.rpartition(":")[0] in _LOCAL or host in _LOCAL
    return f"{host}/v1", "http" if local else None
