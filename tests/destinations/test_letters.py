"""What was given up on, as a person asks for it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest

from destinations.letters import parser
from hub.settings import Misconfigured
from tests.destinations.commands import config, log_in, say
from tests.destinations.scene import Receiver, accept, plan, received, until, working

Said = pytest.CaptureFixture[str]


async def refuses(_: Sequence[dict[str, Any]]) -> int:
    return 400


async def dead(folder: Path, receiver: Receiver, url: str, count: int, capsys: Said) -> None:
    """So many events that the receiver refused; what was said of it is forgotten."""
    receiver.says = refuses
    log = await log_in(folder)
    await accept(log, count)
    async with working(log, plan(url)):
        await until(lambda: receiver.requests == count)
    await log.close()
    capsys.readouterr()


async def test_they_are_listed_line_by_line(tmp_path: Path, capsys: Said) -> None:
    """Each letter whole, with its place; words choose, and the limit holds."""
    async with received() as (receiver, url):
        path = config(tmp_path, url)
        await dead(tmp_path, receiver, url, 3, capsys)
        await say(parser, path, "deadletters", "list", "--code", "http_400", "--event", "A")
        letters = [orjson.loads(line) for line in capsys.readouterr().out.splitlines()]
        await say(parser, path, "deadletters", "list", "--limit", "2")
        few = capsys.readouterr().out.splitlines()
        await say(parser, path, "deadletters", "list", "--event", "B")
        none = capsys.readouterr().out

    assert ["http_400"] * 3 == [letter["code"] for letter in letters]
    assert {"m-00000", "m-00001", "m-00002"} == {letter["event"]["messageId"] for letter in letters}
    assert 2 == len(few)
    assert "" == none


async def test_they_are_counted_in_a_table(tmp_path: Path, capsys: Said) -> None:
    """By destination, code and event; a line of JSON for each row if that is asked for."""
    async with received() as (receiver, url):
        path = config(tmp_path, url)
        await dead(tmp_path, receiver, url, 3, capsys)
        await say(parser, path, "deadletters", "count")
        table = capsys.readouterr().out.split()
        await say(parser, path, "deadletters", "count", "--json")
        row = orjson.loads(capsys.readouterr().out)

    assert ["3", "hook", "http_400", "A", "3", "open", "dead", "letters"] == table
    assert {"destination": "hook", "code": "http_400", "event": "A", "count": 3} == row


async def test_one_is_shown_with_what_would_be_sent(tmp_path: Path, capsys: Said) -> None:
    """The letter, whether it is open, and the request of a retry without its signature."""
    async with received() as (receiver, url):
        path = config(tmp_path, url)
        await dead(tmp_path, receiver, url, 1, capsys)
        await say(parser, path, "deadletters", "list")
        place = orjson.loads(capsys.readouterr().out)["letter"]
        status = await say(parser, path, "deadletters", "show", place)
        shown = orjson.loads(capsys.readouterr().out)
        missing = await say(parser, path, "deadletters", "show", "1:99")

    assert (0, 1) == (status, missing)
    assert (place, True, "m-00000") == (shown["letter"], shown["open"], shown["id"])
    assert "deliver" == shown["retry"]["action"]
    assert "***" == shown["retry"]["request"]["headers"]["webhook-signature"]


async def test_a_dry_run_sends_nothing(tmp_path: Path, capsys: Said) -> None:
    """It counts."""
    async with received() as (receiver, url):
        path = config(tmp_path, url)
        await dead(tmp_path, receiver, url, 3, capsys)
        words = ("deadletters", "retry", "--destination", "hook", "--dry-run")
        status = await say(parser, path, *words)

    assert (0, "3 open dead letters of hook\n") == (status, capsys.readouterr().out)
    assert 3 == receiver.requests


async def test_a_retry_delivers_and_empties_the_list(tmp_path: Path, capsys: Said) -> None:
    """What is refused again is told, and ends with status 1; once all is taken, nothing is left."""
    async with received() as (receiver, url):
        path = config(tmp_path, url)
        await dead(tmp_path, receiver, url, 3, capsys)
        retry = ("deadletters", "retry", "--destination", "hook", "--rate", "1000/s")
        refused = await say(parser, path, *retry)
        told = capsys.readouterr().out
        receiver.says = None
        taken = await say(parser, path, *retry)
        told += capsys.readouterr().out
        await say(parser, path, "deadletters", "list")
        left = capsys.readouterr().out

    assert (1, 0) == (refused, taken)
    assert "0 delivered, 3 dead again, 0 filtered, 0 left" in told
    assert "3 delivered, 0 dead again, 0 filtered, 0 left" in told
    assert ["m-00000", "m-00001", "m-00002"] == sorted(receiver.ids())
    assert "" == left


async def test_a_wrong_word_is_told(tmp_path: Path) -> None:
    """An instance that is not there, and a place that is none."""
    path = config(tmp_path, "http://127.0.0.1:1/")
    with pytest.raises(Misconfigured, match="no such destination; there are hook"):
        await say(parser, path, "deadletters", "list", "--destination", "crm")
    with pytest.raises(Misconfigured, match="as 3:42"):
        await say(parser, path, "deadletters", "show", "first")
