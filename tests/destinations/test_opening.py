"""What a process opens first."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from destinations.opening import listening, opened
from destinations.settings import DestinationsSettings
from hub.settings import Misconfigured


def settings(**log: object) -> DestinationsSettings:
    return DestinationsSettings.model_validate({"log": log})


async def test_a_log_that_can_be_had_is_opened(tmp_path: Path) -> None:
    """And it is the one that the settings name."""
    log = await opened(settings(kind="sqlite", path=tmp_path / "hub.db"), asyncio.Event())

    assert log is not None
    await log.close()
    assert (tmp_path / "hub.db").exists()


async def test_who_is_asked_to_stop_does_not_wait_for_a_log() -> None:
    """A log that is away is waited for until then."""
    asked = asyncio.Event()
    away = settings(kind="kafka", bootstrap_servers="127.0.0.1:1")
    waiting = asyncio.create_task(opened(away, asked))
    asked.set()

    assert None is await waiting


async def test_a_log_that_can_never_be_had_is_a_fault(tmp_path: Path) -> None:
    """Waiting would not help: the folder cannot be made."""
    (tmp_path / "file").write_text("")

    with pytest.raises(Misconfigured):
        await opened(settings(kind="sqlite", path=tmp_path / "file" / "hub.db"), asyncio.Event())


async def test_a_port_is_served_until_the_end_and_a_taken_one_is_a_fault() -> None:
    """Its address tells the port that was taken when none was asked for."""
    async with AsyncExitStack() as stack:
        address = await listening(stack, web.Application(), "127.0.0.1", 0)
        async with aiohttp.ClientSession() as session, session.get(address) as answer:
            status = answer.status
        with pytest.raises(Misconfigured, match="cannot listen"):
            await listening(stack, web.Application(), "127.0.0.1", int(address.rpartition(":")[2]))

    assert 404 == status
