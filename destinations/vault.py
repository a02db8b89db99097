"""Where an instance's processes keep their access token: one asks for all, and the log remembers.

All records of an instance lie in one partition of the stream `tokens`, so its processes read them
in one order. Who wants a token appends a claim, which names the record that it comes after: the
last one that counts. Of several claims after the same record only the first counts, and so they
all know who won without another word. The winner asks the vendor and appends the answer; the others
wait for it. A claim without an answer for CLAIM_SECONDS, by the steady clock of whoever waits, was
left by a process that died, and the next claim comes after it.

What is kept is durable before it is used, and is encrypted with a key made of the instance's own
settings: nobody reads a token in the log, and a refresh token that was changed in the settings
overrules the one that was kept, since it cannot be read with the new one.

A process that is killed after the vendor answered and before that is appended loses the answer, as
does a network that drops it. If the vendor had replaced the refresh token and takes the old one no
more, somebody must authorise anew; the bar then says so.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass, replace
from itertools import count
from typing import Any

import orjson
import structlog
from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from destinations.outcome import Barred, Failed
from destinations.talk import Token
from hub.clock import Clock
from hub.encoding import dumps
from hub.log import TOKENS, Entry, Log, LogError, Record
from hub.log.partition import partition_of

EARLY = 0.8
"""The part of a token's life after which it is renewed; vendors ask not to wait for a 401."""

CLAIM_SECONDS = 30.0
"""Seconds after which a claim without an answer is nobody's; longer than a vendor is waited for."""

LOOK_SECONDS = 0.2
"""Seconds between two looks for another process's answer."""

AGAIN_SECONDS = 1.0
"""Seconds before an answer is appended again when the log was away."""

PAGE = 500
"""Records read at once."""

LOST = (
    "an earlier renewal got no answer, and a new refresh token may be lost with it: authorise "
    "anew, and set the refresh token that this gives"
)


@dataclass(frozen=True, slots=True)
class Kept:
    """A token as it is kept; times in seconds since the epoch."""

    token: str
    refresh_token: str
    renew_at: float
    ends: float


@dataclass(frozen=True, slots=True)
class _Claim:
    """The claim that counts: its offset, and when it was first seen by the steady clock."""

    offset: int
    seen: float


Ask = Callable[[str], Awaitable[Token | Failed | Barred]]
"""Asks the vendor for a token, with the refresh token that it is given."""


