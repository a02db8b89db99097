"""Several processes on one port: started, watched, begun again when one dies, stopped in order.

A worker ends when the one who started it does, however that ended: it holds the other end of a
pipe that nobody writes to.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import structlog
from prometheus_client import multiprocess

from ingest.serving import free_port

FIRST_WAIT: Final = 0.5
LONGEST_WAIT: Final = 30.0
LIVED: Final = 60.0
"""Seconds of life after which a death is a new misfortune, and not the same one again."""

WRONG_SETTINGS: Final = 2
"""The status by which a worker says that to start it again would not help."""


class Workers:
    """The processes, one keeper each."""

    def __init__(self, arguments: Sequence[str], count: int, stop_seconds: float) -> None:
        self._arguments = list(arguments)
        self._count = count
        self._stop_seconds = stop_seconds
        self._log = structlog.get_logger("ingest")

    async def run(self, host: str, port: int, asked: asyncio.Event) -> int:
        """Keep the processes alive until asked to stop; the status to exit with."""
        held, port = free_port(host, port)
        folder = tempfile.TemporaryDirectory(prefix="ingest-metrics-")
        with held, folder as metrics:
            environ = {
                "PROMETHEUS_MULTIPROC_DIR": metrics,
                **os.environ,
                "HUB_INGEST__PORT": str(port),
            }
            failed = asyncio.Event()
            async with asyncio.TaskGroup() as group:
                for _ in range(self._count):
                    group.create_task(self._keep(environ, asked, failed))
                group.create_task(_either(asked, failed))
            return WRONG_SETTINGS if failed.is_set() else 0

    async def _keep(
        self, environ: dict[str, str], asked: asyncio.Event, failed: asyncio.Event
    ) -> None:
        wait = FIRST_WAIT
        loop = asyncio.get_running_loop()
        while not asked.is_set():
            began = loop.time()
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                *self._arguments,
                env=environ,
                stdin=asyncio.subprocess.PIPE,
                start_new_session=True,  # ^C on a terminal is for us; workers are told by us
            )
            status = await self._watched(process, asked)
            _forget(process.pid, environ["PROMETHEUS_MULTIPROC_DIR"])
            if asked.is_set():
                return
            if status == WRONG_SETTINGS:
                failed.set()
                asked.set()
                return
            wait = FIRST_WAIT if loop.time() - began > LIVED else min(2 * wait, LONGEST_WAIT)
            self._log.error("worker died", pid=process.pid, status=status, again_in=wait)
            await _first(asked.wait(), asyncio.sleep(wait))

    async def _watched(self, process: asyncio.subprocess.Process, asked: asyncio.Event) -> int:
        """The status of a process that ended, by itself or because it was asked to."""
        await _first(process.wait(), asked.wait())
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
            try:
                async with asyncio.timeout(self._stop_seconds):
                    await process.wait()
            except TimeoutError:
                process.kill()
        return await process.wait()


async def until_alone(asked: asyncio.Event) -> None:
    """Ask a worker to stop when the one who started it is gone."""
    loop = asyncio.get_running_loop()
    gone = asyncio.Event()
    loop.add_reader(sys.stdin.fileno(), gone.set)
    try:
        await gone.wait()
    finally:
        loop.remove_reader(sys.stdin.fileno())
    asked.set()


async def _either(first: asyncio.Event, second: asyncio.Event) -> None:
    await _first(first.wait(), second.wait())


async def _first(*waits: object) -> None:
    tasks = [asyncio.ensure_future(wait) for wait in waits]  # type: ignore[call-overload]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()


def _forget(pid: int, folder: str) -> None:
    """Gauges of a dead process count no more; its counters do."""
    if Path(folder).is_dir():
        multiprocess.mark_process_dead(pid, folder)  # type: ignore[no-untyped-call]
