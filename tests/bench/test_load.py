"""The load sends what it was asked to, over kept connections, and tells what was answered."""

from __future__ import annotations

from pathlib import Path

from tests.bench.processes import asked, free_ports, server


async def test_a_count_is_sent_and_no_more(tmp_path: Path) -> None:
    """So many events are sent, each is answered, and a server with its processes has spent CPU."""
    (port,) = free_ports(1)
    async with server(tmp_path, "tests.bench.bare", str(port), port=port) as bare:
        told = await asked(
            *("tests.bench.load", bare.url, "key", "--count", 500, "--batch", 5),
            *("--watch", bare.pid),
        )
        spent = bare.cpu

    assert (500, 0) == (told["events"], told["refused"])
    assert 0 < told["watched"][0] <= spent


async def test_a_rate_is_kept(tmp_path: Path) -> None:
    """At a rate no more is sent than it allows, however fast the answers are."""
    (port,) = free_ports(1)
    async with server(tmp_path, "tests.bench.bare", str(port), port=port) as bare:
        told = await asked("tests.bench.load", bare.url, "key", "--rate", 200, "--seconds", 1)

    assert 0 < told["events"] <= 200
