"""CONTRIBUTING's recipe for a vendor, followed to the letter in a copy of the house."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.plan import HOUSE


@pytest.mark.timeout(300)
def test_a_vendor_touches_one_folder(tmp_path: Path) -> None:
    """A fifth vendor is one new folder: the copy's contract suite finds it and is green."""
    files = ["destinations", "hub", "schemas", "tests", "pyproject.toml"]
    for name in files:
        kept = shutil.ignore_patterns("__pycache__", "node_modules")
        source = HOUSE / name
        if source.is_dir():
            shutil.copytree(source, tmp_path / name, ignore=kept)
        else:
            shutil.copy(source, tmp_path / name)
    folder = tmp_path / "destinations" / "acme"
    shutil.copytree(tmp_path / "destinations" / "webhook", folder)
    (folder / "webhook.py").rename(folder / "acme.py")
    declared = (folder / "acme.py").read_text("utf-8")
    (folder / "acme.py").write_text(re.sub(r'name="webhook"', 'name="acme"', declared))

    suites = ["tests/destinations/test_contract.py", "tests/house/test_laws.py"]
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-k", "acme", "-p", "no:cacheprovider", *suites],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    passed = re.search(r"(\d+) passed", ran.stdout)

    assert 0 == ran.returncode, ran.stdout[-3_000:]
    assert passed is not None
    assert 30 < int(passed[1])
