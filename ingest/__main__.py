"""`python -m ingest`: run · keys new · rejected · check."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

from hub.clock import SystemClock
from hub.log import Log, LogError, LogMisconfigured, LogUnavailable
from hub.log.opening import open_log
from hub.log.settings import KafkaLog, MemoryLog
from hub.process import asked_to_stop, begin_logging, run
from hub.settings import Fault, Misconfigured, load, path_of
from ingest.detour import OPENING, Spooled
from ingest.keys import hash_of, new_key
from ingest.rejected import listed
from ingest.serving import serving, stopped
from ingest.settings import IngestSettings
from ingest.sources import Sources
from ingest.spool import Spool
from ingest.timestamps import milliseconds_of
from ingest.workers import WRONG_SETTINGS, Workers, until_alone


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the status to exit with."""
    asked = _arguments().parse_args(arguments)
    match asked.command:
        case "keys":
            return _keys(asked.source)
        case "check":
            return run(_check(asked))
        case "rejected":
            return run(_rejected(asked))
        case _:
            begin_logging()
            return run(_run(asked))


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m ingest", description="How events get in.")
    parser.add_argument("--config", help="the settings; HUB_CONFIG, or hub.toml, if not given")
    parser.add_argument("--workers", type=int, help="processes that share the port")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    for name, words in (
        ("run", "take events in (what is done if nothing is said)"),
        ("check", "read the settings and say what is wrong with them"),
        ("keys", "make a write key"),
        ("rejected", "list refused events, one line of JSON each"),
    ):
        command = commands.add_parser(name, help=words, description=words)
        command.add_argument("--config", default=argparse.SUPPRESS, help="the settings")
        if name == "run":
            command.add_argument("--workers", type=int, default=argparse.SUPPRESS)
        if name == "keys":
            command.add_argument("action", choices=["new"])
            command.add_argument("source", help="the source's name in the settings")
        if name == "rejected":
            command.add_argument("--source", help="only of this source")
            command.add_argument("--code", help="only with this reason code")
            command.add_argument("--from", dest="since", help="only since this time (ISO 8601)")
            command.add_argument("--limit", type=int, default=100, help="at most so many")
    return parser


async def _run(asked: argparse.Namespace) -> int:
    path = path_of(asked.config)
    settings = load(IngestSettings, path)
    ingest = settings.ingest
    stop = asked_to_stop()
    count = asked.workers or ingest.workers
    if asked.worker or count == 1:
        return await _serve(settings, path.parent, stop, worker=asked.worker)
    Sources.of(settings.sources, path.parent)
    if isinstance(settings.log, MemoryLog):
        raise Misconfigured([Fault("log.kind", "memory is one process's own; workers need sqlite")])
    arguments = ["-m", "ingest", "--config", str(path), "--worker"]
    seconds = ingest.grace_seconds + 2 * ingest.stop_seconds
    return await Workers(arguments, count, seconds).run(ingest.host, ingest.port, stop)


async def _serve(
    settings: IngestSettings, folder: Path, stop: asyncio.Event, *, worker: bool
) -> int:
    """One process: log → rooms → socket; let go in the reverse order."""
    Sources.of(settings.sources, folder)
    async with AsyncExitStack() as stack:
        try:
            log = await _opened(settings, folder, stack)
        except LogError as error:
            print(f"log: {error}", file=sys.stderr)
            return WRONG_SETTINGS if isinstance(error, LogMisconfigured) else 1
        if worker:
            stack.callback(asyncio.create_task(until_alone(stop)).cancel)
        try:
            async with serving(settings, folder, log, SystemClock(), shared=worker) as process:
                await stopped(process, stop, settings.ingest.grace_seconds)
        except OSError as error:
            print(f"ingest.port: cannot listen: {error.strerror}", file=sys.stderr)
            return WRONG_SETTINGS
    return 0


async def _opened(settings: IngestSettings, folder: Path, stack: AsyncExitStack) -> Log | Spooled:
    """The log; with a spool beside it, it may be away. Raises LogError, Misconfigured."""
    told = settings.ingest.spool
    opening = partial(open_log, settings.log)
    if not (isinstance(settings.log, KafkaLog) and told.enabled):
        log = await opening()
        stack.push_async_callback(log.close)
        return log
    spooling = Spool.opened(told, folder / told.path, SystemClock())
    spool = await stack.enter_async_context(spooling)
    try:
        async with asyncio.timeout(OPENING):
            log = await opening()
    except (LogUnavailable, TimeoutError):
        return Spooled(None, opening, spool)
    stack.push_async_callback(log.close)
    return Spooled(log, opening, spool)


async def _check(asked: argparse.Namespace) -> int:
    path = path_of(asked.config)
    settings = load(IngestSettings, path)
    sources = Sources.of(settings.sources, path.parent)
    print(f"{path}: {len(sources.by_name)} sources, all well")
    return 0


async def _rejected(asked: argparse.Namespace) -> int:
    settings = load(IngestSettings, path_of(asked.config))
    since = milliseconds_of(asked.since) if asked.since else 0
    if since is None:
        print("--from: is no time; write 2026-11-21T10:00:00Z", file=sys.stderr)
        return WRONG_SETTINGS
    log = await open_log(settings.log)
    try:
        found = listed(
            log, source=asked.source, code=asked.code, since=since / 1_000, limit=asked.limit
        )
        async for line in found:
            print(line.decode())
    except BrokenPipeError:  # `| head` has seen enough
        sys.stderr.close()
    finally:
        await log.close()
    return 0


def _keys(source: str) -> int:
    key = new_key()
    print(f"The write key of {source}, shown this once: {key}\n")
    print(f'[sources.{source}]\nkeys = ["{hash_of(key)}"]')
    return 0


if __name__ == "__main__":
    sys.exit(main())
