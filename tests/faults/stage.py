"""A hub on a stage: two processes that take events in, two that deliver, and the vendors.

Each is a real process on a real log, in a folder of its own, and may be killed and begun again.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import secrets
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import orjson

HOUSE = Path(__file__).parents[2]
INGEST = ("ingest-1", "ingest-2")
DELIVERY = ("delivery-1", "delivery-2")
VENDORS = "vendors"

START_SECONDS = 90.0
STOP_SECONDS = 60.0

ADMIN = "who-may-ask-on-the-stage"

WEBHOOK = {
    "secret": "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX",
    "allow_http": True,
    "allow_private": True,
    "timeout": 3.0,
}

HUBSPOT = {
    "base_url": "{sandbox}",
    "client_id": "client-sandbox",
    "client_secret": "secret-sandbox",
    "refresh_token": "refresh-sandbox",
    "events": {"Order Completed": "pe123_order_completed"},
    "timeout": 3.0,
}

# A request for many events, to a receiver that keeps no ids.
ROWS = {**WEBHOOK, "url": "{sandbox}/every", "batch": 100}


@dataclass(frozen=True, slots=True)
class Instance:
    """A destination of the stage: whether its vendor takes an id once, and whether it gives up what
    may have been taken.
    """

    vendor: str
    dedupes: bool
    settings: Mapping[str, Any]
    at_most_once: bool = False


INSTANCES: Mapping[str, Instance] = {
    # One request an event; the vendor knows our ids.
    "keyed": Instance("webhook", True, {**WEBHOOK, "url": "{sandbox}/hook"}),
    # The same, of a receiver that keeps no ids: what is sent twice is seen twice.
    "plain": Instance("webhook", False, {**WEBHOOK, "url": "{sandbox}/every"}),
    # Batches, all or nothing.
    "ads": Instance(
        "meta",
        True,
        {
            "base_url": "{sandbox}",
            "dataset_id": "1234567890123456",
            "access_token": "EAABsandboxTokenEverybodyKnows0001",
            "timeout": 3.0,
        },
    ),
    # Batches, at the vendor's own rate.
    "mail": Instance(
        "klaviyo", True, {"private_key": "pk_practice", "base_url": "{sandbox}", "batch": 1_000}
    ),
    # Batches by OAuth, and each of them counts.
    "crm": Instance("hubspot", False, HUBSPOT),
    # The same, of somebody who would rather miss an event than count it twice.
    "careful": Instance("hubspot", False, HUBSPOT, at_most_once=True),
    **{name: Instance("webhook", False, ROWS) for name in ("rows", "copy", "feed", "log")},
}

# As at home, but in a hurry: a run is to be over in a minute.
INSTANCE = """\
retry_seconds = 0.2
retry_most_seconds = 5.0
breaker_seconds = 0.5
barred_seconds = 2.0
park_seconds = 4.0
"""


@dataclass(slots=True)
class Stage:
    """The processes by name; `skew` is the file of a clock that is stepped, if one is."""

    folder: Path
    log: str
    instances: Sequence[str]
    seed: int
    skew: Path | None = None
    key: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    ports: dict[str, int] = field(default_factory=dict)
    running: dict[str, asyncio.subprocess.Process] = field(default_factory=dict)
    peaks: dict[str, int] = field(default_factory=dict)
    _listening: list[asyncio.Task[None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        names = (*INGEST, *DELIVERY, VENDORS)
        self.ports = dict(zip(names, _free_ports(len(names)), strict=True))
        (self.folder / "hub.toml").write_text(self._settings())

    @property
    def hosts(self) -> list[str]:
        """Where clients may send to."""
        return [self.url(name) for name in INGEST]

    @property
    def journal(self) -> Path:
        return self.folder / "journal"

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.ports[name]}"

    def _settings(self) -> str:
        digest = hashlib.sha256(self.key.encode()).hexdigest()
        lines = [
            self.log,
            "[ingest]\nhost = '127.0.0.1'\ngrace_seconds = 0.0",
            f"[sources.shop]\nkeys = ['sha256:{digest}']",
            f"[delivery]\nstop_seconds = 5.0\nadmin_token = '{ADMIN}'",
        ]
        for name in self.instances:
            told = INSTANCES[name]
            lines.append(f"[destinations.{name}]\nvendor = '{told.vendor}'\n{INSTANCE}")
            if told.at_most_once:
                lines.append("in_doubt = 'at_most_once'")
            lines.append(f"[destinations.{name}.settings]")
            for setting, value in told.settings.items():
                said = orjson.dumps(value).decode().replace('":', '" =')
                place = f"{self.url(VENDORS)}/{name}"
                lines.append(f"{setting} = {said}".replace("{sandbox}", place))
        return "\n".join(lines) + "\n"

    async def open(self) -> None:
        """Begin all of them."""
        await asyncio.gather(*(self.begin(name) for name in self.ports))

    async def begin(self, name: str) -> None:
        """Begin a process and wait until it is ready."""
        await self.launch(name)
        path = "_sandbox/" + self.instances[0] if name == VENDORS else "readyz"
        async with aiohttp.ClientSession() as session:

            async def ready() -> bool:
                if self.running[name].returncode is not None:
                    raise AssertionError(f"{name} ended:\n{self.said(name)}")
                try:
                    async with session.get(f"{self.url(name)}/{path}") as answer:
                        return answer.status == 200
                except aiohttp.ClientError:
                    return False

            if not await until(ready, START_SECONDS):
                raise AssertionError(f"{name} is not ready:\n{self.said(name)}")

    async def launch(self, name: str) -> None:
        """Begin a process, and do not wait."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", *self._command(name)),
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(HOUSE), **self._environment(name)},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        self.running[name] = process
        self._listening.append(asyncio.create_task(self._listen(name, process)))

    async def _listen(self, name: str, process: asyncio.subprocess.Process) -> None:
        """Keep what a process says. It writes to a pipe, as in a container, and so it can speak
        when its disk is full.
        """
        assert process.stdout is not None
        with (self.folder / f"{name}.out").open("ab", buffering=0) as out:
            while said := await process.stdout.read(65_536):
                out.write(said)

    def _command(self, name: str) -> list[str]:
        config = str(self.folder / "hub.toml")
        if name == VENDORS:
            places = [f"{one}={INSTANCES[one].vendor}" for one in self.instances]
            told = (str(self.ports[name]), str(self.journal), str(self.seed), *places)
            command = ["tests.faults.vendors", *told]
        elif name in INGEST:
            command = ["ingest", "--config", config]
        else:
            command = ["destinations", "--config", config, "run"]
        return command if self.skew is None else ["tests.faults.skewed", str(self.skew), *command]

    def _environment(self, name: str) -> dict[str, str]:
        wing = "INGEST" if name in INGEST else "DELIVERY"
        return {} if name == VENDORS else {f"HUB_{wing}__PORT": str(self.ports[name])}

    async def end(self, name: str, how: signal.Signals = signal.SIGTERM) -> int:
        """End a process; returns its exit status."""
        self.look()
        process = self.running.pop(name)
        process.send_signal(how)
        try:
            async with asyncio.timeout(STOP_SECONDS):
                return await process.wait()
        except TimeoutError:
            process.kill()
            raise AssertionError(f"{name} did not stop:\n{self.said(name)}") from None

    async def close(self) -> None:
        """Let no process survive."""
        for process in self.running.values():
            if process.returncode is None:
                process.kill()
            await process.wait()
        await asyncio.gather(*self._listening)

    def said(self, name: str) -> str:
        """The end of what a process wrote."""
        return (self.folder / f"{name}.out").read_text("utf-8", "replace")[-3_000:]

    async def ask(self, place: str, **fault: Any) -> None:
        """Ask a vendor for a fault; none ends it."""
        url = f"{self.url(VENDORS)}/_sandbox/{place}"
        async with (
            aiohttp.ClientSession() as session,
            session.post(url, data=orjson.dumps(fault)) as answer,
        ):
            answer.raise_for_status()

    async def keep_answers(self, lost: Sequence[str]) -> None:
        """Keep what the processes say of themselves and of events that were lost, for who wants to
        know why.
        """
        asked = [(name, "metrics") for name in self.running if name != VENDORS]
        for name in DELIVERY:
            asked += [(name, "admin/destinations"), *((name, f"admin/trace/{one}") for one in lost)]
        headers = {"Authorization": f"Bearer {ADMIN}"}
        async with aiohttp.ClientSession(headers=headers) as session:
            for name, path in asked:
                with contextlib.suppress(aiohttp.ClientError):
                    async with session.get(f"{self.url(name)}/{path}") as answer:
                        file = self.folder / f"{name}.{path.replace('/', '-')}"
                        file.write_bytes(await answer.read())

    def look(self) -> None:
        """Take note of the most memory that each process of the hub has had, in bytes."""
        for name, process in self.running.items():
            status = Path(f"/proc/{process.pid}/status")
            if name == VENDORS or not status.exists():  # no such folder but on Linux
                continue
            for line in status.read_text().splitlines():
                if line.startswith("VmHWM:"):
                    self.peaks[name] = max(self.peaks.get(name, 0), int(line.split()[1]) * 1024)


@asynccontextmanager
async def stage(made: Stage) -> AsyncIterator[Stage]:
    """A stage at work; all of its processes are gone when the block ends."""
    try:
        await made.open()
        yield made
    finally:
        await made.close()


async def until(holds: Callable[[], Any], seconds: float, pause: float = 0.05) -> bool:
    """Wait until a condition holds, for at most `seconds`; returns whether it does."""
    try:
        async with asyncio.timeout(seconds):
            while not await holds():  # noqa: ASYNC110 - other processes ring no bell
                await asyncio.sleep(pause)
    except TimeoutError:
        return False
    return True


def _free_ports(count: int) -> list[int]:
    """Free ports, held together so that no two are the same."""
    held = [socket.socket() for _ in range(count)]
    try:
        for one in held:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in held]
    finally:
        for one in held:
            one.close()
