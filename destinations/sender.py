"""One HTTP attempt: a request out, a reply back, and no redirect followed."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from functools import cached_property, lru_cache
from types import TracebackType
from typing import Final, NamedTuple, Self

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.client_reqrep import ConnectionKey
from aiohttp.connector import Connection
from aiohttp.http import HttpProcessingError
from msgspec import Struct
from msgspec.structs import replace
from yarl import URL

from destinations.talk import Reply, Request

SWITCHING: Final = 101

ADDRESSES: Final = 1_000
"""URLs that are remembered; vendors have few, but may name others in their replies."""

LONG_URL: Final = 2_048
"""Characters of a URL that is remembered."""


class Unsent(Exception):
    """No reply came. `reason` is a bounded code; whether the vendor acted on it is not known."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class ForbiddenAddress(Exception):
    """The URL leads to an address that is not public (SSRF); nothing was sent."""


class Sender:
    """Holds the connections; `async with` opens and closes them.

    Redirects are never followed: they would carry credentials to another host. Cookies are not
    kept. A name is resolved once and the connection goes to an address that was checked.

    It stands on aiohttp's connections and parser and not on its session, which does much that is
    not asked here: of the 75 us that a small request takes with a session, 50 are its own.
    """

    def __init__(self, user_agent: str = "event-hub/0.1") -> None:
        self._defaults = {
            "user-agent": user_agent,
            "accept": "*/*",
            "accept-encoding": "gzip, deflate",
        }
        self._connectors: dict[bool, aiohttp.TCPConnector] = {}
        self._known = lru_cache(maxsize=ADDRESSES)(_address_of)
        self._forms = lru_cache(maxsize=ADDRESSES)(self._form)

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        for public_only in (False, True):
            resolver = PublicResolver() if public_only else aiohttp.ThreadedResolver()
            # The engine bounds what is in flight; a second bound here would only hide waits.
            self._connectors[public_only] = aiohttp.TCPConnector(
                limit=0, resolver=resolver, ttl_dns_cache=30
            )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        for connector in self._connectors.values():
            await connector.close()
        self._connectors.clear()

    async def send(self, request: Request) -> Reply:
        """The reply, whatever its status. Raises Unsent or ForbiddenAddress."""
        try:
            address_of = self._known if len(request.url) <= LONG_URL else _address_of
            address = address_of(request.url, request.public_only)
            return await self._exchange(request, address.door, self._head(request, address))
        except TimeoutError:
            raise Unsent("timeout") from None
        except ForbiddenAddress:
            raise
        except aiohttp.ClientConnectorDNSError as error:
            # aiohttp wraps what a resolver raises.
            if isinstance(error.os_error, _Private):
                raise ForbiddenAddress(str(error.os_error)) from None
            raise Unsent("dns") from None
        except aiohttp.ClientSSLError:
            raise Unsent("tls") from None
        except aiohttp.ClientConnectorError:
            raise Unsent("connection_refused") from None
        except (aiohttp.ClientPayloadError, aiohttp.ServerDisconnectedError, ConnectionError):
            raise Unsent("connection_lost") from None
        except (aiohttp.ClientError, HttpProcessingError, ValueError):
            raise Unsent("http_protocol") from None

    async def _exchange(self, request: Request, door: aiohttp.ClientRequest, head: bytes) -> Reply:
        connector = self._connectors[request.public_only]
        began = self._loop.time()
        connection = await connector.connect(door, [], _within(request.timeout))
        patience = _Patience(connection)
        timer = self._loop.call_at(began + request.timeout, patience.end)
        try:
            protocol, transport = connection.protocol, connection.transport
            if protocol is None or transport is None or transport.is_closing():
                # uvloop has a word of its own for a write to what was closed in between.
                raise ConnectionResetError("closed as it was opened")
            protocol.set_response_params(read_until_eof=True, skip_payload=request.method == "HEAD")
            transport.writelines((head, request.body))
            message, content = await protocol.read()
            while 100 <= message.code < 200 and message.code != SWITCHING:
                message, content = await protocol.read()
            body = await _read(content, request.max_reply)
            if patience.ended:  # a body without a length ends where its connection does
                raise TimeoutError
        except BaseException as error:
            connection.close()
            if patience.ended and isinstance(error, Exception):
                raise TimeoutError from None
            raise
        finally:
            timer.cancel()
        connection.release()  # which closes what cannot be used again
        headers = {name.lower(): value for name, value in message.headers.items()}
        return Reply(message.code, headers, body)

    def _head(self, request: Request, address: _Address) -> bytes:
        """The request's head. Raises ValueError for what would not be one."""
        headers, size = request.headers, len(request.body)
        sized = size > 0 or request.method not in ("GET", "HEAD", "DELETE")
        form_of = self._forms if len(address.path) <= LONG_URL else self._form
        form = form_of(request.method, address.host, address.path, sized, tuple(headers))
        if form is None:
            once = {name.lower(): value for name, value in headers.items()}
            return self._head(replace(request, headers=once), address)
        said = (size, *headers.values()) if sized else tuple(headers.values())
        head = form.text % said
        if not (head.count("\r") == head.count("\n") == form.lines) or "\0" in head:
            raise ValueError("a line break within a header")
        return head.encode()

    def _form(
        self, method: str, host: str, path: str, sized: bool, names: tuple[str, ...]
    ) -> _Form | None:
        """The form of a request with headers of these names, which go before our own of the same
        name; None when it says one of them twice. Raises ValueError.
        """
        own = [name.lower() for name in names]
        if "content-length" in own:
            raise ValueError("a length that is not its own to say")
        if len(own) > len(set(own)):
            return None
        told = {**self._defaults, "host": host}
        fixed = [f"{method} {path} HTTP/1.1"]
        fixed += [f"{name}: {value}" for name, value in told.items() if name not in own]
        lines = [line.replace("%", "%%") for line in fixed]
        if sized:
            lines.append("content-length: %d")
        lines += [f"{name.replace('%', '%%')}: %s" for name in own]
        return _Form("\r\n".join((*lines, "", "")), len(lines) + 1)


