"""Which path means what, with the mistakes that people make when they change a host.

In half of the SDKs the host already holds `/v1`, in the other half it does not; some append `/b` to
whatever they were given. All of it is served, and nothing is redirected: PHP loops on redirects.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from ingest.validate import TYPES


@dataclass(frozen=True, slots=True)
class Path:
    """What a path asks for: a family (also a metric's label), and a type or a key."""

    family: str
    method: str
    type: str | None = None
    key: str = ""


_SLASHES: Final = re.compile(r"/{2,}")
_SETTINGS: Final = re.compile(r"^(?:projects/)+([^/]{1,256})/settings$")
_BATCH: Final = Path("batch", "POST")
_BATCHES: Final = ("batch", "b", "import")


def _table() -> MappingProxyType[str, Path]:
    table = dict.fromkeys(_BATCHES, _BATCH)
    # RN's `proxy` is a whole URL, to which `useSegmentEndpoints` appends `/b`.
    table |= {f"{name}/{again}": _BATCH for name in _BATCHES for again in _BATCHES}
    for type_ in TYPES:
        table[type_] = Path("single", "POST", type_)
        table[f"pixel/{type_}"] = Path("pixel", "GET", type_)
        # `a` is alias; the six types begin with six letters.
        table[type_[0]] = Path("single", "POST", type_)
    table["m"] = Path("telemetry", "POST")
    return MappingProxyType(table)


PATHS: Final = _table()


def path_of(raw: str) -> Path | None:
    """What a request's path means; None when it is no API path."""
    name = raw.removeprefix("/v1/")
    found = PATHS.get(name)
    if found is not None and name != raw:
        return found
    name = _SLASHES.sub("/", raw).strip("/")
    while name.startswith("v1/"):
        name = name[3:]
    found = PATHS.get(name)
    if found is not None:
        return found
    settings = _SETTINGS.match(name)
    return Path("settings", "GET", key=settings[1]) if settings else None
