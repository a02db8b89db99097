"""A clock that is stepped while a program runs on it."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

import pytest

from tests.faults.skewed import step
from tests.faults.stage import HOUSE

HOUR = 3_600.0

PROGRAM = "import time; print(time.time(), time.monotonic())\n"


@pytest.mark.timeout(60)
async def test_a_clock_is_stepped_under_a_program(tmp_path: Path) -> None:
    """What is the time changes with each step; what only grows does not."""
    file = tmp_path / "clock"
    step(file, 0.0)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.faults.skewed", str(file), "code", "-q"),
        cwd=HOUSE,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    hours = []
    steady = []
    for ahead in (0.0, HOUR, -HOUR):
        step(file, ahead)
        process.stdin.write(PROGRAM.encode())
        now, counter = map(float, (await process.stdout.readline()).split()[-2:])
        hours.append(round((now - time.time()) / HOUR))
        steady.append(counter)
    process.stdin.close()
    await process.wait()

    assert [0, 1, -1] == hours
    assert sorted(steady) == steady
    assert steady[-1] - steady[0] < HOUR
