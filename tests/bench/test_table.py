"""The table says each line's median, whether it met its goal, and what changed."""

from __future__ import annotations

from dataclasses import replace

from tests.bench.reading import Goal, Line, Reading
from tests.bench.table import cells, compared, drawn

LINE = Line(
    name="ingest",
    beside="bare",
    goal=Goal(0.65, "x"),
    values=(0.5, 0.7, 0.6),
    ours=(Reading(1_000, 2.0, 0.5, store=0.1),),
    theirs=(Reading(4_000, 2.0, 0.5),),
)


def test_a_line_says_its_median_and_its_bounds() -> None:
    """The median of the rounds stands between the least and the most; a goal missed says NO."""
    found = cells(LINE.told())

    assert ["0.6", "0.5", "0.7", "NO", "500", "2,000", "8,000", "100"] == found[3:11]


def test_a_goal_may_be_a_bound_from_above() -> None:
    """What is to be small meets its goal when it is."""
    line = replace(LINE, goal=Goal(0.65, "ms", at_most=True))

    assert "yes" == cells(line.told())[6]


def test_lines_are_compared_by_name_and_companion() -> None:
    """What an earlier report has too is told with its change; what is new is left out."""
    then = {"lines": [LINE.told()]}
    ours = replace(LINE, values=(0.9,))
    now = {"lines": [ours.told(), replace(LINE, beside="prototype").told()]}

    assert ["0.6", "0.9", "+50.0%"] == compared(now, then).splitlines()[-1].split()[-6:-1:2]


def test_a_report_is_drawn_with_a_row_for_each_line() -> None:
    """Below the head and the ruler stands one row for each line."""
    rows = drawn({"lines": 2 * [LINE.told()]}).splitlines()

    assert 4 == len(rows)
