"""Processes that a test starts on a log, and kills: `python -m tests.hub.log.child VERB SETTINGS`.

Each tells on its standard output, line by line, what the log has promised it.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from pydantic import TypeAdapter

from hub.log import EVENTS, Entry, Log, LogUnavailable, Reader
from hub.log.opening import open_log
from hub.log.settings import LogSettings
from tests.hub.log.scenes import after, numbered

_SETTINGS: TypeAdapter[LogSettings] = TypeAdapter(LogSettings)
_ROOT = Path(__file__).parents[3]


class Child:
    """A running child, seen from the test."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def told(self) -> list[str]:
        """The next line's words; none when the child has ended and everything was heard."""
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        return line.decode().split() if line.endswith(b"\n") else []

    async def told_all(self) -> list[list[str]]:
        """The words of all lines that are left."""
        lines = []
        while words := await self.told():
            lines.append(words)
        return lines

    def signal(self, number: int) -> None:
        """Send a signal."""
        self._process.send_signal(number)

    async def kill(self) -> None:
        """End the child as a power cut would."""
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()


@asynccontextmanager
async def child(verb: str, settings: LogSettings, *args: str) -> AsyncIterator[Child]:
    """A child that does `verb` on the log; it is dead when the block is left."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.hub.log.child",
        verb,
        _SETTINGS.dump_json(settings, exclude_none=True).decode(),
        *args,
        stdout=asyncio.subprocess.PIPE,
        cwd=_ROOT,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        limit=16 * 1024 * 1024,
    )
    one = Child(process)
    try:
        yield one
    finally:
        await one.kill()
        await one.told_all()


def tell(*words: object) -> None:
    """One line to the test, whole and at once."""
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


async def append(log: Log, prefix: str) -> None:
    """Append without end under four keys; tell key, number and place of what is durable."""

    async def lane(key: str) -> None:
        number = 0
        while True:
            entries = numbered(key, range(number, number + 5))
            for place in await log.append(EVENTS, entries):
                tell(key, number, place.partition, place.offset)
                number += 1

    await asyncio.gather(*(lane(f"{prefix}{n}") for n in range(4)))


async def append_one(log: Log, key: str) -> None:
    """Append one entry, and stay."""
    await log.append(EVENTS, numbered(key, range(1)))
    tell("appended")
    await asyncio.Event().wait()


async def read(log: Log, group: str, commits: str) -> None:
    """Be a member: tell what is taken; commit the first `commits` records, and no more."""
    reader = await log.open_reader(EVENTS, group)
    taken = []
    committed = False
    tell("joined")
    while True:
        some = list(await reader.take(100, 0.1))
        taken += some
        for record in some:
            tell("took", record.partition, record.offset)
        if not committed and len(taken) >= int(commits) > 0:
            committed = True
            await reader.commit(after(taken[: int(commits)]))
            tell("committed", json.dumps(after(taken[: int(commits)])).replace(" ", ""))


async def hold(log: Log, group: str) -> None:
    """Be a member: tell what is held; at SIGUSR1 commit 1 in every partition that was held."""
    reader: Reader
    wanted = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, wanted.set)
    reader = await log.open_reader(EVENTS, group)
    held: frozenset[int] | None = None
    ever: set[int] = set()
    while True:
        await reader.take(100, 0.05)
        if held != reader.partitions:
            held = reader.partitions
            ever |= held
            tell("holds", *sorted(held))
        if wanted.is_set():
            wanted.clear()
            await reader.commit(dict.fromkeys(ever, 1))
            tell("committed")


async def fill(log: Log) -> None:
    """Append until the disk is full, then make room; tell `appended` or `refused` of each."""
    size = 100_000
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (30 * size, hard))
    number = refused = 0
    while refused < 3:
        try:
            await log.append(EVENTS, [Entry(b"a", b"%06d" % number * (size // 6))])
            tell("appended", number)
        except LogUnavailable:
            tell("refused", number)
            refused += 1
        number += 1
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    await log.append(EVENTS, [Entry(b"a", b"%06d" % number)])
    tell("appended", number)
    tell("done")


async def main(verb: str, settings: str, *args: str) -> None:
    """Do what was asked, until killed."""
    log = await open_log(_SETTINGS.validate_json(settings))
    verbs = {"append": append, "append_one": append_one, "read": read, "hold": hold, "fill": fill}
    await verbs[verb](log, *args)  # type: ignore[operator]


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
