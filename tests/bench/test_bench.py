"""The bench runs from end to end, and its table and JSON agree; no number is asserted."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import orjson
import pytest

from tests.bench import table
from tests.bench.processes import HOUSE


@pytest.mark.timeout(300)
async def test_a_quick_run_ends_in_a_table_and_its_json(tmp_path: Path) -> None:
    """A quick run loses nothing, prints its lines as a table, and writes them as JSON."""
    told = tmp_path / "bench.json"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.bench", "--quick", "--only", "latency-sqlite"),
        *("--json", str(told)),
        cwd=HOUSE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await process.communicate()

    assert 0 == process.returncode, out.decode()
    assert table.drawn(orjson.loads(told.read_bytes())) in out.decode()
