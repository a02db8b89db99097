"""The real command: one process, several, killed, and asked to stop."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import orjson
import pytest

from hub.log.opening import open_log
from hub.log.settings import SqliteLog
from ingest.keys import hash_of
from ingest.workers import free_port
from tests.ingest.scenes import KEY, basic, track, until

ROOT = Path(__file__).parents[2]


class Process:
    """`python -m ingest` as it is started by hand."""

    def __init__(self, process: asyncio.subprocess.Process, port: int):
        self.process = process
        self.url = f"http://127.0.0.1:{port}"

    async def ready(self) -> None:
        """Return when the hub says so."""
        while True:
            try:
                async with fresh() as client, client.get(f"{self.url}/readyz") as answer:
                    if answer.status == 200:
                        return
            except aiohttp.ClientError:
                pass
            if self.process.returncode is not None:
                raise RuntimeError(f"ingest ended with {self.process.returncode}")

    async def send(self, client: aiohttp.ClientSession, message_id: str) -> int:
        """The status for one event; 0 when the connection broke."""
        body = orjson.dumps(track(messageId=message_id))
        try:
            async with client.post(f"{self.url}/v1/t", data=body, headers=basic(KEY)) as answer:
                await answer.read()
                return answer.status
        except (aiohttp.ClientError, ConnectionError):
            return 0

    def children(self) -> list[int]:
        """Process ids of the workers."""
        text = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(pid) for pid in text.split()]


def fresh() -> aiohttp.ClientSession:
    """A client that opens a connection per request, so that any worker may get it."""
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True))


@pytest.fixture
def begin(tmp_path: Path) -> Callable[..., AsyncIterator[Process]]:
    """Start the command on a free port over a SQLite file."""

    @asynccontextmanager
    async def begun(*arguments: str, ingest: str = "") -> AsyncIterator[Process]:
        held, port = free_port("127.0.0.1", 0)
        held.close()
        config = tmp_path / "hub.toml"
        config.write_text(
            f'[log]\nkind = "sqlite"\npath = "{tmp_path}/hub.db"\n'
            f'[ingest]\nhost = "127.0.0.1"\nport = {port}\ngrace_seconds = 0.2\n{ingest}\n'
            f'[sources.shop]\nkeys = ["{hash_of(KEY)}"]\n'
        )
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "ingest", "--config", str(config), *arguments, cwd=ROOT
        )
        try:
            begun = Process(process, port)
            await begun.ready()
            yield begun
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()

    return begun


async def kept(tmp_path: Path) -> list[str]:
    log = await open_log(SqliteLog(path=tmp_path / "hub.db"))
    found = []
    for status in await log.status():
        if status.stream == "events":
            for span in status.spans:
                records = await log.read("events", span.partition, 0, 100_000)
                found += [orjson.loads(record.value)["messageId"] for record in records]
    await log.close()
    return found


async def test_what_was_answered_200_survives_a_kill(begin, tmp_path: Path) -> None:
    """kill -9 in the midst of requests: every 200 is in the log."""
    async with begin() as hub, aiohttp.ClientSession() as client:
        promised: list[str] = []

        async def sending(name: str) -> None:
            for number in range(100_000):
                message_id = f"{name}-{number}"
                if await hub.send(client, message_id) != 200:
                    return
                promised.append(message_id)
                if len(promised) == 100:
                    hub.process.kill()

        await asyncio.gather(*(sending(str(name)) for name in range(8)))

    assert len(promised) >= 100
    assert set() == set(promised) - set(await kept(tmp_path))


async def test_asked_to_stop_it_serves_on_and_ends_well(begin, tmp_path: Path) -> None:
    """Not ready at once, serving through the grace, status 0, and no promise broken."""
    async with begin(ingest="") as hub, aiohttp.ClientSession() as client:
        assert 200 == await hub.send(client, "before")
        hub.process.send_signal(signal.SIGTERM)
        statuses = []
        while True:
            async with fresh() as other:
                statuses.append(await hub.send(other, f"after-{len(statuses)}"))
            if statuses[-1] != 200:
                break
        assert 0 == await hub.process.wait()

    assert statuses.count(200) > 1
    assert 1 + statuses.count(200) == len(await kept(tmp_path))


async def test_workers_share_the_port_and_their_numbers(begin, tmp_path: Path) -> None:
    """Any of them answers, /metrics is of all of them, one log has all events."""
    async with begin("--workers", "2") as hub, fresh() as client:
        assert 2 == len(hub.children())
        assert [200] * 40 == [await hub.send(client, str(number)) for number in range(40)]
        async with client.get(f"{hub.url}/metrics") as answer:
            text = await answer.text()

    accepted = 'ingest_accepted_total{source="shop",type="track"} '
    assert ["40.0"] == [
        line.removeprefix(accepted) for line in text.splitlines() if line.startswith(accepted)
    ]
    assert 40 == len(await kept(tmp_path))


async def test_a_worker_that_dies_is_begun_again(begin) -> None:
    """The others serve meanwhile."""
    async with begin("--workers", "2") as hub, fresh() as client:
        (killed, other) = hub.children()
        os.kill(killed, signal.SIGKILL)

        async def again() -> bool:
            pids = hub.children()
            return len(pids) == 2 and killed not in pids

        await until(again)
        await hub.ready()

        assert other in hub.children()
        assert 200 == await hub.send(client, "m")


async def test_workers_end_with_the_one_who_started_them(begin) -> None:
    """Also when that one is killed: nobody is left holding the port."""
    async with begin("--workers", "2") as hub:
        children = hub.children()
        hub.process.kill()
        await hub.process.wait()

        async def gone() -> bool:
            return all(ended(pid) for pid in children)

        await until(gone)


def ended(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True
