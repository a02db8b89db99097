"""The log's command line."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import orjson
import pytest

from hub.log import EVENTS, Entry, Log, Record
from hub.log.__main__ import asked_of, line_of, main
from hub.log.settings import LogSettings
from tests.hub.log.scenes import PATIENCE, numbered, take_all

ROOT = Path(__file__).parents[3]

MODULE = ("-m", "hub.log")


@pytest.fixture
def config(shared_settings: LogSettings, tmp_path: Path) -> Path:
    """A settings file that names the log, beside what has nothing to do with it."""
    path = tmp_path / "hub.toml"
    fields = shared_settings.model_dump(mode="json", exclude_none=True)
    lines = [f"{name} = {json.dumps(value)}" for name, value in fields.items()]
    path.write_text("\n".join(["[log]", *lines, "[destinations.x]", 'key = "${NOT_SET}"']))
    return path


async def start(*arguments: str, by: Sequence[str] = MODULE) -> asyncio.subprocess.Process:
    """`python -m hub.log` with these arguments."""
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *by,
        *arguments,
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )


async def run(*arguments: str) -> tuple[int, str, str]:
    """The status, output and complaints of `python -m hub.log`."""
    async with asyncio.timeout(PATIENCE):
        process = await start(*arguments)
        out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


Tails = Callable[..., Awaitable[list[int]]]


@pytest.fixture
def tail(config: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> Tails:
    """The values of what `tail events` tells with some arguments; a process of its own would say
    the same a second later.
    """

    async def values(*arguments: str) -> list[int]:
        await main(asked_of(["--config", str(config), "tail", "events", *arguments]))
        out, err = capsysbinary.readouterr()
        assert b"" == err
        return [json.loads(line)["value"] for line in out.splitlines()]

    return values


async def test_streams_tells_what_is_held_and_how_far_groups_are(
    shared_log: Log, config: Path
) -> None:
    """Each partition with its first, end and last time; each group with its lag."""
    (place, *_) = await shared_log.append(EVENTS, numbered("a", range(5)))
    reader = await shared_log.open_reader(EVENTS, "mail")
    await take_all(reader, 5)
    await reader.commit({place.partition: 2})
    await reader.close()
    (record,) = await shared_log.read(EVENTS, place.partition, 4, 1)

    status, out, _ = await run("--config", str(config), "streams")
    rows = [line.split() for line in out.splitlines()]

    assert 0 == status
    assert [EVENTS, f"{place.partition}", "0", "5", json.loads(line_of(record))["at"]] in rows
    assert ["dead_letters", "0", "0", "0", "-"] in rows
    assert ["mail", EVENTS, "3"] in rows


async def test_tail_tells_the_last_ten(shared_log: Log, tail: Tails) -> None:
    """Without more, `tail` tells the last ten records, the oldest first."""
    await shared_log.append(EVENTS, numbered("a", range(25)))

    assert list(range(15, 25)) == await tail()


async def test_tail_from_the_start(shared_log: Log, tail: Tails) -> None:
    """`--from start` tells all, of all partitions, and `--limit` the first of them."""
    for number in range(0, 40, 10):
        for key in ("a", "b", "c", "d"):
            await shared_log.append(EVENTS, numbered(key, range(number, number + 10)))

    told = await tail("--from", "start")
    first = await tail("--from", "start", "--limit", "7")
    later = await tail("--from", "2999-01-01T00:00:00Z")
    hour = await tail("--from", "1h")

    assert sorted([*range(40)] * 4) == sorted(told)
    assert [*range(7)] == first
    assert [] == later
    assert 160 == len(hour)


async def test_tail_of_one_partition(shared_log: Log, tail: Tails) -> None:
    """`--partition` tells that partition only."""
    places = await shared_log.append(EVENTS, [Entry(b"%d" % n, b"%d" % n) for n in range(40)])
    expected = [n for n, place in enumerate(places) if place.partition == 1]

    assert expected == await tail("--from", "start", "--partition", "1")


async def test_tail_follows(shared_log: Log, config: Path) -> None:
    """`--follow` goes on with what is appended later, until Ctrl-C, quietly."""
    await shared_log.append(EVENTS, numbered("a", range(3)))
    told: list[int] = []
    async with asyncio.timeout(PATIENCE):
        process = await start("--config", str(config), "tail", "events", "--follow")
        assert process.stdout is not None
        for number in range(3, 6):
            while len(told) < number:
                told.append(json.loads(await process.stdout.readline())["value"])
            await shared_log.append(EVENTS, numbered("a", range(number, number + 1)))
        process.send_signal(signal.SIGINT)
        _, complaints = await process.communicate()

    assert [0, 1, 2, 3, 4] == told
    assert (130, b"") == (process.returncode, complaints)


# Ctrl-C between aiokafka's look at a future and its answer to it: there it logs.
INTERRUPTED = """
import logging, signal, sys
from hub.log.__main__ import run

