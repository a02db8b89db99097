"""The shipped documents: each is a schema, and bears the name of its place."""

from pathlib import Path

import orjson
import pytest

import schemas
from schemas.checker import DRAFT_2020_12, check_schema
from schemas.documents import URN, documents

DOCUMENTS = documents()
ROOM = Path(schemas.__file__).parent


@pytest.mark.parametrize("urn", sorted(DOCUMENTS))
def test_is_a_schema(urn: str) -> None:
    """Every file passes the meta-schema that it names."""
    assert DRAFT_2020_12 == DOCUMENTS[urn]["$schema"]
    assert [] == check_schema(DOCUMENTS[urn])


@pytest.mark.parametrize("path", sorted(ROOM.rglob("*.json")), ids=lambda p: p.stem)
def test_names_itself(path: Path) -> None:
    """A file's $id is its place in the room, names no host, and its title and description say
    what it is."""
    schema = orjson.loads(path.read_bytes())

    place = path.relative_to(ROOM).with_suffix("").as_posix().replace("/", ":")
    assert URN + place == schema["$id"]
    assert schema["title"]
    assert schema["description"].endswith(".")
