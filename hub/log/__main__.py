"""The log's command line: `python -m hub.log streams`, and `python -m hub.log tail STREAM`."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

import orjson
from pydantic import Field

from hub.clock import SystemClock, iso
from hub.log import STREAMS, Log, LogError, LogMisconfigured, Record, StreamStatus
from hub.log.moment import START, moment
from hub.log.opening import open_log
from hub.log.settings import LogSettings, SqliteLog
from hub.settings import Misconfigured, WingSettings, load, path_of

# Records that one read asks for.
_BATCH: Final = 500

# Seconds between looks for new records while following.
_FOLLOW: Final = 0.25


class _Settings(WingSettings):
    """The `[log]` of `hub.toml`."""

    log: LogSettings = Field(SqliteLog(), description="The log.", discriminator="kind")


def line_of(record: Record) -> bytes:
    """A record as one line of JSON; the value as it is if it is JSON, else as text."""
    value: Any
    try:
        value = orjson.loads(record.value)
        if b"\n" not in record.value:
            value = orjson.Fragment(record.value)  # as it was sent, large numbers too
    except orjson.JSONDecodeError:
        value = _text(record.value)
    return orjson.dumps(
        {
            "stream": record.stream,
            "partition": record.partition,
            "offset": record.offset,
            "at": iso(record.at),
            "key": _text(record.key),
            "headers": {name: _text(header) for name, header in record.headers},
            "value": value,
        },
        option=orjson.OPT_APPEND_NEWLINE,
    )


def _text(data: bytes) -> str:
    return data.decode(errors="backslashreplace")


async def streams(log: Log) -> list[str]:
    """The lines of two tables: what partitions hold, and how far groups are."""
    statuses = await log.status()
    lasts = await asyncio.gather(
        *(_last(log, status.stream, span.partition, span.first, span.end)
          for status in statuses for span in status.spans)
    )  # fmt: skip
    last = iter(lasts)
    spans = [("STREAM", "PARTITION", "FIRST", "END", "LAST")] + [
        (status.stream, f"{span.partition}", f"{span.first}", f"{span.end}", next(last))
        for status in statuses
        for span in status.spans
    ]
    groups = [("GROUP", "STREAM", "LAG")] + [
        (group, status.stream, f"{status.lag(group)}")
        for status in statuses
        for group in sorted(status.groups)
    ]
    return [*_table(spans), "", *_table(groups)]


async def _last(log: Log, stream: str, partition: int, first: int, end: int) -> str:
    records = await log.read(stream, partition, end - 1, 1) if first < end else ()
    return iso(records[0].at) if records else "-"


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if cell.isdigit() else cell.ljust(width)
            for cell, width in zip(row, widths, strict=True)
        ).rstrip()
        for row in rows
    ]


async def last(log: Log, status: StreamStatus, limit: int) -> list[Record]:
    """The last `limit` records of the partitions of `status`, the oldest first."""
    records: list[Record] = []
    for span in status.spans:
        begin = max(span.first, span.end - limit)
        records += await log.read(status.stream, span.partition, begin, span.end - begin)
    return sorted(records, key=_order)[-limit:]


async def since(log: Log, stream: str, places: dict[int, int]) -> AsyncIterator[Record]:
    """Records from `places` on, the oldest first, until all partitions are at their end.

    `places` is moved on, so that who follows can ask again.
    """
    waiting: dict[int, list[Record]] = {partition: [] for partition in places}
    while True:
        for partition in [p for p, records in waiting.items() if not records]:
            records = list(await log.read(stream, partition, places[partition], _BATCH))
            if records:
                waiting[partition] = records[::-1]
            else:
                del waiting[partition]
        if not waiting:
            return
        # Until one of them has to be read again, the oldest stands at the end of some list.
        while all(waiting.values()):
            record = min((records[-1] for records in waiting.values()), key=_order)
            waiting[record.partition].pop()
            places[record.partition] = record.offset + 1
            yield record


def _order(record: Record) -> tuple[float, int, int]:
    return record.at, record.partition, record.offset


async def tail(log: Log, asked: argparse.Namespace) -> AsyncIterator[Record]:
    """The records that were asked for; without end when following."""
    (status,) = [status for status in await log.status() if status.stream == asked.stream]
    spans = [span for span in status.spans if asked.partition in (None, span.partition)]
    if not spans:
        raise LogMisconfigured(
            f"{asked.stream} has no partition {asked.partition};"
            f" it has 0 to {len(status.spans) - 1}"
        )
    if asked.begin is None:
        limit = 10 if asked.limit is None else asked.limit
        for record in await last(log, StreamStatus(asked.stream, tuple(spans)), limit):
            yield record
        places = {span.partition: span.end for span in spans}
        left = None
    else:
        begin = asked.begin
        places = {
            span.partition: span.first
            if begin == START
            else await log.offset_at(asked.stream, span.partition, begin)
            for span in spans
        }
        left = asked.limit
        async for record in since(log, asked.stream, places):
            if left == 0:
                return
            yield record
            left = None if left is None else left - 1
    while asked.follow and left != 0:
        async for record in since(log, asked.stream, places):
            yield record
            left = None if left is None else left - 1
            if left == 0:
                return
        await asyncio.sleep(_FOLLOW)


async def main(asked: argparse.Namespace) -> None:
    """Do what was asked. Raises LogError and Misconfigured."""
    settings = load(_Settings, path_of(asked.config)).log
    if isinstance(settings, SqliteLog) and not settings.path.exists():
        raise LogMisconfigured(f"there is no log at {settings.path}; ingest makes it at its start")
    log = await open_log(settings)
    try:
        if asked.command == "streams":
            print("\n".join(await streams(log)))
        else:
            async for record in tail(log, asked):
                sys.stdout.buffer.write(line_of(record))
                if asked.follow:
                    sys.stdout.buffer.flush()
        sys.stdout.flush()
    finally:
        await log.close()


async def _until_interrupted(asked: argparse.Namespace) -> None:
    """`main`, cancelled by Ctrl-C between two steps of the loop.

    asyncio's own handler cancels in the midst of any line, and a response that aiokafka is handing
    over just then ends in a traceback.
    """
    task = asyncio.create_task(main(asked))
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, task.cancel)
    await task


def asked_of(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """What the command line asks for; ends the process with status 2 when it is not clear."""
    parser = argparse.ArgumentParser("python -m hub.log", description="Look into the log.")
    parser.add_argument("--config", help="the settings; else $HUB_CONFIG, else hub.toml")
    commands = parser.add_subparsers(dest="command", required=True, metavar="streams | tail")
    commands.add_parser("streams", help="what streams hold, and how far groups are")
    tailing = commands.add_parser("tail", help="records, one JSON line each")
    tailing.add_argument("stream", choices=STREAMS, metavar="STREAM", help=", ".join(STREAMS))
    tailing.add_argument(
        "--from",
        dest="begin",
        metavar="TIME",
        help="start, 15m (ago), 2h, 7d, or 2026-11-21T10:00:00Z; else the last records",
    )
    tailing.add_argument("--partition", type=int, metavar="N", help="this partition only")
    tailing.add_argument("--limit", type=int, metavar="N", help="so many records (last: 10)")
    tailing.add_argument("--follow", action="store_true", help="go on with what is appended")
    asked = parser.parse_args(arguments)
    if asked.command == "tail":
        if asked.limit is not None and asked.limit < 1:
            tailing.error("--limit must be 1 or more")
        try:
            asked.begin = asked.begin and moment(asked.begin, SystemClock().now())
        except ValueError as error:
            tailing.error(str(error))
    return asked


def run() -> int:
    """The exit status: 1 when the log is away or wrong, 2 for settings, 130 after Ctrl-C."""
    try:
        asyncio.run(_until_interrupted(asked_of()))
    except Misconfigured as error:
        print(error, file=sys.stderr)
        return 2
    except LogError as error:
        print(error, file=sys.stderr)
        return 1
    except (KeyboardInterrupt, asyncio.CancelledError):
        return 130
    except BrokenPipeError:
        # The reader (`head`) has what it wanted; nothing may be written at the exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


if __name__ == "__main__":
    sys.exit(run())