class Interrupting(logging.Handler):
    def emit(self, record):
        if record.msg.startswith("Response from") and "OffsetResponse" in str(record.args):
            logger.removeHandler(self)
            signal.raise_signal(signal.SIGINT)

logger = logging.getLogger("aiokafka.conn")
logger.setLevel(logging.DEBUG)
logger.addHandler(Interrupting())
sys.exit(run())
"""


@pytest.mark.kafka
@pytest.mark.parametrize("shared_settings", ["kafka"], indirect=True)
async def test_ctrl_c_is_quiet_at_any_moment(shared_log: Log, config: Path) -> None:
    """Ctrl-C amid the lines of Kafka's client ends `tail` without a complaint too."""
    await shared_log.append(EVENTS, numbered("a", range(3)))
    async with asyncio.timeout(PATIENCE):
        process = await start(
            "--config", str(config), "tail", "events", "--follow", by=("-c", INTERRUPTED)
        )
        _, complaints = await process.communicate()

    assert (130, b"") == (process.returncode, complaints)


async def test_a_closed_pipe_ends_it_quietly(shared_log: Log, config: Path) -> None:
    """When nobody reads on, `tail` ends without a complaint."""
    await shared_log.append(EVENTS, [Entry(b"a", b"x" * 10_000)] * 100)
    async with asyncio.timeout(PATIENCE):
        process = await asyncio.create_subprocess_shell(
            f"{sys.executable} -m hub.log --config {config} tail events --from start | head -c 10",
            cwd=ROOT,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()

    assert (b'{"stream":', b"") == (out, err)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("tail", "nowhere"), "dead_letters"),
        (("tail", "events", "--from", "yesterday"), "15m"),
        (("tail", "events", "--limit", "0"), "--limit"),
        (("--config", "/nowhere/hub.toml", "streams"), "/nowhere/hub.toml"),
    ],
)
async def test_what_is_not_clear_is_said(arguments: tuple[str, ...], expected: str) -> None:
    """A wrong argument ends with status 2 and a sentence, not with a traceback."""
    status, out, err = await run(*arguments)

    assert (2, "") == (status, out)
    assert expected in err
    assert "Traceback" not in err


async def test_a_partition_that_is_not_there_is_said(shared_log: Log, config: Path) -> None:
    """An unknown partition ends with status 1 and the partitions there are."""
    await shared_log.ready()

    status, _, err = await run("--config", str(config), "tail", "events", "--partition", "9")

    assert (1, "events has no partition 9; it has 0 to 3\n") == (status, err)


async def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    """A log that nobody made is not made by looking at it."""
    config = tmp_path / "hub.toml"
    config.write_text(f'[log]\nkind = "sqlite"\npath = "{tmp_path}/none.db"\n')

    status, _, err = await run("--config", str(config), "streams")

    assert 1 == status
    assert "none.db" in err
    assert not (tmp_path / "none.db").exists()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b'{"n":12345678901234567890123}', b'{"n":12345678901234567890123}'),
        (b'{\n"a": 1}', b'{"a":1}'),
        (b"plain", b'"plain"'),
        (b"", b'""'),
        (b"\xff\x00", orjson.dumps("\\xff\x00")),
    ],
)
def test_a_value_is_told_as_it_is(value: bytes, expected: bytes) -> None:
    """A value that is JSON is told as JSON, unchanged; another as text; always in one line."""
    record = Record(EVENTS, 1, 2, b"k\xff", value, (("h", b"1"),), 0.0)

    assert (
        b'{"stream":"events","partition":1,"offset":2,"at":"1970-01-01T00:00:00.000Z",'
        b'"key":"k\\\\xff","headers":{"h":"1"},"value":' + expected + b"}\n"
    ) == line_of(record)
