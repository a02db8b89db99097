"""How an event's cost grows with load, users, partitions, sources, destinations and backlog."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from functools import partial
from statistics import median

from hub.log import DELIVERIES, EVENTS
from tests.bench.bench import Bench, Contender, Shape
from tests.bench.curve import Curve, curve
from tests.bench.delivering import USERS, Vendor, delivered, filled, house, vendor, webhook
from tests.bench.hub import PARTITIONS, Hub
from tests.bench.ingest import WARM_SECONDS, whole_hub
from tests.bench.reading import Reading

LOAD = "% of the most"
USERS_OF = (1, 10, 100, 10_000, 1_000_000)
SPLITS = (1, 2, 8, 32, 64)

SHAPES = {"batch of 20": Shape(batch=20), "single": Shape()}
ROWS = 100
"""Events of a request to the vendor, at most: what CRMs take."""

COUNT = 20_000
"""Events of a round of delivery."""

OF_A_USER = 300
"""The same where users are few: those of one user leave one after the other."""

OF_A_DESTINATION = 4_000
"""The same where destinations are many: of each."""


async def ingest(
    bench: Bench, kind: str, along: str, points: Sequence[int]
) -> AsyncIterator[Curve]:
    """In batches and one by one, each point under all the load that it takes (or a share)."""
    async with AsyncExitStack() as stack:
        hubs: dict[int, Contender] = {}
        for point in points:
            own = {along: point} if along in ("partitions", "sources") else {}
            if own or not hubs:
                hub = await stack.enter_async_context(whole_hub(bench, kind, **own))
                await bench.loaded(hub, SHAPES["batch of 20"], WARM_SECONDS)
            hubs[point] = hub
        for name, shape in SHAPES.items():
            most = await _most(bench, hub, shape) if along == LOAD else 0.0

            async def at(point: int, shape: Shape = shape, most: float = most) -> Reading:
                shaped = _shaped(shape, along, point, most)
                # At a small rate there must be enough events to share what an idle hub costs.
                seconds = 2 * bench.seconds if shaped.rate else bench.seconds
                return await bench.loaded(hubs[point], shaped, seconds)

            yield await curve(f"ingest, {name}", along, points, at, bench.rounds)


async def _most(bench: Bench, hub: Contender, shape: Shape) -> float:
    """Events a second."""
    return median([(await bench.loaded(hub, shape)).rate for _ in range(bench.rounds)])


def _shaped(shape: Shape, along: str, point: int, most: float) -> Shape:
    if along == "users":
        return replace(shape, users=point)
    if along == LOAD and point < 100:  # at 100 all is sent: what it takes now is the most
        connections = max(1, shape.connections * point // 100)  # fewer people, not slower ones
        return replace(shape, rate=most * point / 100, connections=connections)
    return shape


@dataclass(frozen=True, slots=True)
class Scene:
    """What a round of delivery finds; `backlog` are events after those that are measured."""

    users: int = USERS
    partitions: int = PARTITIONS
    destinations: int = 1
    backlog: int = 0

    @property
    def count(self) -> int:
        """Events to be delivered to each destination."""
        return min(max(OF_A_DESTINATION, COUNT // self.destinations), OF_A_USER * self.users)


async def delivery(
    bench: Bench, kind: str, along: str, points: Sequence[int]
) -> AsyncIterator[Curve]:
    """In batches to a vendor who takes all at once; the cost is that of a delivery."""
    scenes = {at: replace(Scene(), **{along: at}) for at in points}
    async with vendor(bench) as taker:
        hubs = {at: _hub(bench, kind, taker, scene) for at, scene in scenes.items()}

        async def at(point: int) -> Reading:
            return await _round(bench, hubs[point], taker, scenes[point])

        yield await curve("delivery", along, points, at, bench.rounds)


def _hub(bench: Bench, kind: str, taker: Vendor, scene: Scene) -> Hub:
    names = [f"rows{number}" for number in range(scene.destinations)]
    url = taker.process.url
    tables = {name: webhook(name, f"{url}/{name}", batch=ROWS) for name in names}
    return house(bench, kind, tables, scene.partitions)


async def _round(bench: Bench, hub: Hub, taker: Vendor, scene: Scene) -> Reading:
    """Deliver; first, what lacks in the log is filled up."""
    count = int(bench.size * scene.count)
    async with hub.log() as log:
        left = await hub.lag(log) // scene.destinations
    await filled(bench, hub, max(0, count + scene.backlog - left), scene.users)
    return await delivered(hub, taker, count, scene.destinations)


async def backlog(
    bench: Bench, kind: str, along: str, points: Sequence[int]
) -> AsyncIterator[Curve]:
    """As `delivery`, up to the bench's longest backlog."""
    async for one in delivery(bench, kind, along, [at for at in points if at <= bench.backlog]):
        yield one


async def weighed(bench: Bench) -> dict[str, float]:
    """Bytes of an event in Kafka, of a delivery in the ledger, of an event in a process's index."""
    scene = Scene()
    count = int(bench.size * scene.count)
    async with vendor(bench) as taker:
        hub = _hub(bench, "kafka", taker, scene)
        await filled(bench, hub, count)
        await delivered(hub, taker, count)
    return {
        "event_bytes": hub.weight(EVENTS) / count,
        "ledger_bytes": hub.weight(DELIVERIES) / count,
        "index_bytes": hub.index_weight / count,
    }


CURVES: Mapping[str, Callable[[Bench, str], AsyncIterator[Curve]]] = {
    "ingest-load": partial(ingest, along=LOAD, points=(5, 10, 25, 50, 75, 100)),
    "ingest-users": partial(ingest, along="users", points=USERS_OF),
    "ingest-partitions": partial(ingest, along="partitions", points=SPLITS),
    "ingest-sources": partial(ingest, along="sources", points=(1, 10, 100, 1_000)),
    "delivery-users": partial(delivery, along="users", points=USERS_OF),
    "delivery-partitions": partial(delivery, along="partitions", points=SPLITS),
    "delivery-destinations": partial(delivery, along="destinations", points=(1, 2, 5, 10, 20)),
    "delivery-backlog": partial(
        backlog, along="backlog", points=(0, 10_000, 100_000, 1_000_000, 10_000_000)
    ),
}
"""By name: curves of the log that is asked for."""
