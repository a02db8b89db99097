"""Kafka behind passwords, rights and certificates: what is right works, what is wrong is named."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import uvloop
from aiokafka import conn as connections
from aiokafka import errors
from aiokafka.protocol.metadata import MetadataRequest

from hub.log import EVENTS, Log, LogMisconfigured
from hub.log.opening import open_log
from hub.log.settings import KafkaLog as KafkaSettings
from tests.conftest import need_broker_tools
from tests.hub.log.scenes import by_key, numbered, take_all
from tests.kafka.broker import Broker

pytestmark = pytest.mark.kafka


@pytest.fixture(scope="module")
def guarded() -> Iterator[Broker]:
    """A Kafka that asks for a password, where `hub` may do all and `guest` nothing."""
    need_broker_tools()
    users = {"hub": "right", "guest": "right"}
    jaas = " ".join(f'user_{name}="{password}"' for name, password in users.items())
    broker = Broker(
        {
            "listener.name.clients.sasl.enabled.mechanisms": "PLAIN",
            "listener.name.clients.plain.sasl.jaas.config": (
                "org.apache.kafka.common.security.plain.PlainLoginModule required "
                f'username="hub" password="right" {jaas};'
            ),
            "sasl.mechanism.inter.broker.protocol": "PLAIN",
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:hub;User:ANONYMOUS",  # the controller's own port is open
        },
        listener="SASL_PLAINTEXT",
    )
    yield from _running(broker)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an authority, and a key and certificate that it signed."""
    folder = tmp_path_factory.mktemp("certificates")
    for name in ("ca", "other"):
        _openssl(
            folder,
            *(
                "req",
                "-x509",
                "-newkey",
                "rsa:2048",
                "-nodes",
                "-days",
                "2",
                "-subj",
                f"/CN={name}",
            ),
            *("-keyout", f"{name}.key", "-out", f"{name}.pem"),
        )
    _openssl(
        folder,
        *("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=127.0.0.1"),
        *("-keyout", "our.key", "-out", "our.csr"),
    )
    (folder / "names").write_text("subjectAltName=IP:127.0.0.1\n")
    _openssl(
        folder,
        *("x509", "-req", "-in", "our.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-days", "2"),
        *("-CAcreateserial", "-extfile", "names", "-out", "our.pem"),
    )
    both = (folder / "our.key").read_text() + (folder / "our.pem").read_text()
    (folder / "broker.pem").write_text(both)
    return folder


@pytest.fixture(scope="module")
def encrypted(certificates: Path) -> Iterator[Broker]:
    """A Kafka that speaks TLS only, with those who have a certificate."""
    need_broker_tools()
    broker = Broker(
        {
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(certificates / "broker.pem"),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(certificates / "ca.pem"),
            "ssl.client.auth": "required",
        },
        listener="SSL",
    )
    yield from _running(broker)


def _running(broker: Broker) -> Iterator[Broker]:
    try:
        broker.start()
        yield broker
    finally:
        broker.remove()


def _openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


def with_password(broker: Broker, user: str, password: str) -> KafkaSettings:
    return KafkaSettings(
        bootstrap_servers=broker.bootstrap,
        partitions=1,
        security_protocol="SASL_PLAINTEXT",
        sasl_username=user,
        sasl_password=password,
    )


def with_certificate(broker: Broker, folder: Path, **changes: Any) -> KafkaSettings:
    return KafkaSettings(
        **{
            "bootstrap_servers": broker.bootstrap,
            "partitions": 1,
            "security_protocol": "SSL",
            "ssl_cafile": folder / "ca.pem",
            "ssl_certfile": folder / "our.pem",
            "ssl_keyfile": folder / "our.key",
            **changes,
        }
    )


@pytest.fixture(params=["guarded", "encrypted"])
async def log(request: pytest.FixtureRequest, certificates: Path) -> AsyncIterator[Log]:
    broker = request.getfixturevalue(request.param)
    log = await open_log(
        with_password(broker, "hub", "right")
        if request.param == "guarded"
        else with_certificate(broker, certificates)
    )
    yield log
    await log.close()


async def test_all_that_the_log_does_it_does_as_set(log: Log) -> None:
    """With the right password, or the right certificates, the log appends, reads and tells."""
    await log.append(EVENTS, numbered("a", range(3)))
    reader = await log.open_reader(EVENTS, "g")
    taken = await take_all(reader, 3)
    await reader.commit({0: 3})
    await reader.close()
    again = await log.read(EVENTS, 0, 0, 3)
    await log.ready()
    (events,) = [status for status in await log.status() if status.stream == EVENTS]

    assert {b"a": [0, 1, 2]} == by_key(taken) == by_key(again)
    assert 0 == events.lag("g")


async def test_a_wrong_password_is_named(guarded: Broker) -> None:
    """Kafka that does not know us is a setting to mend, and not a Kafka that is away."""
    with pytest.raises(LogMisconfigured, match="Authentication"):
        await open_log(with_password(guarded, "hub", "wrong"))


async def test_missing_rights_are_named(guarded: Broker) -> None:
    """What Kafka denies is told with the rights that are missing."""
    with pytest.raises(LogMisconfigured, match=r"grant .*Describe.* on topic hub\."):
        await open_log(with_password(guarded, "guest", "right"))


async def test_a_broker_that_cannot_prove_itself_is_named(
    encrypted: Broker, certificates: Path
) -> None:
    """A broker whose certificate was signed by a stranger is not spoken to."""
    settings = with_certificate(encrypted, certificates, ssl_cafile=certificates / "other.pem")

    with pytest.raises(LogMisconfigured, match="CERTIFICATE_VERIFY_FAILED"):
        await open_log(settings)


def test_a_connection_that_was_cut_is_no_surprise(kafka_broker: str) -> None:
    """uvloop has a word of its own for it, which would end what goes on in the background."""
    host, _, port = kafka_broker.partition(":")

    async def cut() -> None:
        connection = await connections.create_conn(host, int(port))
        connection._writer.transport.abort()
        await asyncio.sleep(0)  # from now on the transport is closed, and nobody was told
        with pytest.raises(errors.KafkaConnectionError):
            await connection.send(MetadataRequest([]))

    uvloop.run(cut())
