"""The CPU time that a process has spent, with all that it began."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path


def cpu(pid: int | None) -> float:
    """CPU-seconds, user's and system's, that a process and those it began have spent."""
    return sum(_spent(one) for one in tree(pid)) if pid else 0.0


def tree(pid: int) -> Iterator[int]:
    """A process and all that it began and that live."""
    yield pid
    for told in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in told.read_text().split():
            yield from tree(int(child))


def _spent(pid: int) -> float:
    # The number of another process's clock, as clock_getcpuclockid(3) makes it on Linux: it counts
    # nanoseconds, of threads that ended too, where /proc counts ticks of 10 ms.
    return time.clock_gettime(~pid << 3 | 2)
