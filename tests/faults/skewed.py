"""Runs a program on a clock that can be stepped while it runs, without touching the machine's.

`python -m tests.faults.skewed FILE MODULE ARGUMENTS...`: `time.time` is ahead by the seconds that
stand in FILE, eight bytes that `step` writes; what only grows (`time.monotonic`) is as it was, as
when an administrator sets a machine's clock. This is the only fault of the suite that is not real,
since setting the clock takes rights, and would step it for everybody.
"""

from __future__ import annotations

import mmap
import runpy
import struct
import sys
import time
from pathlib import Path

SECONDS = struct.Struct("d")


def step(file: Path, seconds: float) -> None:
    """Let every program that runs on this file be ahead by `seconds` from now on."""
    with file.open("r+b" if file.exists() else "w+b") as opened:
        opened.write(SECONDS.pack(seconds))


def main() -> None:
    """Step the clock, and be the module."""
    _, file, module, *arguments = sys.argv
    with Path(file).open("rb") as opened:
        ahead = mmap.mmap(opened.fileno(), SECONDS.size, access=mmap.ACCESS_READ)
    true = time.time
    time.time = lambda: true() + SECONDS.unpack(ahead)[0]
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
