"""A replay as a person begins it, and as a process that may be killed."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from destinations.deadletters import open_letters
from destinations.replaying import log_of, name_of, parser, rate
from destinations.settings import DestinationsSettings
from hub.log import EVENTS, LogUnavailable
from hub.settings import Misconfigured, load
from tests.destinations.commands import config, log_in, say
from tests.destinations.errands import pass_over
from tests.destinations.invented import NOW
from tests.destinations.scene import accept, plan, received, until, working

HOUSE = Path(__file__).parents[2]
COUNT = 4_000


async def begun(path: str, *words: str) -> asyncio.subprocess.Process:
    """`python -m destinations replay` of `hook`, in a process of its own."""
    command = ("--config", path, "replay", "--destination", "hook", "--rate", "20000")
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "destinations",
        *command,
        *words,
        cwd=HOUSE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )


async def said(process: asyncio.subprocess.Process) -> tuple[int | None, str]:
    """Its status and all that it wrote."""
    out, _ = await process.communicate()
    return process.returncode, out.decode()


async def passed_over(folder: Path, count: int) -> list[str]:
    """The ids of so many events, behind which the instance's group stands."""
    log = await log_in(folder)
    ids = await accept(log, count, people=500)
    await pass_over(log, "hook")
    await log.close()
    return ids


@pytest.mark.timeout(120)
async def test_killed_in_the_middle_it_goes_on_by_its_name(tmp_path: Path) -> None:
    """SIGKILL, and the same command again: every event is delivered, twice only what was on the
    road; a third time there is nothing to do; the instance's own group stands where it stood.
    """
    async with received() as (receiver, url):
        path = config(tmp_path, url, "batch = 50\n")
        ids = await passed_over(tmp_path, COUNT)
        process = await begun(path, "--name", "spring")
        await until(lambda: len(receiver.got) >= COUNT // 2)
        process.kill()
        await process.wait()
        killed_at = len(receiver.got)
        status, out = await said(await begun(path, "--name", "spring"))
        delivered = Counter(receiver.ids())
        again, nothing = await said(await begun(path, "--name", "spring"))
    log = await log_in(tmp_path)
    events = next(one for one in await log.status() if one.stream == EVENTS)
    await log.close()

    assert killed_at < COUNT
    assert (0, 0) == (status, again), out
    assert set(ids) == set(delivered)
    # Sixteen requests of fifty on the road, and what the ledger had not heard of yet.
    assert delivered.total() - COUNT < 2_000
    assert "there is nothing to do" in nothing
    assert {"hook"} == set(events.groups)
    assert {span.partition: span.end for span in events.spans} == dict(events.groups["hook"])


@pytest.mark.timeout(120)
async def test_the_same_name_at_once_is_refused(tmp_path: Path) -> None:
    """The second process says who is at it and sends nothing; the first ends as if alone."""
    answers = asyncio.Event()

    async def waits(_: Sequence[dict[str, Any]]) -> int:
        await answers.wait()
        return 200

    async with received() as (receiver, url):
        receiver.says = waits
        path = config(tmp_path, url, "timeout = 60\n")
        ids = await passed_over(tmp_path, 30)
        first = await begun(path, "--name", "spring")
        await until(lambda: receiver.requests > 0)
        refused, why = await said(await begun(path, "--name", "spring"))
        answers.set()
        status, out = await said(first)

    assert (1, 0) == (refused, status), out
    assert f"replay spring of hook is under way: process {first.pid} on" in why
    assert sorted(ids) == sorted(receiver.ids())


async def test_a_dry_run_tells_and_sends_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Counts, and three requests as they would be sent."""
    async with received() as (receiver, url):
        path = config(tmp_path, url)
        await passed_over(tmp_path, 30)
        status = await say(parser, path, "replay", "--destination", "hook", "--dry-run")
    out = capsys.readouterr().out

    assert 0 == status
    assert "30  would be sent by deliver" in out
    assert 3 == out.count('"method": "POST"')
    assert 0 == receiver.requests


@pytest.mark.timeout(120)
async def test_dead_letters_of_what_it_sent_are_settled(tmp_path: Path) -> None:
    """By code, straight from the log; nobody has to retry them once more."""

    async def refuses(_: Sequence[dict[str, Any]]) -> int:
        return 400

    async with received() as (receiver, url):
        receiver.says = refuses
        path = config(tmp_path, url)
        log = await log_in(tmp_path)
        ids = await accept(log, 5)
        async with working(log, plan(url)):
            await until(lambda: receiver.requests == 5)
        buried = [letter async for letter in open_letters(log)]
        receiver.says = None
        status, out = await said(await begun(path, "--code", "http_400", "--from", "1h"))
        left = [letter async for letter in open_letters(log)]
        await log.close()

    assert 0 == status, out
    assert sorted(ids) == sorted(receiver.ids())
    assert (5, 0) == (len(buried), len(left))


async def test_what_would_count_twice_needs_a_yes(tmp_path: Path) -> None:
    """A vendor that remembers our ids, or to whom saying it again is nothing, needs none."""
    path = tmp_path / "hub.toml"
    path.write_text(
        f"[log]\nkind = 'sqlite'\npath = '{tmp_path / 'hub.db'}'\n"
        "[destinations.crm]\nvendor = 'hubspot'\n"
        "[destinations.crm.settings]\naccess_token = 'pat-eu1-xxxxxxxxxxxxxxxxxxxxxxxx'\n"
    )
    with pytest.raises(Misconfigured, match="counts twice"):
        await say(parser, str(path), "replay", "--destination", "crm", "--all")


async def test_a_log_that_goes_away_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By a sentence and status 1, without a traceback."""
    settings = load(DestinationsSettings, Path(config(tmp_path, "http://127.0.0.1:1/")))
    with pytest.raises(SystemExit, match="1"):
        async with log_of(settings, asyncio.Event()):
            raise LogUnavailable("the log is away")

    assert "the log is away\n" == capsys.readouterr().err


async def test_a_named_replay_has_times_that_stay(tmp_path: Path) -> None:
    """Who goes on tomorrow by the same words must mean the same range."""
    path = config(tmp_path, "http://127.0.0.1:1/")
    words = ("--destination", "hook", "--name", "a", "--from", "2h")
    with pytest.raises(Misconfigured, match="times that stay"):
        await say(parser, path, "replay", *words)


async def test_a_name_is_plain(tmp_path: Path) -> None:
    """It stands in headers and in tables."""
    path = config(tmp_path, "http://127.0.0.1:1/")
    with pytest.raises(Misconfigured, match="letters, digits"):
        await say(parser, path, "replay", "--destination", "hook", "--name", "a b")


def test_a_name_says_what_and_when() -> None:
    """Which is what it is called when nobody calls it otherwise."""
    assert "crm-20261121T100000" == name_of("crm", NOW)


@pytest.mark.parametrize(("text", "found"), [("50", 50.0), ("0.5/s", 0.5)])
def test_a_rate_is_events_a_second(text: str, found: float) -> None:
    """With its unit or without."""
    assert found == rate(text)


@pytest.mark.parametrize("text", ["0", "-1", "inf", "nan", "many"])
def test_what_is_no_rate_is_refused(text: str) -> None:
    """Nothing, endless, or no number."""
    with pytest.raises(ValueError, match=r"rate|float"):
        rate(text)
