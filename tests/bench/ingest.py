"""The lines of ingest: what the hub costs beside aiohttp, the prototype, and SQLite by itself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from functools import partial
from statistics import median

from tests.bench.bench import Bench, Contender, Shape
from tests.bench.hub import PARTITIONS, Hub, kept
from tests.bench.processes import asked, free_ports, server
from tests.bench.reading import Goal, Line, Reading, ratios

SHAPES = {
    "single": Shape(),
    "single, 256 connections": Shape(connections=256),
    "batch of 20": Shape(batch=20),
    "batch of 100": Shape(batch=100),
}
BARE = {"single": 0.65, "batch of 20": 0.50, "batch of 100": 0.55}
PROTOTYPE = {"single": 1.0, "batch of 20": 0.9, "batch of 100": 0.9}
PEERS = {
    "single": "PostHog capture 0.85x, RudderStack gateway 0.64x, Redpanda Connect 0.47x of it",
    "batch of 20": "PostHog capture 0.49x, RudderStack gateway 0.43x, Redpanda Connect 0.18x of it",
}
"""Events a CPU-second beside the prototype's, measured once on one machine of 2 cores (2026-11;
1.2 KB track events, 64 connections, acks=all on one broker or PostgreSQL with fsync; all tuned):
capture of June 2024, which checks shape and token only, gateway 1.80, which commits to PostgreSQL,
and Connect 4.102 with json_schema.
"""

OF_SQLITE = 0.70
OF_FEWER_CONNECTIONS = 0.90
BOTH = 1.8
MOST_MS = {"kafka": 10.0, "sqlite": 20.0}
WARM_SECONDS = 0.5

ALONE = "SQLite by itself"
CPU = "x of its events/CPU-s"

Readings = dict[tuple[str, str], list[Reading]]
"""Of a contender and a shape, one for each round."""


async def kafka(bench: Bench) -> AsyncIterator[Line]:
    """Durable in Kafka, beside the bare server and beside the prototype."""
    async with AsyncExitStack() as stack:
        bare = await stack.enter_async_context(bare_server(bench))
        small = await stack.enter_async_context(prototype(bench))
        hub = await stack.enter_async_context(whole_hub(bench, "kafka"))
        found: Readings = {}
        await _rounds(bench, (bare, small, hub), found)
    for shape, goal in BARE.items():
        yield _line(f"ingest kafka, {shape}", "bare server", goal, found, hub, (shape, bare.name))
    yield _more_connections(found, hub)
    for shape, goal in PROTOTYPE.items():
        told = (shape, small.name)
        line = _line(f"ingest kafka, {shape}", "prototype", goal, found, hub, told)
        yield replace(line, note=PEERS.get(shape, ""))


async def sqlite(bench: Bench) -> AsyncIterator[Line]:
    """Durable in SQLite, beside the lower of the bare server and SQLite by itself."""
    async with AsyncExitStack() as stack:
        bare = await stack.enter_async_context(bare_server(bench))
        hub = await stack.enter_async_context(whole_hub(bench, "sqlite"))
        found: Readings = {}
        await _rounds(bench, (bare, hub), found)
    for shape in BARE:
        lower = tuple(map(_lower, found[bare.name, shape], found[ALONE, shape]))
        ours = tuple(found[hub.name, shape])
        yield Line(
            name=f"ingest sqlite, {shape}",
            beside="lower of bare server and SQLite",
            goal=Goal(OF_SQLITE, CPU),
            values=ratios(ours, lower),
            ours=ours,
            theirs=lower,
            durable=hub.store.durable if hub.store else "",
            note=f"{median(map(_commit_size, ours))} events a commit",
        )
    yield _more_connections(found, hub)


def _commit_size(reading: Reading) -> int:
    return max(1, round(reading.events / reading.commits))


def _lower(one: Reading, other: Reading) -> Reading:
    return min(one, other, key=lambda reading: reading.thrift)


def _more_connections(found: Readings, hub: Contender) -> Line:
    """The cost with 256 connections beside that with 64."""
    return _line(
        f"ingest {hub.name}, 256 connections",
        "64 connections",
        OF_FEWER_CONNECTIONS,
        found,
        hub,
        ("single", hub.name),
        shape="single, 256 connections",
    )


def _line(
    name: str,
    beside: str,
    goal: float,
    found: Readings,
    hub: Contender,
    told: tuple[str, str],
    shape: str = "",
) -> Line:
    """`told` is the shape and the contender to stand beside; `shape` ours, if it is another."""
    ours, theirs = found[hub.name, shape or told[0]], found[told[1], told[0]]
    return Line(
        name=name,
        beside=beside,
        goal=Goal(goal, CPU),
        values=ratios(ours, theirs),
        ours=tuple(ours),
        theirs=tuple(theirs),
        durable=hub.store.durable if hub.store else "",
    )


async def _rounds(bench: Bench, contenders: tuple[Contender, ...], found: Readings) -> None:
    """Load each with each shape, in turn; after a hub in SQLite comes SQLite by itself, at the
    commit size that the hub just had.
    """
    for contender in contenders:
        await bench.loaded(contender, Shape(batch=20), WARM_SECONDS)
    for _ in range(bench.rounds):
        for name, shape in SHAPES.items():
            for contender in contenders:
                reading = await bench.loaded(contender, shape)
                found.setdefault((contender.name, name), []).append(reading)
                if reading.commits:
                    beside = await _alone(bench, _commit_size(reading))
                    found.setdefault((ALONE, name), []).append(beside)


async def _alone(bench: Bench, size: int) -> Reading:
    path = bench.place("appends").with_suffix(".db")
    told = ("--size", size, "--seconds", bench.seconds)
    return Reading(**await asked("tests.bench.appends", path, *told))


async def workers(bench: Bench) -> AsyncIterator[Line]:
    """Two processes on one port beside one, with batches, which cost the client least."""
    shape = Shape(batch=20)
    found: Readings = {}
    async with AsyncExitStack() as stack:
        pair = [
            await stack.enter_async_context(whole_hub(bench, "kafka", workers=count))
            for count in (1, 2)
        ]
        for contender in pair:
            await bench.loaded(contender, shape, WARM_SECONDS)
        for _ in range(bench.rounds):
            for contender in pair:
                reading = await bench.loaded(contender, shape)
                found.setdefault((contender.name, ""), []).append(reading)
    one, two = (found[contender.name, ""] for contender in pair)
    yield Line(
        name="ingest kafka, 2 workers, batch of 20",
        beside="1 worker",
        goal=Goal(BOTH, "x of its events/s"),
        values=ratios(two, one, lambda reading: reading.rate),
        ours=tuple(two),
        theirs=tuple(one),
        durable=bench.store("kafka").durable,
        note=_busy(two),
    )


def _busy(readings: list[Reading]) -> str:
    """Of which process there was too little: the cores that each kept busy."""
    hub, broker, load = (
        median(getattr(one, name) / one.seconds for one in readings)
        for name in ("cpu", "store", "load")
    )
    return f"cores busy: hub {hub:.2f}, broker {broker:.2f}, load {load:.2f}"


async def latency(bench: Bench, kind: str) -> AsyncIterator[Line]:
    """How long a request takes at half of the rate that was the most just before."""
    readings = []
    async with whole_hub(bench, kind) as hub:
        await bench.loaded(hub, Shape(), WARM_SECONDS)
        for _ in range(bench.rounds):
            rate = (await bench.loaded(hub, Shape())).rate / 2
            readings.append(await bench.loaded(hub, Shape(rate=rate), 4 * bench.seconds))
    middle, last = (median(1e3 * one.delays[name] for one in readings) for name in ("p50", "p99.9"))
    yield Line(
        name=f"ingest {kind}, p99 at half of the most",
        beside="",
        goal=Goal(MOST_MS[kind], "ms", at_most=True),
        values=tuple(1e3 * one.delays["p99"] for one in readings),
        ours=tuple(readings),
        durable=bench.store(kind).durable,
        note=f"p50 {middle:.2g} ms, p99.9 {last:.3g} ms",
    )


@asynccontextmanager
async def bare_server(bench: Bench) -> AsyncIterator[Contender]:
    (port,) = free_ports(1)
    folder = bench.place("bare")
    folder.mkdir()
    async with server(folder, "tests.bench.bare", str(port), port=port) as process:
        yield Contender("bare", process)


@asynccontextmanager
async def prototype(bench: Bench) -> AsyncIterator[Contender]:
    """The prototype, on a topic that a hub made."""
    (port,) = free_ports(1)
    store = bench.store("kafka")
    assert store.broker
    house = Hub(bench.place("prototype"), store)
    topic = f"{house.prefix}events"
    told = (str(port), store.broker.bootstrap, topic, str(PARTITIONS))
    async with (
        house.log() as log,  # makes the topics
        server(house.folder, "tests.bench.prototype", *told, port=port) as process,
    ):
        yield Contender("prototype", process, store=store, count=partial(kept, log))


@asynccontextmanager
async def whole_hub(
    bench: Bench, kind: str, workers: int = 1, partitions: int = PARTITIONS, sources: int = 1
) -> AsyncIterator[Contender]:
    """Ingest as it runs in earnest; nobody delivers."""
    store = bench.store(kind)
    house = Hub(bench.place(kind), store, partitions=partitions, sources=sources)
    name = kind if workers == 1 else f"{kind}, {workers} workers"
    async with house.ingest(workers) as process, house.log() as log:
        commits = None if store.broker else house.commits
        yield Contender(name, process, house.key, store, partial(kept, log), commits, sources)
