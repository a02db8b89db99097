"""The shipped documents, as their files have them."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import orjson

URN: Final = "urn:event-hub:schema:"
"""What their names begin with."""


def documents() -> Mapping[str, Any]:
    """The shipped documents by $id."""
    room = Path(__file__).parent
    found = [orjson.loads(path.read_bytes()) for path in sorted(room.rglob("*.json"))]
    return MappingProxyType({document["$id"]: document for document in found})
