"""What so many events a second take, computed from what one event was measured to cost.

A figure is a property, and its docstring is what the tables say of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil, log2

from pydantic import BaseModel, ConfigDict, Field

DAY = 86_400.0
MONTH_HOURS = 730
MONTH = 3_600.0 * MONTH_HOURS
GB, TB, GBIT = 1e9, 1e12, 1e9 / 8

SEEN_IDS = 1_000_000
"""Of ingest's dedupe (`dedupe_ids`), which holds the latest half of them at least."""

ELSEWHERE = 2 / 3
"""Of the traffic between machines in three zones."""


class _Figures(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Measured(_Figures):
    """The constants of one run of the bench."""

    ingest_us: float = Field(description="CPU-us of ingest for an event, in batches at half load")
    ingest_broker_us: float = Field(description="CPU-us of the broker for an event taken in")
    delivery_us: float = Field(description="CPU-us of delivery for an event and destination")
    delivery_broker_us: float = Field(description="CPU-us of the broker for the same")
    event_bytes: float = Field(description="bytes of an event in the log, one copy")
    ledger_bytes: float = Field(description="bytes of the ledger for a delivery, one copy")
    index_bytes: float = Field(description="bytes of a delivery process's index for an event")


class Wanted(_Figures):
    """What is asked for."""

    rate: float = Field(1_000_000, description="events a second, all day long")
    destinations: int = Field(3, description="destinations that want every event")
    copies: int = Field(3, description="copies of each record; two are in sync before a 200")
    days: float = Field(7, description="days that the log keeps")
    batch: int = Field(100, description="events of a request to a vendor")
    spare: float = Field(0.4, description="share of each core, link and disk that is left free")


class Assumed(_Figures):
    """Machines, and prices on demand of no cloud in particular: to be replaced by your own."""

    broker_cores: int = Field(16, description="cores of a broker")
    broker_gbit: float = Field(25, description="Gbit/s of a broker's network, each way")
    broker_tb: float = Field(60, description="TB of a broker's disks")
    core_hour: float = Field(0.045, description="USD for an hour of a core with its memory")
    disk_month: float = Field(0.045, description="USD for a GB of disk a month (spinning)")
    zone_gb: float = Field(0.02, description="USD for a GB from zone to zone, both ends")
    egress_gb: float = Field(0.05, description="USD for a GB over the internet to vendors")


@dataclass(frozen=True, slots=True)
class Load:
    """What the machines have to carry; bytes are a second."""

    measured: Measured
    wanted: Wanted

    @property
    def deliveries(self) -> float:
        return self.wanted.rate * self.wanted.destinations

    @property
    def events(self) -> float:
        return self.wanted.rate * self.measured.event_bytes

    @property
    def ledger(self) -> float:
        return self.deliveries * self.measured.ledger_bytes

    @property
    def written(self) -> float:
        return self.events + self.ledger

    @property
    def read(self) -> float:
        """Each destination reads all events for itself, and the audit all pages."""
        return self.events * self.wanted.destinations + self.ledger

    @property
    def into_brokers(self) -> float:
        return self.written * self.wanted.copies

    @property
    def out_of_brokers(self) -> float:
        return self.written * (self.wanted.copies - 1) + self.read

    @property
    def broker_cores(self) -> float:
        """Busy ones; a copy is taken to cost as much as the first."""
        ingest = self.wanted.rate * self.measured.ingest_broker_us
        delivery = self.deliveries * self.measured.delivery_broker_us
        return self.wanted.copies * (ingest + delivery) / 1e6


@dataclass(frozen=True, slots=True)
class Machines:
    """How many it takes."""

    load: Load
    assumed: Assumed

    @property
    def free(self) -> float:
        return 1 - self.load.wanted.spare

    @property
    def ingest(self) -> int:
        """Ingest processes, a core each."""
        load = self.load
        return ceil(load.wanted.rate * load.measured.ingest_us / 1e6 / self.free)

    @property
    def delivery(self) -> int:
        """Delivery processes, a core each."""
        load = self.load
        return ceil(load.deliveries * load.measured.delivery_us / 1e6 / self.free)

    @property
    def partitions(self) -> int:
        """Partitions of events: twice the delivery processes, so that some can be added."""
        return 1 << ceil(log2(2 * self.delivery))

    @property
    def disk(self) -> float:
        """Bytes, with copies and what is left free."""
        return self.load.into_brokers * self.load.wanted.days * DAY / self.free

    @property
    def needs(self) -> dict[str, float]:
        """Brokers, by each thing that they may be short of."""
        link = self.assumed.broker_gbit * GBIT * self.free
        return {
            "disk": self.disk / (self.assumed.broker_tb * TB),
            "network": max(self.load.into_brokers, self.load.out_of_brokers) / link,
            "CPU": self.load.broker_cores / self.free / self.assumed.broker_cores,
        }

    @property
    def brokers(self) -> int:
        return max(self.load.wanted.copies, ceil(max(self.needs.values())))

    @property
    def cores(self) -> int:
        return self.ingest + self.delivery + self.brokers * self.assumed.broker_cores


@dataclass(frozen=True, slots=True)
class Money:
    """USD a month."""

    machines: Machines

    @property
    def cores(self) -> float:
        return self.machines.cores * self.machines.assumed.core_hour * MONTH_HOURS

    @property
    def disk(self) -> float:
        return self.machines.disk / GB * self.machines.assumed.disk_month

    @property
    def zones(self) -> float:
        load = self.machines.load
        moved = (load.written + load.read) * ELSEWHERE + load.written * (load.wanted.copies - 1)
        return moved * MONTH / GB * self.machines.assumed.zone_gb

    @property
    def egress(self) -> float:
        load = self.machines.load
        return load.events * load.wanted.destinations * MONTH / GB * self.machines.assumed.egress_gb

    @property
    def whole(self) -> float:
        return self.cores + self.disk + self.zones + self.egress


Row = tuple[str, str]


def rows(machines: Machines) -> Iterator[Row]:
    """The plan as a table: what, and how much of it."""
    load, money = machines.load, Money(machines)
    share = 1 / machines.brokers / GBIT
    needs = ", ".join(f"{what} {count:,.1f}" for what, count in machines.needs.items())
    yield "ingest processes, a core each", f"{machines.ingest:,}"
    yield "delivery processes, a core each", f"{machines.delivery:,}"
    yield "partitions (of `events`, `deliveries`, `parked`)", f"{machines.partitions:,}"
    yield "written by the hub, one copy", f"{load.written / GB:.2f} GB/s"
    yield "of it the ledger", f"{load.ledger / GB:.2f} GB/s"
    yield "read from the brokers", f"{load.read / GB:.2f} GB/s"
    yield "disk, with copies and room", f"{machines.disk / TB:,.0f} TB"
    yield "brokers", f"{machines.brokers:,} (for {needs})"
    yield "into each broker", f"{load.into_brokers * share:.1f} Gbit/s"
    yield "out of each broker", f"{load.out_of_brokers * share:.1f} Gbit/s"
    yield "cores in all", f"{machines.cores:,}"
    yield "money: cores", f"{money.cores:,.0f} USD a month"
    yield "money: disk", f"{money.disk:,.0f} USD a month"
    yield "money: between zones", f"{money.zones:,.0f} USD a month"
    yield "money: to vendors", f"{money.egress:,.0f} USD a month"
    yield "money in all", f"{money.whole:,.0f} USD a month"


def strained(machines: Machines) -> Iterator[Row]:
    """What the hub's own bounds come to at that rate."""
    load = machines.load
    wanted, measured = load.wanted, load.measured
    each = wanted.rate / machines.delivery
    yield (
        "what a delivery process reads if it follows the whole log",
        f"{load.written / GB:.1f} GB/s",
    )
    yield "index, of its own partitions alone", f"{each:,.0f} rows/s a process"
    yield (
        "the index's file after a day",
        f"{each * DAY * measured.index_bytes / GB:,.0f} GB a process",
    )
    yield (
        "how far ingest's dedupe looks back, at least",
        f"{SEEN_IDS / 2 * machines.ingest / wanted.rate:,.0f} s",
    )
    yield "members of each reader group", f"{machines.delivery:,}"
    yield "commits", f"{machines.delivery * (wanted.destinations + 1):,} a second"
    yield "requests to each vendor", f"{wanted.rate / wanted.batch:,.0f} a second"
    yield "ledger beside events", f"{load.ledger / load.events:.0%} of their bytes"
