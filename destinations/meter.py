"""How far an errand is, for who watches: a bar on a terminal, else a line now and then."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import Final, TextIO

LINE_SECONDS: Final = 5.0
"""Pause between lines where nobody watches a terminal."""

WIDTH: Final = 24
"""Characters of the bar itself."""


@dataclass(frozen=True, slots=True)
class Far:
    """How far it is: `done` of `total` records, and what became of those that were sent."""

    done: int
    total: int
    delivered: int = 0
    refused: int = 0
    filtered: int = 0
    state: str = "delivering"


def line(far: Far, seconds: float) -> str:
    """One line about it, `seconds` after the beginning."""
    part = min(1.0, far.done / far.total) if far.total else 1.0
    filled = int(part * WIDTH)
    bar = "#" * filled + "-" * (WIDTH - filled)
    rate = (far.delivered + far.refused + far.filtered) / seconds if seconds > 0 else 0.0
    left = far.total - far.done
    words = [
        f"[{bar}] {part:4.0%} {far.done:,}/{far.total:,}",
        f"{rate:,.0f}/s",
        f"{far.delivered:,} delivered",
        f"{far.refused:,} refused",
        f"{far.filtered:,} filtered",
        f"{left:,} left",
    ]
    if far.done and left:
        words.append(f"{_clock(left * seconds / far.done)} to go")
    if far.state != "delivering":
        words.append(far.state)
    return ", ".join(words)


class Meter:
    """Shows it on `stream`. Times are steady seconds."""

    def __init__(self, stream: TextIO, now: float) -> None:
        self._stream = stream
        self._bar = stream.isatty()
        self._began = now
        self._shown = now

    def show(self, far: Far, now: float) -> None:
        """The bar anew, or a line when it is time for one."""
        if self._bar:
            width = shutil.get_terminal_size().columns - 1
            self._say("\r" + line(far, now - self._began)[:width].ljust(width))
        elif now - self._shown >= LINE_SECONDS:
            self._shown = now
            self._say(line(far, now - self._began) + "\n")

    def end(self) -> None:
        """What is written next begins on a line of its own."""
        if self._bar:
            self._say("\n")

    def _say(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}"
