"""The counting vendor counts events, and each id once, by the path that they came to."""

from __future__ import annotations

from pathlib import Path

import aiohttp

from tests.bench.events import Events
from tests.bench.processes import free_ports, server


async def test_what_comes_again_is_no_other_event(tmp_path: Path) -> None:
    """A body that is sent twice is two requests and twice its events, of which half differ."""
    (port,) = free_ports(1)
    body = Events(10).body(20)
    told = server(tmp_path, "tests.bench.vendor", str(port), port=port, path="_count")
    async with told as vendor, aiohttp.ClientSession() as session:
        for _ in range(2):
            async with session.post(f"{vendor.url}/orders", data=body) as answer:
                await answer.read()
        async with session.get(f"{vendor.url}/_count") as answer:
            found = (await answer.json(content_type=None))["/orders"]

    assert (2, 40, 20) == tuple(found[name] for name in ("requests", "events", "different"))
