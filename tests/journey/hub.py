"""A whole hub as it runs in earnest: real processes on one log, and every vendor's sandbox."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import secrets
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import orjson

from destinations import registry

HOUSE = Path(__file__).parents[2]
SAMPLE = re.compile(r"^([a-z_]+)(?:\{(.*)\})? (\S+)$")
LABEL = re.compile(r'(\w+)="([^"]*)"')


class Hub:
    """The processes of one hub; each can be killed and begun again."""

    def __init__(self, folder: Path, log: str, vendors: Sequence[str]) -> None:
        self.key = secrets.token_urlsafe(24)
        self.folder = folder
        self.vendors = vendors
        self.ingest, self.delivery, self.practice = (f"http://127.0.0.1:{p}" for p in _ports(3))
        self.config = folder / "hub.toml"
        self.config.write_text(self._settings(log))
        self.running: dict[str, asyncio.subprocess.Process] = {}
        self.session: aiohttp.ClientSession

    def _settings(self, log: str) -> str:
        digest = hashlib.sha256(self.key.encode()).hexdigest()
        lines = [
            log,
            f"[ingest]\nhost = '127.0.0.1'\nport = {_port(self.ingest)}\ngrace_seconds = 0.0",
            f"[sources.shop]\nkeys = ['sha256:{digest}']",
            f"[delivery]\nport = {_port(self.delivery)}\ncommit_seconds = 0.2",
        ]
        for vendor in self.vendors:
            # The settings of a vendor's cases are those that its sandbox lets in.
            told = orjson.loads(registry.cases(vendor).read_bytes())["settings"]
            lines.append(f"[destinations.{vendor}]\nvendor = '{vendor}'")
            lines.append("retry_seconds = 0.1\nbreaker_seconds = 0.2")
            lines.append(f"[destinations.{vendor}.settings]")
            for name, value in told.items():
                said = orjson.dumps(value).decode().replace('":', '" =')
                lines.append(f"{name} = {said}".replace("{sandbox}", f"{self.practice}/{vendor}"))
        return "\n".join(lines) + "\n"

    async def begin(self, name: str) -> None:
        """Begin a process and wait until it answers."""
        arguments, url = {
            "sandbox": (
                ["destinations", "sandbox", "--port", str(_port(self.practice))],
                f"{self.practice}/_sandbox/webhook",
            ),
            "ingest": (["ingest", "--config", str(self.config)], f"{self.ingest}/readyz"),
            "destinations": (
                ["destinations", "--config", str(self.config), "run"],
                f"{self.delivery}/readyz",
            ),
        }[name]
        await self._begin(name, arguments, url)

    async def join(self, name: str) -> str:
        """Begin one more process that delivers, called `name`; returns where its metrics are."""
        (port,) = _ports(1)
        base = f"http://127.0.0.1:{port}"
        arguments = ["destinations", "--config", str(self.config), "run"]
        await self._begin(name, arguments, f"{base}/readyz", HUB_DELIVERY__PORT=str(port))
        return base

    async def _begin(
        self, name: str, arguments: Sequence[str], url: str, **environment: str
    ) -> None:
        with (self.folder / f"{name}.out").open("ab") as out:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", *arguments),
                cwd=HOUSE,
                env={**os.environ, **environment},
                stdout=out,
                stderr=out,
            )
        self.running[name] = process
        async with asyncio.timeout(60):
            while True:
                if process.returncode is not None:
                    raise AssertionError(f"{name} ended:\n{self.said(name)}")
                try:
                    async with self.session.get(url) as answer:
                        if answer.status == 200:
                            return
                except aiohttp.ClientError:
                    pass
                await asyncio.sleep(0.02)

    def said(self, name: str) -> str:
        """The end of what a process wrote."""
        return (self.folder / f"{name}.out").read_text("utf-8", "replace")[-3_000:]

    async def end(self, name: str, how: signal.Signals = signal.SIGTERM) -> int:
        """End a process; returns its exit status."""
        process = self.running.pop(name)
        process.send_signal(how)
        async with asyncio.timeout(60):
            return await process.wait()

    async def run(self, *arguments: str, **environment: str) -> None:
        """Run a client to its end. Raises AssertionError when it fails."""
        told = {**os.environ, "HOST": self.ingest, "KEY": self.key, **environment}
        process = await asyncio.create_subprocess_exec(
            *arguments,
            cwd=HOUSE,
            env=told,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        out, _ = await process.communicate()
        assert 0 == process.returncode, out.decode()

    async def ask(self, vendor: str, **fault: Any) -> None:
        """Ask a vendor's sandbox for a fault, such as `slow=0.1`; none ends it."""
        url = f"{self.practice}/_sandbox/{vendor}"
        async with self.session.post(url, data=orjson.dumps(fault)) as answer:
            assert 200 == answer.status

    async def taken(self, vendor: str) -> list[dict[str, Any]]:
        """What the vendor's sandbox took, in order."""
        async with self.session.get(f"{self.practice}/_sandbox/{vendor}?taken=1") as answer:
            found: list[dict[str, Any]] = orjson.loads(await answer.read())
            return found

    async def count(self, vendor: str) -> dict[str, int]:
        """How many requests the sandbox had, and how much it took."""
        async with self.session.get(f"{self.practice}/_sandbox/{vendor}") as answer:
            found: dict[str, int] = orjson.loads(await answer.read())
            return found

    async def total(self, base: str, name: str, **labels: str) -> int:
        """The sum of a counter's samples with these labels, in one process's metrics."""
        async with self.session.get(f"{base}/metrics") as answer:
            page = await answer.text()
        found = 0.0
        for line in page.splitlines():
            match = SAMPLE.match(line)
            if not match or match[1] != name:
                continue
            if labels.items() <= dict(LABEL.findall(match[2] or "")).items():
                found += float(match[3])
        return int(found)

    async def until(self, holds: Callable[[], Any], seconds: float = 100.0) -> None:
        """Wait for a condition, and show what the processes said if it never comes true."""
        try:
            async with asyncio.timeout(seconds):
                while not await holds():  # noqa: ASYNC110 - other processes ring no bell
                    await asyncio.sleep(0.05)
        except TimeoutError:
            said = "\n".join(f"--- {name}\n{self.said(name)}" for name in self.running)
            raise AssertionError(f"it never came true\n{said}") from None


@asynccontextmanager
async def hub(folder: Path, log: str, vendors: Sequence[str]) -> AsyncIterator[Hub]:
    """A hub at work; all of its processes are gone when the block ends."""
    made = Hub(folder, log, vendors)
    async with aiohttp.ClientSession() as made.session:
        try:
            for name in ("sandbox", "ingest", "destinations"):
                await made.begin(name)
            yield made
        finally:
            for process in made.running.values():
                process.kill()
                await process.wait()


def _port(url: str) -> int:
    return int(url.rpartition(":")[2])


def _ports(count: int) -> list[int]:
    """Free ports, held together so that no two are the same."""
    held = [socket.socket() for _ in range(count)]
    try:
        for one in held:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in held]
    finally:
        for one in held:
            one.close()
