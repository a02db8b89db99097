"""One event's way through the whole house: HTTP in by real SDKs, vendors' sandboxes out."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from destinations import registry
from tests.journey.hub import Hub, hub

COUNT, PEOPLE = 120, 8
NODE = Path(__file__).parent / "node"


def need_node() -> None:
    """Skip at home without Node.js and the SDK; in CI nothing may be skipped."""
    if shutil.which("node") and (NODE / "node_modules").is_dir():
        return
    if os.environ.get("CI"):
        pytest.fail("the Node SDK is missing, and CI may not skip; `make test` installs it")
    pytest.skip("no Node.js, or its SDK is not installed; `make test` does it")


@pytest.mark.timeout(300)
@pytest.mark.parametrize("sdk", ["python", pytest.param("node", marks=pytest.mark.node)])
async def test_every_event_is_accounted_for(sdk: str, log: str, tmp_path: Path) -> None:
    """All that an SDK sends is accepted, and finished at each vendor, each person's in order."""
    if sdk == "node":
        need_node()
    command = {
        "python": (sys.executable, str(Path(__file__).with_name("shop.py"))),
        "node": ("node", str(NODE / "shop.mjs")),
    }[sdk]
    async with hub(tmp_path, log, registry.vendors()) as house:
        await house.run(*command, COUNT=str(COUNT), PEOPLE=str(PEOPLE))
        accepted = await house.total(house.ingest, "ingest_accepted_total")

        assert COUNT + PEOPLE == accepted

        for vendor in registry.vendors():
            await house.until(lambda vendor=vendor: _done(house, vendor, accepted))
        sent = {
            taken["id"]: (taken["item"]["userId"], taken["item"].get("properties", {}).get("n", -1))
            for taken in await house.taken("webhook")
        }

        assert COUNT + PEOPLE == len(sent)
        for vendor in registry.vendors():
            lost = await house.total(
                house.delivery, "destination_dead_lettered_total", destination=vendor
            )
            assert 0 == lost, f"{vendor}: {house.said('destinations')}"
            ids = [taken["id"] for taken in await house.taken(vendor) if taken["id"] in sent]
            assert len(set(ids)) == len(ids), vendor
            assert [] == _out_of_order([sent[one] for one in ids]), vendor
        for name in ("ingest", "destinations", "sandbox"):
            assert 0 == await house.end(name), house.said(name)


async def _done(house: Hub, vendor: str, accepted: int) -> bool:
    words = ("delivered", "filtered", "dead_lettered")
    counts = [
        await house.total(house.delivery, f"destination_{word}_total", destination=vendor)
        for word in words
    ]
    return sum(counts) == accepted


def _out_of_order(got: list[tuple[str, int]]) -> list[tuple[str, int]]:
    """Events that came after a later one of the same person."""
    last: dict[str, int] = {}
    late = []
    for user, number in got:
        if number < last.get(user, -1):
            late.append((user, number))
        last[user] = max(number, last.get(user, -1))
    return late
