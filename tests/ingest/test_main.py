"""The command line."""

import re
import subprocess
import sys
from pathlib import Path

import orjson
import pytest

from hub.log import REJECTED
from hub.log.opening import open_log
from hub.log.settings import SqliteLog
from hub.process import run
from ingest.__main__ import main
from ingest.keys import hash_of
from ingest.rejected import whole
from tests.ingest.scenes import KEY, NOW

HOUSE = Path(__file__).parents[2]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Settings of one source over a SQLite file."""
    path = tmp_path / "hub.toml"
    path.write_text(
        f'[log]\nkind = "sqlite"\npath = "{tmp_path}/hub.db"\n'
        f'[sources.shop]\nkeys = ["{hash_of(KEY)}"]\n'
    )
    return path


def test_a_key_is_shown_once_with_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    """The line holds the hash of the key that is shown, and not the key."""
    assert 0 == main(["keys", "new", "shop"])
    said = capsys.readouterr().out
    key = re.search(r"once: (\w{32})$", said, re.MULTILINE)

    assert key is not None
    assert f'[sources.shop]\nkeys = ["{hash_of(key[1])}"]\n' == said.partition("\n\n")[2]


def test_settings_are_checked(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All faults, and status 2."""
    assert 0 == main(["check", "--config", str(config)])
    config.write_text('[ingest]\nport = "x"\n[sources.shop]\nkeys = []\nplan = "nowhere"\n')
    assert 2 == main(["--config", str(config), "check"])

    assert {"ingest.port", "sources.shop.keys"} == {
        line.partition(":")[0] for line in capsys.readouterr().err.splitlines()
    }


def test_refused_events_are_listed(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line of JSON each."""

    async def filled() -> int:
        log = await open_log(SqliteLog(path=tmp_path / "hub.db"))
        for number in range(3):
            entry = whole("malformed_json", b"%d" % number).entry("shop", NOW, None)
            await log.append(REJECTED, [entry])
        await log.close()
        return 0

    run(filled())
    command = ["rejected", "--config", str(config), "--source", "shop", "--limit", "2"]
    assert 0 == main([*command, "--from", "2020-01-01T00:00:00Z"])
    lines = capsys.readouterr().out.splitlines()

    assert ["0", "1"] == [orjson.loads(line)["raw"] for line in lines]
    assert 2 == main([*command, "--from", "yesterday"])


@pytest.mark.parametrize(("spool", "status"), [("enabled = false", 1), ('path = "hub.toml/x"', 2)])
def test_a_kafka_that_is_away_stops_the_start_without_a_spool(
    config: Path, spool: str, status: int
) -> None:
    """One that is switched off, or that cannot be opened; in one sentence."""
    config.write_text(
        '[log]\nkind = "kafka"\nbootstrap_servers = "127.0.0.1:1"\n'
        f"[ingest]\nport = 0\n[ingest.spool]\n{spool}\n"
        f'[sources.shop]\nkeys = ["{hash_of(KEY)}"]\n'
    )
    command = [sys.executable, "-m", "ingest", "--config", str(config)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, cwd=HOUSE)

    assert status == ended.returncode
    assert 1 == len(ended.stderr.splitlines())
