"""Write keys: made once, shown once, kept as hashes."""

from __future__ import annotations

import hashlib
import secrets
import string
from typing import Final

PREFIX: Final = "sha256:"
LENGTH: Final = 32
_LETTERS: Final = string.ascii_letters + string.digits


def new_key() -> str:
    """A write key as Segment's look, 190 bits of chance: letters and digits fit every URL."""
    return "".join(secrets.choice(_LETTERS) for _ in range(LENGTH))


def hash_of(key: str) -> str:
    """How the settings hold a key.

    A plain SHA-256 is enough: a key is random, so there is no dictionary to run through, and it is
    computed for every request.
    """
    return PREFIX + hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()
