"""What tests of several rooms need: a real Kafka."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.kafka.broker import Broker, Cluster, missing_tools


@pytest.fixture(scope="session")
def kafka_broker() -> Iterator[str]:
    """The bootstrap address of a Kafka that the whole run shares; isolate by a random topic prefix.

    `KAFKA_BOOTSTRAP_SERVERS` names one that is there already.
    """
    there = os.environ.get("KAFKA_BOOTSTRAP_SERVERS")
    if there:
        yield there
        return
    need_broker_tools()
    broker = Broker()
    try:
        broker.start()
        yield broker.bootstrap
    finally:
        broker.remove()


@pytest.fixture(scope="session")
def _frail_broker() -> Iterator[Broker]:
    """The one Kafka that tests may harm, one after the other."""
    need_broker_tools()
    # A broker that was killed is let in again when its last session is over.
    broker = Broker({"broker.session.timeout.ms": "1000", "broker.heartbeat.interval.ms": "250"})
    try:
        broker.start()
        yield broker
    finally:
        broker.remove()


@pytest.fixture
def own_broker(_frail_broker: Broker) -> Broker:
    """A Kafka of the test's own, that it may kill, freeze and restart; isolate what is written by a
    random topic prefix.
    """
    _frail_broker.revive()
    return _frail_broker


@pytest.fixture(scope="session")
def _frail_cluster() -> Iterator[Cluster]:
    """The one cluster that tests may harm, one after the other."""
    need_broker_tools()
    with Cluster() as cluster:
        yield cluster


@pytest.fixture
def kafka_cluster(_frail_cluster: Cluster) -> Cluster:
    """Three brokers that a test may kill, freeze and restart; isolate what is written by a random
    topic prefix.
    """
    _frail_cluster.revive()
    return _frail_cluster


def need_broker_tools() -> None:
    """Skip at home when no broker can be run here; in CI nothing may be skipped."""
    missing = missing_tools()
    if missing and os.environ.get("CI"):
        pytest.fail(f"a Kafka broker needs {' and '.join(missing)}, and CI may not skip")
    if missing:
        pytest.skip(f"a Kafka broker needs {' and '.join(missing)}")
