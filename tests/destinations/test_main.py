"""The command line of destinations, as a person uses it."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from destinations import registry
from hub.log.opening import open_log
from hub.log.settings import SqliteLog
from tests.destinations.scene import SECRET, accept, received, until

HOUSE = Path(__file__).parents[2]


async def _say(*arguments: str) -> tuple[int, str]:
    """Run `python -m destinations`; its status, and all that it wrote."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "destinations",
        *arguments,
        cwd=HOUSE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await process.communicate()
    return process.returncode or 0, out.decode()


def _config(folder: Path, url: str) -> str:
    path = folder / "hub.toml"
    path.write_text(
        f"[log]\nkind = 'sqlite'\npath = '{folder / 'hub.db'}'\npartitions = 2\n"
        "[delivery]\nport = 0\ncommit_seconds = 0.05\n"
        "[destinations.hook]\nvendor = 'webhook'\n"
        f"[destinations.hook.settings]\nurl = '{url}'\nsecret = '{SECRET}'\n"
        "allow_http = true\nallow_private = true\n"
    )
    return str(path)


async def test_list_names_every_vendor() -> None:
    """`list` has a line for each vendor."""
    status, out = await _say("list")

    assert 0 == status
    assert list(registry.vendors()) == [line.split()[0] for line in out.splitlines()]


async def test_describe_takes_vendors_and_instances(tmp_path: Path) -> None:
    """`describe` shows a vendor's page, and an instance's own mapping without its secrets."""
    config = _config(tmp_path, "http://127.0.0.1:1/")
    of_vendor, page = await _say("describe", "webhook")
    of_instance, own = await _say("--config", config, "describe", "hook")
    unknown, said = await _say("--config", config, "describe", "nobody")

    assert (0, 0, 2) == (of_vendor, of_instance, unknown)
    assert "Action deliver" in page
    assert "Action deliver" in own
    assert SECRET not in own
    assert "there are" in said


async def test_check_tells_every_fault_at_once(tmp_path: Path) -> None:
    """All that is wrong is told in one go, each with its path, and status 2."""
    path = tmp_path / "hub.toml"
    path.write_text(
        "[destinations.a]\nvendor = 'nobody'\n"
        "[destinations.b]\nvendor = 'webhook'\n[destinations.b.settings]\nurl = 'ftp://x'\n"
        "secret = 'hush-hush'\ntypo = 1\n"
        "[destinations.c]\nvendor = 'webhook'\n"
        f"[destinations.c.settings]\nurl = 'https://x.example'\nsecret = '{SECRET}'\n"
        "[destinations.c.actions.nothing]\nenabled = false\n"
    )
    status, out = await _say("--config", str(path), "check")

    assert 2 == status
    for place in (
        "destinations.a.vendor",
        "destinations.b.settings.secret",
        "destinations.b.settings.typo",
        "destinations.c.actions.nothing",
    ):
        assert place in out
    assert "hush-hush" not in out
    assert "Traceback" not in out


async def test_check_of_a_good_file(tmp_path: Path) -> None:
    """A file without fault ends with status 0."""
    status, out = await _say("--config", _config(tmp_path, "http://127.0.0.1:1/"), "check")

    assert 0 == status
    assert "1 destinations, no fault" in out


async def test_a_sandbox_that_is_not_there() -> None:
    """An unknown vendor is a clear error."""
    status, out = await _say("sandbox", "nobody")

    assert 2 == status
    assert "no such vendor" in out


async def test_a_taken_port_is_told() -> None:
    """A port that somebody else has is a sentence, and no traceback."""
    async with received() as (_, url):
        status, out = await _say("sandbox", "--port", url.rsplit(":", 1)[1].strip("/"), "webhook")

    assert 2 == status
    assert "cannot listen" in out
    assert "Traceback" not in out


@pytest.mark.timeout(120)
async def test_run_delivers_and_stops_when_asked(tmp_path: Path) -> None:
    """`run` delivers what is in the log, and SIGTERM ends it with status 0 and all committed."""
    async with received() as (receiver, url):
        config = _config(tmp_path, url)
        await _accepted(tmp_path, 20)
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "destinations", "--config", config, "run", cwd=HOUSE
        )
        try:
            await until(lambda: len(receiver.got) == 20)
        finally:
            process.terminate()
        assert 0 == await process.wait()
        await _accepted(tmp_path, 1, first=20)
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "destinations", "--config", config, cwd=HOUSE
        )
        try:
            await until(lambda: len(receiver.got) == 21)
        finally:
            process.terminate()
            await process.wait()

    assert "m-00020" == receiver.ids()[-1]


async def _accepted(folder: Path, count: int, first: int = 0) -> None:
    log = await open_log(SqliteLog(path=folder / "hub.db", partitions=2))
    await accept(log, count, first=first)
    await log.close()
