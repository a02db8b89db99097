"""A hub that delivers to a vendor who counts: filled, let go, and measured in the middle."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp

from tests.bench.bench import Bench
from tests.bench.filling import fill
from tests.bench.hub import PARTITIONS, Hub
from tests.bench.processes import Server, free_ports, server
from tests.bench.reading import Reading
from tests.bench.spent import cpu

PAUSE = 0.02
USERS = 5_000
STALL_SECONDS = 60.0
"""When nothing came for so long, what is missing is lost."""

FROM, TO = 0.2, 0.9
"""The part of the deliveries that is measured: between the start's reading ahead and the tail."""


@dataclass(frozen=True, slots=True)
class Vendor:
    """The counting vendor's process."""

    process: Server
    session: aiohttp.ClientSession

    async def told(self, path: str) -> dict[str, dict[str, Any]]:
        async with self.session.get(f"{self.process.url}/{path}") as answer:
            found: dict[str, dict[str, Any]] = await answer.json(content_type=None)
            return found

    async def until(self, count: int) -> int:
        """Return when so many events are taken over all paths, or nothing comes for long; how many
        are. One that came twice counts once.
        """
        taken = -1
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(None) as patience:
                while taken < count:
                    paths = (await self.told("_count")).values()
                    before, taken = taken, sum(one["different"] for one in paths)
                    if taken > before:
                        patience.reschedule(asyncio.get_running_loop().time() + STALL_SECONDS)
                    await asyncio.sleep(PAUSE)
        return taken


@asynccontextmanager
async def vendor(bench: Bench) -> AsyncIterator[Vendor]:
    """A vendor at work until the block ends."""
    (port,) = free_ports(1)
    folder = bench.place("vendor")
    folder.mkdir()
    told = server(folder, "tests.bench.vendor", str(port), port=port, path="_count")
    async with told as process, aiohttp.ClientSession() as session:
        yield Vendor(process, session)


def webhook(name: str, url: str, *, batch: int = 1, in_flight: int = 64, extra: str = "") -> str:
    """The tables of an instance that delivers to `url`; `extra` is TOML of the instance's own."""
    return (
        f"vendor = 'webhook'\nmax_in_flight = {in_flight}\n{extra}\n"
        f"[destinations.{name}.settings]\nurl = '{url}'\nbatch = {batch}\n"
        "secret = 'whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX'\n"
        "allow_http = true\nallow_private = true"
    )


def house(
    bench: Bench, kind: str, instances: Mapping[str, str], partitions: int = PARTITIONS
) -> Hub:
    """A hub with these destinations; none of its processes runs yet."""
    return Hub(bench.place(f"delivery-{kind}"), bench.store(kind), instances, partitions)


async def filled(bench: Bench, hub: Hub, count: int, users: int = USERS) -> None:
    """Have `count` events in the hub's log more than before."""
    async with hub.log() as log:
        await fill(log, await bench.moulds(), count, users)


async def delivered(
    hub: Hub, vendor: Vendor, count: int, instances: int = 1, *, whole: bool = False
) -> Reading:
    """What it took to deliver the next `count` events in the log to each of so many instances.

    It is the middle part that is measured, or the `whole` from the first taken to the last, with
    the CPU of the process's start in it.
    """
    await vendor.told("_reset")
    expected = count * instances
    started = asyncio.get_running_loop().time()
    async with hub.delivery() as process:
        begun = await _at(vendor, process, hub, 1 if whole else int(FROM * expected))
        ended = await _at(vendor, process, hub, expected if whole else int(TO * expected))
        taken = await vendor.until(expected)
        paths = (await vendor.told("_count")).values()
        return Reading(
            events=int(ended[0] - begun[0]),
            seconds=ended[1] - begun[1],
            cpu=ended[2] - begun[2],
            store=ended[3] - begun[3],
            load=ended[4] - begun[4],
            lost=max(0, expected - taken),
            memory=process.memory,
            delays={"first": min(one["first"] for one in paths) - started},
        )


async def _at(vendor: Vendor, process: Server, hub: Hub, count: int) -> Sequence[float]:
    """When the vendor has taken so many: how many, the time, and the CPU of hub, store, vendor."""
    taken = await vendor.until(count)
    now = asyncio.get_running_loop().time()
    return taken, now, process.cpu, hub.store.cpu, cpu(vendor.process.pid)