class _Form(NamedTuple):
    """A request's head with places for what changes, and how many lines it has."""

    text: str
    lines: int


class _Door(aiohttp.ClientRequest):
    """To whom aiohttp connects: a request that is never sent, and says only once whose it is."""

    @cached_property
    def connection_key(self) -> ConnectionKey:
        return super().connection_key


class _Address(NamedTuple):
    """Where a URL leads, and what a request's head says of it."""

    door: aiohttp.ClientRequest
    host: str
    path: str


def _address_of(url: str, public_only: bool) -> _Address:
    """Raises ValueError or ForbiddenAddress."""
    parsed = URL(url, encoded=True)
    if parsed.scheme not in ("http", "https") or not parsed.raw_host or parsed.raw_user:
        raise ValueError("no address that is asked by HTTP")
    if public_only:
        _check_literal(parsed.host or "")
    door = _Door("GET", parsed.origin(), loop=asyncio.get_running_loop())
    return _Address(door, parsed.host_port_subcomponent or "", parsed.raw_path_qs)


class _Patience(Struct, eq=False):
    """Breaks a connection off when its time is up; who waits for it hears that.

    Each request has one, and `asyncio.timeout` takes five times as long.
    """

    connection: Connection
    ended: bool = False

    def end(self) -> None:
        """Time is up. A polite end would wait for a word of who is silent."""
        self.ended = True
        if (transport := self.connection.transport) is not None:
            transport.abort()


@lru_cache(maxsize=64)
def _within(seconds: float) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=None, connect=seconds)


async def _read(content: aiohttp.StreamReader, room: int) -> bytes:
    """The body up to `room` bytes; what is longer is cut, and so no longer reads as JSON."""
    if content.is_eof():
        # Most replies come whole, with their head.
        return content.read_nowait(room)
    parts = []
    async for part in content.iter_chunked(65_536):
        parts.append(part[:room])
        room -= len(part)
        if room <= 0:
            break
    return b"".join(parts)


class _Private(OSError):
    """A name that leads to an address which is not public."""


class PublicResolver(AbstractResolver):
    """Resolves names to public addresses only; a name with any other address is refused whole."""

    def __init__(self) -> None:
        self._inner = aiohttp.ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._inner.resolve(host, port, family)
        if not all(is_public(address["host"]) for address in found):
            raise _Private("the name leads to an address that is not public")
        return found

    async def close(self) -> None:
        await self._inner.close()


def is_public(address: str) -> bool:
    """Whether an IP address is one of the public internet; what an IPv6 one wraps counts too."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if ip in _NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            ip = inner
    return ip.is_global and not ip.is_multicast


_NAT64 = ipaddress.ip_network("64:ff9b::/96")


def _check_literal(host: str) -> None:
    """aiohttp asks no resolver about a host that is an address already, in any spelling of libc."""
    try:
        address = socket.inet_ntoa(socket.inet_aton(host))  # also 127.1, 0x7f000001, 2130706433
    except OSError:
        address = host.strip("[]")
        try:
            ipaddress.ip_address(address.partition("%")[0])
        except ValueError:
            return
    if not is_public(address):
        raise ForbiddenAddress("the address is not public")
