"""Processes wake one another."""

from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path

from hub.log.sqlite.doorbell import Doorbell, folder_of
from tests.hub.log.scenes import PATIENCE


async def test_a_ring_is_heard_by_the_others(tmp_path: Path) -> None:
    """Every other process hears the topics; the one that rings does not."""
    heard: list[asyncio.Queue[frozenset[str]]] = [asyncio.Queue() for _ in range(3)]
    bells = [Doorbell(tmp_path / "hub.db", f"p{n}") for n in range(3)]
    for bell, queue in zip(bells, heard, strict=True):
        bell.hang(queue.put_nowait)
    bells[0].ring(["events", "@events"])
    async with asyncio.timeout(PATIENCE):
        told = [await queue.get() for queue in heard[1:]]
    for bell in bells:
        bell.close()

    assert [frozenset({"events", "@events"})] * 2 == told
    assert heard[0].empty()


async def test_a_killed_process_is_found(tmp_path: Path) -> None:
    """A bell that nobody listens to is a dead process's; a live one's and a missing one are not."""
    one, two = Doorbell(tmp_path / "hub.db", "one"), Doorbell(tmp_path / "hub.db", "two")
    one.hang(lambda _: None)
    two.hang(lambda _: None)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as left:
        left.bind(str(folder_of(tmp_path / "hub.db") / "killed.bell"))
    one.ring(["events"])
    found = one.dead()
    one.bury("killed")
    later = one.dead()
    one.close()
    two.close()

    assert ["killed"] == found
    assert [] == later


async def test_a_closed_bell_is_taken_down(tmp_path: Path) -> None:
    """A process that leaves in order leaves nothing behind."""
    bell = Doorbell(tmp_path / "hub.db", "one")
    bell.hang(lambda _: None)
    bell.close()

    assert [] == os.listdir(folder_of(tmp_path / "hub.db"))


def test_a_long_path_has_a_short_folder(tmp_path: Path) -> None:
    """Where a socket's address would be too long, all processes come to one short folder."""
    path = tmp_path / ("long" * 30) / "hub.db"
    folder = folder_of(path)

    assert folder == folder_of(path)
    assert folder != folder_of(path.with_name("other.db"))
    assert len(os.fsencode(folder / ("0" * 16 + ".bell"))) < 104


async def test_a_bell_that_cannot_hang_is_silent(tmp_path: Path) -> None:
    """Where no socket can be made, ringing is nothing and raises nothing."""
    folder_of(tmp_path / "hub.db").write_text("in the way")
    bell = Doorbell(tmp_path / "hub.db", "one")
    bell.hang(lambda _: None)
    bell.ring(["events"])
    found = bell.dead()
    bell.close()

    assert [] == found
