"""How far an errand is, for who watches."""

from __future__ import annotations

import io

from destinations.meter import LINE_SECONDS, Far, Meter, line


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_line_says_how_far_it_is() -> None:
    """Done and in all, how fast, what came of it, what is left and for how long."""
    told = line(Far(500, 2_000, 400, 20, 30), 10.0)

    assert (
        "[######------------------]  25% 500/2,000, 45/s, 400 delivered, 20 refused, 30 filtered,"
        " 1,500 left, 0:00:30 to go"
    ) == told


def test_nothing_is_divided_by_nothing() -> None:
    """At the beginning, and of an empty range."""
    assert "  0% 0/9" in line(Far(0, 9), 0.0)
    assert "100% 0/0" in line(Far(0, 0), 0.0)


def test_trouble_is_named() -> None:
    """Why nothing moves, when nothing does."""
    assert line(Far(1, 9, state="vendor_away"), 1.0).endswith("vendor_away")


def test_a_terminal_has_a_bar() -> None:
    """It is written over each time, and a line follows at the end."""
    terminal = Terminal()
    meter = Meter(terminal, 0.0)
    meter.show(Far(1, 2), 1.0)
    meter.show(Far(2, 2), 2.0)
    meter.end()

    assert 2 == terminal.getvalue().count("\r[")
    assert terminal.getvalue().endswith("\n")


def test_elsewhere_there_are_lines_now_and_then() -> None:
    """A file is not filled with bars."""
    lines = io.StringIO()
    meter = Meter(lines, 0.0)
    for tick in range(int(LINE_SECONDS * 8) + 1):
        meter.show(Far(tick, 100), tick / 4)
    meter.end()

    assert 2 == len(lines.getvalue().splitlines())
