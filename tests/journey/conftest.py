"""The two logs that a journey is made on."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest


@pytest.fixture(params=["sqlite", pytest.param("kafka", marks=pytest.mark.kafka)])
def log(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The `[log]` table of a hub's settings."""
    if request.param == "sqlite":
        return f"[log]\nkind = 'sqlite'\npath = '{tmp_path / 'hub.db'}'\npartitions = 4"
    servers = request.getfixturevalue("kafka_broker")
    return (
        f"[log]\nkind = 'kafka'\nbootstrap_servers = '{servers}'\npartitions = 4\n"
        f"topic_prefix = 'journey-{secrets.token_hex(4)}.'"
    )
