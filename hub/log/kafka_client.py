"""How Kafka is spoken to: connections as they are set, and its errors as ours."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from aiokafka import conn as connections
from aiokafka import errors
from aiokafka.conn import AIOKafkaConnection, CloseReason, collect_hosts, create_conn
from aiokafka.helpers import create_ssl_context

from hub.log import LogError, LogMisconfigured, LogUnavailable
from hub.log.settings import KafkaLog

# Seconds for one request that is not an append; a broker that answers at all does so in less.
REQUEST_TIMEOUT = 10.0

# New partitions and moved leaders are noticed within these seconds when nothing fails before.
METADATA_AGE = 60.0

_DENIED = (
    errors.TopicAuthorizationFailedError,
    errors.GroupAuthorizationFailedError,
    errors.ClusterAuthorizationFailedError,
    errors.TransactionalIdAuthorizationFailed,
)

_WRONG = (
    errors.AuthenticationFailedError,
    errors.AuthenticationMethodNotSupported,
    errors.SaslAuthenticationFailed,
    errors.UnsupportedSaslMechanismError,
    errors.IllegalSaslStateError,
    errors.SecurityDisabled,
    errors.IncompatibleBrokerVersion,
    errors.UnsupportedVersionError,
    errors.InvalidConfigurationError,
    errors.InvalidReplicationFactorError,
    errors.InvalidPartitionsError,
    errors.InvalidTopicError,
    errors.InvalidGroupIdError,
    errors.InvalidSessionTimeoutError,
    errors.PolicyViolationError,
    errors.RecordListTooLargeError,
    errors.MessageSizeTooLargeError,
    ssl.SSLCertVerificationError,
)


class _Connection(AIOKafkaConnection):  # type: ignore[misc]
    """A connection that says so when it is closed.

    uvloop raises RuntimeError at a write to a transport that was closed meanwhile. aiokafka (0.14)
    does not know that word: its background work would end without one, and never look for a
    coordinator or a leader again.
    """

    def send(self, request: Any, expect_response: bool = True) -> Any:
        try:
            return super().send(request, expect_response)
        except RuntimeError as error:
            self.close(reason=CloseReason.CONNECTION_BROKEN)
            raise errors.KafkaConnectionError(f"{self._host}:{self._port}: {error}") from error


# aiokafka makes its connections by this name; it has no other way to be given another kind.
connections.AIOKafkaConnection = _Connection


@contextmanager
def translated(doing: str, needs: str) -> Iterator[None]:
    """Raise what Kafka's client raises as a LogError: `doing` says what, `needs` which rights."""
    try:
        yield
    except (errors.KafkaError, errors.IllegalOperation, OSError) as error:
        raise log_error(error, doing, needs) from error


def log_error(error: BaseException, doing: str, needs: str) -> LogError:
    """The LogError that an error of Kafka's client stands for."""
    said = f"{type(error).__name__}: {error}"
    if isinstance(error, LogError):
        return error
    if isinstance(error, _DENIED):
        return LogMisconfigured(f"{doing}: Kafka denies it; grant {needs} to our user ({said})")
    if isinstance(error, _WRONG):
        return LogMisconfigured(f"{doing}: {said}")
    return LogUnavailable(f"{doing}: {said}")


def connection_of(settings: KafkaLog) -> dict[str, Any]:
    """The arguments that every client of aiokafka takes."""
    try:
        collect_hosts(settings.bootstrap_servers)
    except ValueError as error:
        raise LogMisconfigured(
            f"bootstrap_servers {settings.bootstrap_servers} is not host:port, ...: {error}"
        ) from error
    arguments: dict[str, Any] = {
        "bootstrap_servers": settings.bootstrap_servers,
        "client_id": "event-hub",
        "security_protocol": settings.security_protocol,
        "metadata_max_age_ms": int(METADATA_AGE * 1000),
        "request_timeout_ms": int(REQUEST_TIMEOUT * 1000),
    }
    if settings.security_protocol.startswith("SASL"):
        if settings.sasl_username is None or settings.sasl_password is None:
            raise LogMisconfigured(
                f"{settings.security_protocol} needs sasl_username and sasl_password"
            )
        arguments |= {
            "sasl_mechanism": settings.sasl_mechanism,
            "sasl_plain_username": settings.sasl_username,
            "sasl_plain_password": settings.sasl_password.get_secret_value(),
        }
    if settings.security_protocol.endswith("SSL"):
        password = settings.ssl_password
        try:
            arguments["ssl_context"] = create_ssl_context(
                cafile=settings.ssl_cafile,
                certfile=settings.ssl_certfile,
                keyfile=settings.ssl_keyfile,
                password=password.get_secret_value() if password else None,
            )
        except OSError as error:  # also what ssl raises about a certificate or key
            files = settings.ssl_cafile, settings.ssl_certfile, settings.ssl_keyfile
            named = ", ".join(str(file) for file in files if file)
            raise LogMisconfigured(f"TLS cannot be set up from {named}: {error}") from error
    return arguments


async def knock(connection: dict[str, Any]) -> None:
    """Connect to one bootstrap server and let go, raising why the last of them could not be.

    aiokafka's own `bootstrap` only logs why, so a wrong password looks like a broker that is away.
    """
    why: BaseException = errors.NoBrokersAvailable()
    for host, port, _ in collect_hosts(connection["bootstrap_servers"]):
        try:
            conn = await create_conn(
                host,
                port,
                **{
                    name: value
                    for name, value in connection.items()
                    if name not in ("bootstrap_servers", "metadata_max_age_ms")
                },
            )
        except (OSError, errors.KafkaError) as error:
            why = error
        else:
            closed = conn.close()
            if closed is not None:
                await closed
            return
    raise why


async def stop_consumer(consumer: Any) -> None:
    """Stop a consumer of aiokafka, in bounded time also while Kafka is away."""
    stopping = asyncio.create_task(consumer.stop())
    # A broker that answers nothing is not waited for: it will miss our heartbeats.
    await asyncio.wait([stopping], timeout=REQUEST_TIMEOUT)
    # `stop` may end in the CancelledError of a fetch that it cancelled while Kafka is away
    # (aiokafka 0.14), before it has closed the connections; closing them also ends requests.
    await consumer._client.close()
    stopping.cancel()
    await asyncio.wait([stopping], timeout=REQUEST_TIMEOUT)
    if stopping.done() and not stopping.cancelled():
        stopping.exception()  # taken note of: there is nothing left to do about it