class Vault:
    """One instance's, in one process. `grant` is what its settings ask for tokens with."""

    def __init__(self, log: Log, name: str, grant: str, clock: Clock) -> None:
        self._log = log
        self._key = name.encode()
        self._grant = grant
        self._clock = clock
        self._cipher = Fernet(_key_of(grant, name))
        self._partition: int | None = None
        self._claims = b""
        self._next = 0
        self._head = -1  # the offset of the last record that counts
        self._claim: _Claim | None = None
        self._trouble: tuple[int, Failed | Barred] | None = None
        self._kept: Kept | None = None
        self._unsure = False  # since the last token somebody asked and heard no answer

    async def obtain(self, spoilt: str, ask: Ask) -> Kept | Failed | Barred:
        """A token that is good and is not `spoilt`, kept or new. Raises LogError."""
        awaited: int | None = None
        while True:
            await self._read()
            kept, now = self._kept, self._clock.now()
            if kept is not None and kept.token != spoilt and now < kept.renew_at:
                return kept
            if self._trouble is not None and self._trouble[0] == awaited:
                return self._trouble[1]
            claim = self._claim
            if claim is not None and self._clock.steady() - claim.seen < CLAIM_SECONDS:
                awaited = claim.offset
                await asyncio.sleep(LOOK_SECONDS)
                continue
            mine = await self._append(self._claims, {"kind": "claim", "after": self._head})
            await self._read()
            if self._claim is not None and self._claim.offset == mine:
                return await self._renewed(ask, mine)

    async def _renewed(self, ask: Ask, claim: int) -> Kept | Failed | Barred:
        """The vendor's answer, kept before it is used."""
        grant = self._kept.refresh_token if self._kept else self._grant
        try:
            got = await ask(grant)
        except Exception:
            await self._tell(claim, Failed("bug_in_talk"))
            raise
        if not isinstance(got, Token):
            if isinstance(got, Barred) and self._unsure:
                got = replace(got, reason=f"{got.reason}; {LOST}")
            await self._tell(claim, got)
            return got
        now = self._clock.now()
        kept = Kept(
            got.value,
            got.refresh_token or grant,
            now + got.expires_in * EARLY,
            now + got.expires_in,
        )
        sealed = self._cipher.encrypt(dumps(asdict(kept))).decode()
        while True:
            try:
                await self._append(self._key, {"kind": "token", "sealed": sealed})
                return kept
            except LogError as error:
                structlog.get_logger("destinations").warning(
                    "a new token cannot be kept; trying again",
                    destination=self._key.decode(),
                    error=type(error).__name__,
                )
                await asyncio.sleep(AGAIN_SECONDS)

    async def _tell(self, claim: int, trouble: Failed | Barred) -> None:
        """Let those who wait hear it too; without a log they wait, and then find out themselves."""
        told = (
            {"barred": True, "code": trouble.code, "reason": trouble.reason}
            if isinstance(trouble, Barred)
            else {"barred": False, "code": trouble.reason}
        )
        said = {"kind": "trouble", "after": claim, **told}
        try:
            await self._append(self._claims, said)
        except LogError:
            return

    # The log

    async def _append(self, key: bytes, said: dict[str, Any]) -> int:
        (place,) = await self._log.append(TOKENS, [Entry(key, dumps(said))])
        if place.partition != self._partition:
            # The stream has more partitions than it had. What counts is where all append now.
            self._partition = None
        return place.offset

    async def _read(self) -> None:
        """Learn what was appended since."""
        if self._partition is None:
            self._partition = await self._open()
        async for record in self._records(self._partition, self._next):
            self._learn(record)
            self._next = record.offset + 1

    async def _open(self) -> int:
        """Our partition; and what was kept in another, while there were fewer of them."""
        status = await self._log.status()
        partitions = [s.partition for of in status if of.stream == TOKENS for s in of.spans]
        latest: Record | None = None
        for partition in partitions:
            async for record in self._records(partition, 0):
                if record.key == self._key and (latest is None or record.at >= latest.at):
                    latest = record
        if latest is not None:
            self._kept = self._opened(latest.value)
        mine = partition_of(self._key, len(partitions))
        # Another key, for compaction keeps the last record of each; in the same partition.
        names = (self._key + b"/claim%d" % n for n in count())
        self._claims = next(n for n in names if partition_of(n, len(partitions)) == mine)
        self._next, self._head, self._claim = 0, -1, None
        return mine

    async def _records(self, partition: int, start: int) -> AsyncIterator[Record]:
        while page := await self._log.read(TOKENS, partition, start, PAGE):
            for record in page:
                yield record
            start = page[-1].offset + 1

    def _learn(self, record: Record) -> None:
        if record.key == self._key:
            self._head, self._claim, self._unsure = record.offset, None, False
            self._kept = self._opened(record.value) or self._kept
        elif record.key == self._claims:
            said = orjson.loads(record.value)
            if self._head not in (-1, said["after"]):
                return  # another was first
            if said["kind"] == "claim":
                self._unsure |= self._claim is not None
                self._claim = _Claim(record.offset, self._clock.steady())
            else:
                self._unsure |= not said["barred"]
                self._claim, self._trouble = None, (said["after"], _trouble(said))
            self._head = record.offset

    def _opened(self, value: bytes) -> Kept | None:
        """What was kept; None if it was kept under other settings."""
        try:
            sealed = orjson.loads(value)["sealed"]
            return Kept(**orjson.loads(self._cipher.decrypt(sealed)))
        except InvalidToken:
            return None


def _trouble(said: Mapping[str, Any]) -> Failed | Barred:
    return Barred(said["code"], said["reason"]) if said["barred"] else Failed(said["code"])


def _key_of(grant: str, name: str) -> bytes:
    """The key of an instance: from its own secret, and of no use for another instance."""
    derived = HKDF(SHA256(), 32, salt=None, info=b"event-hub tokens " + name.encode())
    return base64.urlsafe_b64encode(derived.derive(grant.encode()))
