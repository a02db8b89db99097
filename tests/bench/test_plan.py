"""The plan counts what must be there: enough of everything, and no more where less will do."""

from __future__ import annotations

from tests.bench.plan import Assumed, Load, Machines, Measured, Money, Wanted, rows, strained

MEASURED = Measured(
    ingest_us=30.0,
    ingest_broker_us=5.0,
    delivery_us=20.0,
    delivery_broker_us=1.0,
    event_bytes=1_500.0,
    ledger_bytes=100.0,
    index_bytes=50.0,
)


def _machines(**wanted: float) -> Machines:
    told = {"rate": 1_000_000, "destinations": 2, "spare": 0.5, **wanted}
    return Machines(Load(MEASURED, Wanted.model_validate(told)), Assumed())


def test_processes_are_as_many_as_their_cores_are_busy() -> None:
    """30 us for each of 1M events keep 30 cores busy, so that 60 are half free; delivery has two
    destinations of 20 us.
    """
    machines = _machines()

    assert (60, 80) == (machines.ingest, machines.delivery)


def test_partitions_leave_room_for_as_many_processes_more() -> None:
    """A process needs a partition of its own, and twice as many may be wanted."""
    assert 256 == _machines().partitions


def test_disk_holds_every_copy_of_events_and_ledger() -> None:
    """1,700 bytes a second and event, three times, for a week, on disks that are half full."""
    disk = _machines(rate=1).disk

    assert round(1_700 * 3 * 7 * 86_400 / 0.5) == round(disk)


def test_copies_are_not_paid_for_by_readers() -> None:
    """Out of brokers go two copies to the others, events to each destination, and pages once."""
    load = _machines(rate=1).load

    assert 2 * 1_700 + 2 * 1_500 + 200 == load.out_of_brokers


def test_brokers_are_never_fewer_than_copies() -> None:
    """However little there is to carry, each copy lies on a broker of its own."""
    assert 3 == _machines(rate=1).brokers


def test_brokers_suffice_for_what_they_are_shortest_of() -> None:
    """Each of disk, network and CPU needs no more brokers than there are."""
    machines = _machines()

    assert machines.brokers - 1 < max(machines.needs.values()) <= machines.brokers


def test_money_is_the_sum_of_its_parts() -> None:
    """What is paid in all is paid for something; with twice the events, some twice as much."""
    few, many = Money(_machines()), Money(_machines(rate=2_000_000))

    assert (many.whole, 2 * few.egress) == (
        many.cores + many.disk + many.zones + many.egress,
        many.egress,
    )


def test_each_row_says_what_and_how_much() -> None:
    """No cell of the tables is empty."""
    machines = _machines()

    assert all(map(all, [*rows(machines), *strained(machines)]))
