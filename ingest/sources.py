"""Write key → source: who sends, in constant time, and what is asked of them."""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from hub.settings import Fault, Misconfigured
from ingest.keys import hash_of
from ingest.settings import SourceSettings
from schemas import Plan, PlanError

SHORTEST_KEY: Final = 10
"""Segment refuses a shorter one at once, whatever else it lets pass (analytics-go #205)."""

LONGEST_KEY: Final = 256
"""Characters of a key that is remembered: a body may hold one of half a megabyte."""

REMEMBERED: Final = 1_024
"""Keys that were seen lately. A header has 8 KB at most."""

_KEY_IN_TEXT: Final = re.compile(rb'"writeKey"\s*:\s*"([^"\\]{1,256})"')


@dataclass(frozen=True, slots=True)
class Source:
    """Who sends, by name, with what is set for it and the plan that its events have to meet."""

    name: str
    settings: SourceSettings
    plan: Plan | None = None

    def allows(self, origin: str | None) -> bool:
        """Whether a page of this origin may send; who is no page has no origin."""
        return origin is None or any(_fits(origin, rule) for rule in self.settings.origins)


class Sources:
    """All sources, by the hashes of their keys."""

    def __init__(self, sources: Mapping[str, Source]) -> None:
        self.by_name = sources
        self._by_hash = {
            digest: source for source in sources.values() for digest in source.settings.keys
        }
        # A source sends again and again; strangers' keys push out each other.
        self._found = lru_cache(maxsize=REMEMBERED)(self._look_up)

    @classmethod
    def of(cls, settings: Mapping[str, SourceSettings], folder: Path) -> Sources:
        """The sources that are set; plans are read from `folder` on. Misconfigured tells all."""
        faults: list[Fault] = []
        owners: dict[str, str] = {}
        sources: dict[str, Source] = {}
        for name, setting in settings.items():
            for index, digest in enumerate(setting.keys):
                owner = owners.setdefault(digest, name)
                if owner != name:
                    words = f"is a key of the source {owner} too; make another"
                    faults.append(Fault(f"sources.{name}.keys.{index}", words))
            plan = None
            if setting.plan is not None:
                try:
                    plan = Plan.load(folder / setting.plan)
                except PlanError as error:
                    faults += [
                        Fault(
                            f"sources.{name}.plan", f"{wrong.file} {wrong.path}: {wrong.sentence}"
                        )
                        for wrong in error.faults
                    ]
            elif setting.unplanned != "allow":
                words = "asks for a tracking plan; set `plan` to its directory"
                faults.append(Fault(f"sources.{name}.unplanned", words))
            sources[name] = Source(name, setting, plan)
        if faults:
            raise Misconfigured(faults)
        return cls(sources)

    def find(self, key: str) -> Source | None:
        """Whose key this is; the time it takes does not tell how much of a key is right."""
        return self._found(key) if len(key) <= LONGEST_KEY else self._look_up(key)

    def _look_up(self, key: str) -> Source | None:
        digest = hash_of(key)
        source = self._by_hash.get(digest)
        if source is None:
            return None
        same = [hmac.compare_digest(digest, known) for known in source.settings.keys]
        return source if any(same) else None


@lru_cache(maxsize=REMEMBERED)
def key_in_header(authorization: str | None) -> str | None:
    """The write key of `Authorization: Basic`; a missing colon or padding is forgiven."""
    scheme, _, credentials = (authorization or "").strip().partition(" ")
    if scheme.lower() != "basic":
        return None
    credentials = credentials.strip()
    try:
        decoded = base64.b64decode(credentials + "=" * (-len(credentials) % 4))
    except (binascii.Error, ValueError):
        return None
    key = decoded.partition(b":")[0].decode("utf-8", "replace").strip()
    return key or None


def key_in_text(text: bytes) -> str | None:
    """The write key in a body that is no JSON, or not all there: it can still be charged."""
    found = _KEY_IN_TEXT.search(text)
    return found[1].decode("utf-8", "replace") if found else None


def without_keys(text: bytes) -> bytes:
    """The text with no write key in it."""
    return _KEY_IN_TEXT.sub(b'"writeKey":""', text)


def _fits(origin: str, rule: str) -> bool:
    if rule == "*":
        return True
    origin, rule = origin.lower().rstrip("/"), rule.lower().rstrip("/")
    before, star, after = rule.partition("*")
    if not star:
        return origin == rule
    middle = origin[len(before) : len(origin) - len(after)]
    fits = origin.startswith(before) and origin.endswith(after)
    return fits and bool(middle) and not set(middle) & set("/:@")
