"""One HTTP attempt: a request out, a reply back, nothing remembered and nothing followed."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from types import TracebackType
from typing import Self

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from destinations.talk import Reply, Request


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
    """

    def __init__(self, user_agent: str = "event-hub/0.1") -> None:
        self._user_agent = user_agent
        self._sessions: dict[bool, aiohttp.ClientSession] = {}

    async def __aenter__(self) -> Self:
        for public_only in (False, True):
            resolver = PublicResolver() if public_only else aiohttp.ThreadedResolver()
            self._sessions[public_only] = aiohttp.ClientSession(
                # The engine bounds what is in flight; a second bound here would only hide waits.
                connector=aiohttp.TCPConnector(limit=0, resolver=resolver, ttl_dns_cache=30),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": self._user_agent},
                # One clock for a request is enough, and that is ours.
                timeout=aiohttp.ClientTimeout(total=None),
            )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        for session in self._sessions.values():
            await session.close()
        self._sessions.clear()

    async def send(self, request: Request) -> Reply:
        """The reply, whatever its status. Raises Unsent or ForbiddenAddress."""
        url = URL(request.url, encoded=True)
        if request.public_only:
            _check_literal(url.host or "")
        try:
            async with (
                asyncio.timeout(request.timeout),
                self._sessions[request.public_only].request(
                    request.method,
                    url,
                    headers=request.headers,
                    data=request.body or None,
                    allow_redirects=False,
                ) as response,
            ):
                body = await _read(response, request.max_reply)
                headers = {name.lower(): value for name, value in response.headers.items()}
                return Reply(response.status, headers, body)
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
        except (aiohttp.ClientError, ValueError):
            raise Unsent("http_protocol") from None


async def _read(response: aiohttp.ClientResponse, room: int) -> bytes:
    """The body up to `room` bytes; what is longer is cut, and so no longer reads as JSON."""
    if response.content.is_eof():
        # Most replies come whole, with their head.
        return response.content.read_nowait(room)
    parts = []
    async for part in response.content.iter_chunked(65_536):
        parts.append(part[:room])
        room -= len(part)
        if room <= 0:
            response.close()
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
