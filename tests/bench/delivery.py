"""The lines of delivery: to an instant vendor, in batches, keyed, to many, and to nobody."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from functools import partial
from statistics import median

from hub.log import Log
from tests.bench.bench import Bench, Contender, Shape
from tests.bench.delivering import USERS, Vendor, delivered, filled, house, vendor, webhook
from tests.bench.filling import Mould, fill
from tests.bench.hub import Hub, kept
from tests.bench.processes import Server, asked
from tests.bench.reading import Goal, Line, Reading, ratios
from tests.bench.spent import cpu

IN_FLIGHT = 64
ROWS = 1_000

KEYS, KEYED, SERIAL = 1_000, 10_000, 500
AT_ONCE = 100
"""Requests open at once in the keyed line, as in the published figure that it is compared with."""

MORE = 4
"""So many filtered-out destinations more, so that their cost stands above the noise."""

PAUSE = 0.2
"""Seconds between two looks at how far destinations are."""

NOBODY = "filter.events = ['Never']"


def _own(name: str, of: Vendor, batch: int = 1) -> dict[str, str]:
    """The tables of one instance that delivers to a path of its own."""
    return {name: webhook(name, f"{of.process.url}/{name}", batch=batch, in_flight=IN_FLIGHT)}


async def instant(bench: Bench) -> AsyncIterator[Line]:
    """One request an event, beside a client that does nothing else."""
    count = int(10_000 * bench.size)
    ours, theirs = [], []
    async with vendor(bench) as taker:
        hub = house(bench, "sqlite", _own("orders", taker))
        for _ in range(bench.rounds):
            await filled(bench, hub, count)
            ours.append(await delivered(hub, taker, count))
            told = ("--count", count, "--concurrency", IN_FLIGHT)
            bare = await asked("tests.bench.client", f"{taker.process.url}/bare", *told)
            theirs.append(Reading(**bare))
    yield Line(
        name="delivery, one request an event",
        beside=f"bare aiohttp client, {IN_FLIGHT} at once",
        goal=Goal(0.60, "x of its events/CPU-s"),
        values=ratios(ours, theirs),
        ours=tuple(ours),
        theirs=tuple(theirs),
        durable=hub.store.durable,
    )


async def bulk(bench: Bench) -> AsyncIterator[Line]:
    """A thousand events a request (or as many as a request's bytes hold)."""
    count = int(40_000 * bench.size)
    ours = []
    async with vendor(bench) as taker:
        hub = house(bench, "sqlite", _own("rows", taker, batch=ROWS))
        for _ in range(bench.rounds):
            await filled(bench, hub, count)
            ours.append(await delivered(hub, taker, count))
            requests = (await taker.told("_count"))["/rows"]["requests"]
    yield Line(
        name=f"delivery, {ROWS:,} a request",
        beside="",
        goal=Goal(50_000, "events/CPU-s"),
        values=tuple(one.thrift for one in ours),
        ours=tuple(ours),
        durable=hub.store.durable,
        note=f"{count / requests:.0f} events a request",
    )


async def keyed(bench: Bench) -> AsyncIterator[Line]:
    """Many keys of one partition, to a vendor who takes 0 to 5 ms, beside one after the other."""
    count = max(KEYS, int(KEYED * min(1.0, bench.size)))
    ours, theirs = [], []
    async with vendor(bench) as taker:
        url = f"{taker.process.url}/slow"
        hub = house(bench, "sqlite", {"keyed": webhook("keyed", url, in_flight=AT_ONCE)}, 1)
        for _ in range(bench.rounds):
            await filled(bench, hub, count, KEYS)
            ours.append(await delivered(hub, taker, count, whole=True))
            told = ("--count", SERIAL, "--concurrency", 1)
            theirs.append(Reading(**await asked("tests.bench.client", url, *told)))
    yield Line(
        name=f"delivery, {count:,} records of {KEYS:,} keys in 1 partition",
        beside="strictly serial",
        goal=Goal(25.0, "x of its events/s"),
        values=ratios(ours, theirs, lambda reading: reading.rate),
        ours=tuple(ours),
        theirs=tuple(theirs),
        durable=hub.store.durable,
        note=f"{AT_ONCE} at once; serial {median(one.rate for one in theirs):.0f}/s",
    )


async def ten(bench: Bench) -> AsyncIterator[Line]:
    """What a delivery costs with ten destinations beside with one."""
    count, names = int(2_000 * bench.size), [f"orders{n}" for n in range(10)]
    ours, theirs = [], []
    async with vendor(bench) as taker:
        many = {name: told for one in names for name, told in _own(one, taker).items()}
        whole = house(bench, "sqlite", many)
        alone = house(bench, "sqlite", _own("orders", taker))
        for _ in range(bench.rounds):
            await filled(bench, alone, 2 * count)
            theirs.append(await delivered(alone, taker, 2 * count))
            await filled(bench, whole, count)
            ours.append(await delivered(whole, taker, count, len(names)))
    yield Line(
        name="delivery, 10 destinations",
        beside="1 destination",
        goal=Goal(1.15, "x of its CPU a delivery", at_most=True),
        values=ratios(theirs, ours),
        ours=tuple(ours),
        theirs=tuple(theirs),
        durable=whole.store.durable,
    )


async def filtered(bench: Bench) -> AsyncIterator[Line]:
    """What an event costs at a destination that does not want it."""
    count = int(20_000 * bench.size)
    unused = "http://127.0.0.1:9/never"
    names = [f"unwanted{n}" for n in range(1 + MORE)]
    few, many = (
        house(bench, "sqlite", {one: webhook(one, unused, extra=NOBODY) for one in names[:number]})
        for number in (1, len(names))
    )
    kinds = await bench.moulds()
    ours, theirs = [], []
    for _ in range(bench.rounds):
        theirs.append(await _followed(few, kinds, count))
        ours.append(await _followed(many, kinds, count))
    yield Line(
        name="delivery, 1 filtered-out destination more",
        beside="1 such destination",
        goal=Goal(3.0, "us an event", at_most=True),
        values=tuple(
            1e6 * (more.cpu - one.cpu) / (MORE * count)
            for more, one in zip(ours, theirs, strict=True)
        ),
        ours=tuple(ours),
        theirs=tuple(theirs),
        durable=many.store.durable,
        note=f"a {MORE}th of what {MORE} more cost",
    )


async def _followed(hub: Hub, kinds: Sequence[Mould], count: int) -> Reading:
    """What the process that delivers spends while events come in, until it is through them."""
    async with hub.delivery() as process, hub.log() as log:
        await _caught_up(hub, log)
        began, spent = asyncio.get_running_loop().time(), process.cpu
        await fill(log, kinds, count, USERS)
        lag = await _caught_up(hub, log)
        took = asyncio.get_running_loop().time() - began
        return Reading(count, took, process.cpu - spent, lost=lag)


async def _caught_up(hub: Hub, log: Log) -> int:
    """Return when each destination has committed all that is in the log; what is left: nothing."""
    while (lag := await hub.lag(log)) > 0:  # noqa: ASYNC110 - it rings no bell for who is outside
        await asyncio.sleep(PAUSE)
    return lag


async def through(bench: Bench, kind: str) -> AsyncIterator[Line]:
    """From sent to taken at 1,000 events a second, to three destinations."""
    names = ("orders", "copy", "mail")
    readings, delays = [], []
    async with vendor(bench) as taker:
        instances = {name: told for one in names for name, told in _own(one, taker).items()}
        hub = house(bench, kind, instances)
        async with hub.ingest() as ingest, hub.delivery() as delivery, hub.log() as log:
            sender = Contender(kind, ingest, hub.key, hub.store, partial(kept, log))
            for _ in range(1 + bench.rounds):  # the first is to warm up
                reading = await _through(bench, sender, delivery, taker, len(names))
                readings.append(reading)
                delays.append(list((await taker.told("_delays")).values()))
    for name, most in (("p50", 20.0), ("p95", 100.0)):
        yield Line(
            name=f"sent to taken {kind}, 1,000/s to 3 destinations, {name}",
            beside="",
            goal=Goal(most, "ms", at_most=True),
            values=tuple(1e3 * max(path[name] for path in told) for told in delays[1:]),
            ours=tuple(readings[1:]),
            durable=hub.store.durable,
            note="of the slowest destination; counts ingest's and delivery's CPU",
        )


async def _through(
    bench: Bench, sender: Contender, delivery: Server, taker: Vendor, paths: int
) -> Reading:
    await taker.told("_reset")
    delivering, taking = delivery.cpu, cpu(taker.process.pid)
    reading = await bench.loaded(sender, Shape(rate=1_000.0), 4 * bench.seconds)
    taken = await taker.until(paths * reading.events)
    return Reading(
        events=reading.events,
        seconds=reading.seconds,
        cpu=reading.cpu + delivery.cpu - delivering,
        store=reading.store,
        load=reading.load + cpu(taker.process.pid) - taking,
        lost=reading.lost + paths * reading.events - taken,
        refused=reading.refused,
    )
