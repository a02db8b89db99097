"""Kafka away and back, as the real command lives through it."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import orjson
import pytest

from hub.log import EVENTS, Record
from ingest.keys import hash_of
from ingest.workers import free_port
from tests.hub.log.kafka_scenes import opened, restart, settings_at
from tests.ingest.scenes import KEY, basic, track, until
from tests.kafka.broker import Broker

# A broker dies and starts again, and machines of CI are busy.
pytestmark = [pytest.mark.kafka, pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[2]
PEOPLE = 8
"""Who send at once; each sends the next event when the one before was answered."""


class Outage:
    """Ingest on a Kafka that may go, and people who send to it."""

    def __init__(self, broker: Broker, folder: Path) -> None:
        self.broker = broker
        self.settings = settings_at(broker.bootstrap, append_timeout=4.0)
        self.folder = folder
        held, self.port = free_port("127.0.0.1", 0)
        held.close()
        self.url = f"http://127.0.0.1:{self.port}"
        self.config = folder / "hub.toml"
        self.process: asyncio.subprocess.Process
        self.answered: dict[str, list[int]] = {f"p{n}": [] for n in range(PEOPLE)}
        self.statuses: set[int] = set()

    def write(self, spool: str = "") -> None:
        told = self.settings
        self.config.write_text(
            f'[log]\nkind = "kafka"\nbootstrap_servers = "{told.bootstrap_servers}"\n'
            f'topic_prefix = "{told.topic_prefix}"\npartitions = {told.partitions}\n'
            f'[ingest]\nhost = "127.0.0.1"\nport = {self.port}\ngrace_seconds = 0.0\n'
            f'[ingest.spool]\npath = "spool"\n{spool}\n'
            f'[sources.shop]\nkeys = ["{hash_of(KEY)}"]\n'
        )

    async def begin(self, *arguments: str) -> None:
        """Start ingest, and wait until it is ready."""
        self.process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "ingest", "--config", str(self.config), *arguments), cwd=ROOT
        )
        await until(self.ready)

    async def ready(self) -> bool:
        if self.process.returncode is not None:
            raise RuntimeError(f"ingest ended with {self.process.returncode}")
        return (await self.get("/readyz"))[0] == 200

    async def get(self, path: str) -> tuple[int, str]:
        try:
            async with fresh() as client, client.get(self.url + path) as answer:
                return answer.status, await answer.text()
        except aiohttp.ClientError:
            return 0, ""

    async def metric(self, name: str) -> float:
        """The value of a metric without labels; 0 when it is not there."""
        lines = (await self.get("/metrics"))[1].splitlines()
        return next((float(line.split()[1]) for line in lines if line.startswith(f"{name} ")), 0.0)

    @asynccontextmanager
    async def sending(self) -> AsyncIterator[None]:
        """Everyone sends within the block, each over a new connection, so that any worker may get
        it; a connection that breaks and a 429 are tried again with the same id.
        """
        done = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            for person in self.answered:
                group.create_task(self._send(person, done))
            try:
                yield
            finally:
                done.set()

    async def _send(self, person: str, done: asyncio.Event) -> None:
        sent = self.answered[person]
        async with fresh() as client:
            while not done.is_set():
                number = len(sent)
                event = track(messageId=f"{person}-{number}", userId=person)
                status = await self._post(client, event)
                self.statuses.add(status)
                if status == 200:
                    sent.append(number)

    async def _post(self, client: aiohttp.ClientSession, event: dict[str, object]) -> int:
        body = orjson.dumps(event)
        try:
            async with client.post(f"{self.url}/v1/t", data=body, headers=basic(KEY)) as answer:
                await answer.read()
                return answer.status
        except (aiohttp.ClientError, ConnectionError):
            return 0

    async def more(self, count: int) -> None:
        """Wait until each has so many more answers."""
        goals = {person: len(sent) + count for person, sent in self.answered.items()}

        async def reached() -> bool:
            return all(len(self.answered[person]) >= goal for person, goal in goals.items())

        await until(reached)

    async def drained(self) -> None:
        """Wait until the spool is empty and the log is used again."""

        async def back() -> bool:
            page = (await self.get("/metrics"))[1]
            return "ingest_log_away 0.0" in page and "ingest_spool_records 0.0" in page

        await until(back)

    async def found(self) -> dict[str, list[int]]:
        """The numbers of each person in the log, each where it stands first."""
        log = await opened(self.settings)
        records: list[Record] = []
        for status in await log.status():
            if status.stream == EVENTS:
                for span in status.spans:
                    offset = span.first
                    while offset < span.end:
                        some = await log.read(EVENTS, span.partition, offset, 5_000)
                        records += some
                        offset = some[-1].offset + 1
        await log.close()
        found: dict[str, dict[int, None]] = {person: {} for person in self.answered}
        for record in records:
            person, _, number = dict(record.headers)["id"].decode().partition("-")
            found[person][int(number)] = None
        return {person: list(numbers) for person, numbers in found.items()}


def fresh() -> aiohttp.ClientSession:
    """A client that opens a connection per request."""
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True))


@pytest.fixture
async def outage(own_broker: Broker, tmp_path: Path) -> AsyncIterator[Outage]:
    made = Outage(own_broker, tmp_path)
    made.write()
    yield made
    if made.process.returncode is None:
        made.process.kill()
    await made.process.wait()


async def test_an_outage_is_not_noticed_by_those_who_send(outage: Outage) -> None:
    """Kafka dies under load and comes back: every answer is a 200, and each person's events are in
    the log, all of them and in order, whichever of two workers took them.
    """
    await outage.begin("--workers", "2")
    async with outage.sending():
        await outage.more(20)
        await asyncio.to_thread(outage.broker.kill)
        await outage.more(30)
        away, held = (
            await outage.metric("ingest_log_away"),
            await outage.metric("ingest_spooled_total"),
        )
        state = (await outage.get("/readyz"))[1]
        await restart(outage.broker)
        await outage.drained()
        await outage.more(20)
    await outage.drained()

    assert {200} == outage.statuses
    assert "spooling" in state
    assert away > 0
    assert held > 0
    assert outage.answered == await outage.found()


async def test_a_spool_outlives_those_who_filled_it(outage: Outage) -> None:
    """Ingest and its workers are killed with a spool on the disk; the next one drains it, and is
    there before Kafka is.
    """
    await outage.begin("--workers", "2")
    await asyncio.to_thread(outage.broker.kill)
    async with outage.sending():
        await outage.more(20)
        children = workers_of(outage.process.pid)
        for pid in (outage.process.pid, *children):
            os.kill(pid, signal.SIGKILL)
        await outage.process.wait()
        await outage.begin()
        await outage.more(20)
        await restart(outage.broker)
        await outage.drained()
        await outage.more(5)
    await outage.drained()

    assert {200} == outage.statuses - {0}
    assert outage.answered == await outage.found()


async def test_a_frozen_kafka_is_not_waited_for(outage: Outage) -> None:
    """It holds its connections and says nothing: answered all the same, and drained when it
    wakes.
    """
    await outage.begin()
    async with outage.sending():
        await outage.more(5)
        outage.broker.freeze()
        await outage.more(20)
        outage.broker.thaw()
        await outage.drained()
        await outage.more(5)
    await outage.drained()

    assert {200} == outage.statuses
    assert outage.answered == await outage.found()


async def test_a_full_spool_puts_off_and_recovers(outage: Outage) -> None:
    """429 until Kafka is back; then what was put off is taken."""
    outage.write("max_bytes = 100_000")
    await outage.begin()
    await asyncio.to_thread(outage.broker.kill)
    async with outage.sending():

        async def full() -> bool:
            return 429 in outage.statuses

        await until(full)
        unready = (await outage.get("/readyz"))[0]
        await restart(outage.broker)
        await outage.drained()
        await outage.more(5)
    await outage.drained()

    assert {200, 429} == outage.statuses
    assert 503 == unready
    assert outage.answered == await outage.found()


def workers_of(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in text.split()]
