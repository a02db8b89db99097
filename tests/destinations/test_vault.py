"""One process asks for all, and what it got is kept."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from destinations.outcome import Barred, Failed
from destinations.talk import Token
from destinations.vault import CLAIM_SECONDS, LOST, Kept, Vault
from hub.clock import FakeClock
from hub.encoding import dumps
from hub.log import TOKENS, Entry, Log, LogUnavailable, Place
from hub.log.memory import MemoryLog
from hub.log.partition import partition_of
from tests.destinations.scene import until


class Vendor:
    """Gives each refresh token one access token and one successor, when it is let."""

    def __init__(self, *, patient: bool = False) -> None:
        self.asked: list[str] = []
        self.trouble: Failed | Barred | None = None
        self.valid = "r0"
        self.open = asyncio.Event()
        if not patient:
            self.open.set()

    async def ask(self, grant: str) -> Token | Failed | Barred:
        self.asked.append(grant)
        count = len(self.asked)
        known, self.valid = grant == self.valid, f"r{count}"
        await self.open.wait()
        if self.trouble is not None:
            return self.trouble
        if not known:
            return Barred("invalid_grant", "spent")
        return Token(f"t{count}", 100.0, f"r{count}")


def vaults(count: int, log: Log, clock: FakeClock, grant: str = "r0") -> list[Vault]:
    """So many processes of the instance `crm`."""
    return [Vault(log, "crm", grant, clock) for _ in range(count)]


def token_of(got: Kept | Failed | Barred) -> str:
    assert isinstance(got, Kept), got
    return got.token


async def values(log: Log) -> list[bytes]:
    """All that lies in the stream."""
    (spans,) = (s.spans for s in await log.status() if s.stream == TOKENS)
    pages = [await log.read(TOKENS, span.partition, 0, 1_000) for span in spans]
    return [record.value for page in pages for record in page]


class Slow(MemoryLog):
    """A log whose appends take a while: others have read meanwhile what was there before."""

    async def append(self, stream: str, entries: Sequence[Entry]) -> Sequence[Place]:
        await asyncio.sleep(0)
        return await super().append(stream, entries)


async def test_of_many_who_want_a_token_one_asks() -> None:
    """Eight processes at once, time and again: one request, and one token for all."""
    log, clock, vendor = Slow(), FakeClock(), Vendor()
    eight = vaults(8, log, clock)
    spoilt = ""
    for n in range(1, 6):
        got = await asyncio.gather(*(vault.obtain(spoilt, vendor.ask) for vault in eight))
        spoilt = f"t{n}"

        assert [spoilt] * 8 == [token_of(one) for one in got]
    assert ["r0", "r1", "r2", "r3", "r4"] == vendor.asked


async def test_who_comes_meanwhile_waits_for_the_answer() -> None:
    """A process that finds a claim asks nobody."""
    log, clock, vendor = MemoryLog(), FakeClock(), Vendor(patient=True)
    one, two = vaults(2, log, clock)
    first = asyncio.create_task(one.obtain("", vendor.ask))
    await until(lambda: len(vendor.asked) == 1)
    second = asyncio.create_task(two.obtain("", vendor.ask))
    vendor.open.set()

    assert ["t1", "t1"] == [token_of(await first), token_of(await second)]
    assert 1 == len(vendor.asked)


@pytest.mark.parametrize("trouble", [Failed("http_503"), Barred("invalid_grant", "revoked")])
async def test_trouble_is_heard_by_all_who_wait(trouble: Failed | Barred) -> None:
    """They do not ask in turn; who comes later does."""
    log, clock, vendor = MemoryLog(), FakeClock(), Vendor(patient=True)
    vendor.trouble = trouble
    one, two, three = vaults(3, log, clock)
    asking = asyncio.create_task(one.obtain("", vendor.ask))
    await until(lambda: len(vendor.asked) == 1)
    waiting = asyncio.create_task(two.obtain("", vendor.ask))
    await until(lambda: two._claim is not None)
    vendor.open.set()

    assert [trouble, trouble] == [await asking, await waiting]
    vendor.trouble, vendor.valid = None, "r0"
    assert "t2" == token_of(await three.obtain("", vendor.ask))


async def test_a_claim_that_was_left_is_taken_over() -> None:
    """Who died with a claim holds nobody up for long; what its answer took along is told."""
    log, clock, vendor = MemoryLog(), FakeClock(), Vendor(patient=True)
    one, two = vaults(2, log, clock)
    dying = asyncio.create_task(one.obtain("", vendor.ask))
    await until(lambda: len(vendor.asked) == 1)
    dying.cancel()
    heir = asyncio.create_task(two.obtain("", vendor.ask))
    vendor.open.set()
    await until(lambda: two._claim is not None)
    clock.advance(CLAIM_SECONDS)

    assert Barred("invalid_grant", f"spent; {LOST}") == await heir
    assert ["r0", "r0"] == vendor.asked


async def test_an_answer_that_got_lost_is_told_with_the_bar() -> None:
    """The network dropped what the vendor said: the old refresh token may be spent by now."""
    log, clock, vendor = MemoryLog(), FakeClock(), Vendor()
    one, two = vaults(2, log, clock)
    vendor.trouble = Failed("timeout")
    await one.obtain("", vendor.ask)
    vendor.trouble = None

    assert Barred("invalid_grant", f"spent; {LOST}") == await two.obtain("", vendor.ask)


async def test_a_token_ends_the_doubt() -> None:
    """What got lost before it is no reason for a bar that comes later."""
    log, clock, vendor = MemoryLog(), FakeClock(), Vendor()
    (vault,) = vaults(1, log, clock)
    vendor.trouble = Failed("timeout")
    await vault.obtain("", vendor.ask)
    vendor.trouble, vendor.valid = None, "r0"
    await vault.obtain("", vendor.ask)
    vendor.valid = "revoked"

    assert Barred("invalid_grant", "spent") == await vault.obtain("t2", vendor.ask)


async def test_a_restart_finds_what_is_kept() -> None:
    """A fresh token is used again, and a stale one is renewed with its own refresh token."""
    log, clock, vendor = MemoryLog(), FakeClock(), Vendor()
    got = [await vault.obtain("", vendor.ask) for vault in vaults(2, log, clock)]
    clock.advance(80.0)
    got += [await vault.obtain("", vendor.ask) for vault in vaults(2, log, clock)]

    assert ["t1", "t1", "t2", "t2"] == [token_of(one) for one in got]
    assert ["r0", "r1"] == vendor.asked


async def test_a_changed_refresh_token_overrules_what_is_kept() -> None:
    """Somebody authorised anew: what was kept under the old one is not read any more."""
    log, clock, vendor = MemoryLog(), FakeClock(), Vendor()
    (before,) = vaults(1, log, clock)
    await before.obtain("", vendor.ask)
    vendor.valid = "s0"
    (after,) = vaults(1, log, clock, grant="s0")

    assert "t2" == token_of(await after.obtain("", vendor.ask))
    assert "t1" == token_of(await before.obtain("", vendor.ask))  # which still runs
    assert ["r0", "s0"] == vendor.asked


async def test_instances_share_a_log() -> None:
    """Each has its own token, also where their records lie in one partition."""
    log, clock = MemoryLog(), FakeClock()
    vendors = {f"crm{n}": Vendor() for n in range(20)}
    for name, vendor in vendors.items():
        await Vault(log, name, "r0", clock).obtain("", vendor.ask)
    again = [await Vault(log, n, "r0", clock).obtain("", v.ask) for n, v in vendors.items()]

    assert ["t1"] * 20 == [token_of(one) for one in again]
    assert [["r0"]] * 20 == [vendor.asked for vendor in vendors.values()]


async def test_nobody_reads_a_token_in_the_log() -> None:
    """Neither the tokens nor the refresh tokens stand there to be read."""
    log, clock, vendor = MemoryLog(), FakeClock(), Vendor()
    (vault,) = vaults(1, log, clock)
    await vault.obtain("", vendor.ask)
    all_of_it = b"\n".join(await values(log))

    assert b"sealed" in all_of_it
    assert not any(secret in all_of_it for secret in (b'"t1"', b'"r1"', b'"r0"'))


class Unsure(MemoryLog):
    """A log that is away for the first tokens that are to be kept."""

    away = 1

    async def append(self, stream: str, entries: Sequence[Entry]) -> Sequence[Place]:
        if b"sealed" in entries[0].value and self.away:
            self.away -= 1
            raise LogUnavailable("away")
        return await super().append(stream, entries)


async def test_a_token_is_kept_before_it_is_used() -> None:
    """While the log is away, nobody has the new token; it is kept as soon as that is back."""
    log, clock, vendor = Unsure(), FakeClock(), Vendor()
    one, two = vaults(2, log, clock)
    got = await one.obtain("", vendor.ask)

    assert (0, "t1", "t1") == (log.away, token_of(got), token_of(await two.obtain("", vendor.ask)))


async def test_a_bug_leaves_no_claim() -> None:
    """What asking raises is raised, and the next one asks at once."""
    log, clock, vendor = MemoryLog(), FakeClock(), Vendor()
    one, two = vaults(2, log, clock)

    async def broken(_: str) -> Any:
        raise KeyError("access_token")

    with pytest.raises(KeyError):
        await one.obtain("", broken)

    assert "t1" == token_of(await two.obtain("", vendor.ask))


async def test_compaction_leaves_what_counts() -> None:
    """Of each key only the last record is left, and that is enough to go on."""
    log, clock, vendor = MemoryLog(), FakeClock(), Vendor()
    (vault,) = vaults(1, log, clock)
    await vault.obtain("", vendor.ask)
    await vault.obtain("t1", vendor.ask)
    compacted = MemoryLog()
    partition = partition_of(b"crm", 8)
    last = {r.key: r.value for r in await log.read(TOKENS, partition, 0, 1_000)}
    await compacted.append(TOKENS, [Entry(key, value) for key, value in last.items()])
    (heir,) = vaults(1, compacted, clock)
    found = await heir.obtain("", vendor.ask)
    renewed = await heir.obtain("t2", vendor.ask)

    assert 2 == len(last)
    assert ["t2", "t3"] == [token_of(found), token_of(renewed)]
    assert ["r0", "r1", "r2"] == vendor.asked


class Growing(MemoryLog):
    """A log whose stream gets more partitions."""

    def grow(self, partitions: int) -> None:
        self._records[TOKENS] += [[] for _ in range(partitions - self._partitions)]
        self._partitions = partitions


async def test_what_was_kept_is_found_when_partitions_are_added() -> None:
    """Also by who is running; the keys lie elsewhere from then on."""
    log, clock, vendor = Growing(), FakeClock(), Vendor()
    old, new = vaults(2, log, clock)
    await old.obtain("", vendor.ask)
    await old.obtain("t1", vendor.ask)
    log.grow(next(n for n in range(9, 99) if partition_of(b"crm", n) != partition_of(b"crm", 8)))
    got = [await new.obtain("", vendor.ask), await old.obtain("t2", vendor.ask)]
    got.append(await new.obtain("t2", vendor.ask))

    assert ["t2", "t3", "t3"] == [token_of(one) for one in got]
    assert ["r0", "r1", "r2"] == vendor.asked


async def test_a_claim_that_is_late_does_not_count() -> None:
    """It names a record that was answered since; its owner finds the answer."""
    log, clock, vendor = MemoryLog(), FakeClock(), Vendor()
    one, two = vaults(2, log, clock)
    await one.obtain("", vendor.ask)
    await log.append(TOKENS, [Entry(one._claims, dumps({"kind": "claim", "after": -1}))])

    assert "t1" == token_of(await two.obtain("", vendor.ask))
    assert "t2" == token_of(await two.obtain("t1", vendor.ask))
