"""What the tests of this room share: the shipped schemas, compiled once."""

import pytest

import schemas


@pytest.fixture(scope="session")
def shipped() -> schemas.Schemas:
    return schemas.load()
