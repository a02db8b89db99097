"""Who does an errand: one process at a time, and the log remembers which.

Two processes that replay the same would send it twice. Who begins appends a claim to the stream
`tokens`, and then signs of life until it ends and says so. Each record names the one that it comes
after, the last one that counts; of several after the same record only the first counts, so that all
who read know whose errand it is without another word.

A process that was killed says nothing any more: after LEASE_SECONDS without a sign, by the steady
clock of whoever waits, the errand is free. One that slept for longer, as a machine that was
suspended does, finds itself superseded at its next sign, and stops; until then, for BEAT_SECONDS
and the time of an append, both may send.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final
from uuid import uuid4

import orjson

from destinations import scroll
from hub.clock import Clock
from hub.encoding import dumps
from hub.log import TOKENS, Entry, Log, LogError, Record
from hub.log.partition import partition_of

LEASE_SECONDS: Final = 10.0
"""Seconds without a sign of life after which an errand is nobody's; several signs may be late."""

BEAT_SECONDS: Final = 2.0
"""Seconds between two signs of life."""

LOOK_SECONDS: Final = 0.2
"""Seconds between two looks for another's sign of life."""


class Taken(Exception):
    """Another process does the errand; the message says which, and what to do."""


class Claim:
    """One process's claim of the errand `name`."""

    def __init__(self, log: Log, name: str, clock: Clock) -> None:
        self._log = log
        self._name = name
        self._key = f"errand/{name}".encode()
        self._clock = clock
        self._me = uuid4().hex
        self._partition = 0
        self._next = 0
        self._head = -1  # the offset of the last record that counts
        self._last = -1  # the offset of the last record, whether it counts or not
        self._owner = ""  # of whom that tells; nobody, when the errand ended
        self._where = ""

    @property
    def ours(self) -> bool:
        """Whether the errand is ours, as far as was read."""
        return self._owner == self._me

    async def take(self) -> None:
        """Make the errand ours. Raises Taken, and LogError.

        Waits for a sign of life when the one who had it did not say that it ended.
        """
        status = await self._log.status()
        count = next(len(one.spans) for one in status if one.stream == TOKENS)
        await self._read(partition_of(self._key, count))
        until, last = self._clock.steady() + LEASE_SECONDS, self._last
        while self._owner and self._clock.steady() < until:
            await asyncio.sleep(LOOK_SECONDS)
            await self._read(self._partition)
            if self._owner and self._last != last:
                raise self.taken()
        await self.sign()
        if not self.ours:
            raise self.taken()

    async def sign(self) -> None:
        """Give a sign of life; whose the errand is, is known then. Raises LogError."""
        await self._say(self._me)

    async def keep(self, lost: asyncio.Event) -> None:
        """Give signs of life for as long as the errand is ours; sets `lost` when it ends."""
        try:
            while self.ours:
                await asyncio.sleep(BEAT_SECONDS)
                with contextlib.suppress(LogError):  # without a log nothing is sent for long
                    await self.sign()
        finally:
            lost.set()

    async def free(self) -> None:
        """It ends; if the log cannot be told, the next one waits for the lease to end."""
        with contextlib.suppress(LogError):
            while self.ours:  # again, when a sign that was given up came first
                await self._say("")

    def taken(self) -> Taken:
        """What to tell who wanted the errand."""
        return Taken(
            f"{self._name} is under way: {self._where} gave a sign of life."
            " Let it end, or stop it, and say the same again."
        )

    async def _say(self, owner: str) -> None:
        where = f"process {os.getpid()} on {socket.gethostname()}"
        said = {"after": self._head, "owner": owner, "where": where}
        (place,) = await self._log.append(TOKENS, [Entry(self._key, dumps(said))])
        await self._read(place.partition)

    async def _read(self, partition: int) -> None:
        """Learn what was appended since."""
        if partition != self._partition:
            # The first look, or the stream has more partitions than it had.
            self._partition, self._next, self._head, self._last = partition, 0, -1, -1
        while page := await self._log.read(TOKENS, partition, self._next, scroll.PAGE):
            for record in page:
                if record.key == self._key:
                    self._learn(record)
            self._next = page[-1].offset + 1

    def _learn(self, record: Record) -> None:
        self._last = record.offset
        said = orjson.loads(record.value)
        if self._head in (-1, said["after"]):
            self._head = record.offset
            self._owner, self._where = said["owner"], said["where"]


@asynccontextmanager
async def held(log: Log, name: str, clock: Clock, lost: asyncio.Event) -> AsyncIterator[None]:
    """The errand is ours in the block, and nobody's after it. Raises Taken, and LogError.

    `lost` is set when another process has it; the block should end then, and Taken is raised.
    """
    claim = Claim(log, name, clock)
    await claim.take()
    keeping = asyncio.create_task(claim.keep(lost))
    try:
        yield
        if not claim.ours:
            raise claim.taken()
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
        await claim.free()
