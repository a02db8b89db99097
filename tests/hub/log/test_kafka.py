"""The log on Kafka as a whole: how it is opened and closed, and what is not there."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from hub.log import EVENTS, LogMisconfigured, LogUnavailable
from hub.log.kafka import KafkaLog
from tests.hub.log.kafka_scenes import PARTITIONS, opened, settings_at
from tests.hub.log.scenes import PATIENCE, numbered, read_all, settled
from tests.kafka.broker import Broker

pytestmark = pytest.mark.kafka


async def test_closing_does_not_wait_for_kafka(own_broker: Broker) -> None:
    """`close`, of the log and of a reader, ends in bounded time while Kafka is away."""
    log = await opened(settings_at(own_broker.bootstrap))
    reader = await log.open_reader(EVENTS, "g")
    await settled(reader, partitions=PARTITIONS)
    own_broker.kill()
    with pytest.raises(LogUnavailable):
        await log.append(EVENTS, numbered("a", range(1)))

    async with asyncio.timeout(PATIENCE):
        await reader.close()
        await log.close()

    with pytest.raises(LogUnavailable):
        await log.append(EVENTS, numbered("a", range(1)))


@pytest.mark.parametrize(
    ("changes", "error", "says"),
    [
        ({"bootstrap_servers": "127.0.0.1:1"}, LogUnavailable, "127.0.0.1:1"),
        ({"bootstrap_servers": "127.0.0.1:port"}, LogMisconfigured, "127.0.0.1:port"),
        ({"replication_factor": 3}, LogMisconfigured, "creating topic"),
        ({"security_protocol": "SASL_PLAINTEXT"}, LogMisconfigured, "sasl_password"),
        ({"security_protocol": "SSL", "ssl_cafile": "nowhere.pem"}, LogMisconfigured, "nowhere"),
    ],
)
async def test_opening_tells_what_is_wrong(
    kafka_broker: str, changes: dict[str, Any], error: type[Exception], says: str
) -> None:
    """A log that cannot be opened says whether to wait or to mend, and what."""
    with pytest.raises(error, match=says):
        await KafkaLog.open(settings_at(kafka_broker, **changes))


async def test_a_stream_that_is_not_there_is_named(kafka_log: KafkaLog) -> None:
    """Whatever is asked of an unknown stream is answered with its name and those there are."""
    for asked in (
        kafka_log.append("orders", numbered("a", range(1))),
        kafka_log.open_reader("orders", "g"),
        kafka_log.read("orders", 0, 0, 1),
        kafka_log.offset_at("orders", 0, 0.0),
    ):
        with pytest.raises(LogMisconfigured, match="no stream orders; there are events"):
            await asked


async def test_a_closed_log_is_not_ready(kafka_broker: str) -> None:
    """After `close`, `ready` and `append` say that the log is closed; closing twice is no harm."""
    log = await KafkaLog.open(settings_at(kafka_broker))
    await log.ready()
    await log.close()
    await log.close()

    with pytest.raises(LogUnavailable, match="closed"):
        await log.ready()
    with pytest.raises(LogUnavailable, match="closed"):
        await log.append(EVENTS, numbered("a", range(1)))


async def test_prefixes_keep_logs_apart(kafka_log: KafkaLog, kafka_broker: str) -> None:
    """Two logs on one cluster share neither records nor groups."""
    other = await KafkaLog.open(settings_at(kafka_broker))
    await kafka_log.append(EVENTS, numbered("a", range(3)))
    reader = await kafka_log.open_reader(EVENTS, "g")
    await settled(reader, partitions=PARTITIONS)
    await reader.commit({0: 0})
    await reader.close()
    found = await read_all(other, EVENTS)
    groups = {group for status in await other.status() for group in status.groups}
    await other.close()

    assert [] == found
    assert set() == groups
