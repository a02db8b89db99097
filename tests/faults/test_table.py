"""The table of a run, and what one dead destination costs the others."""

from __future__ import annotations

from dataclasses import replace

from tests.faults.checker import Verdict
from tests.faults.play import Line
from tests.faults.table import comparison, faults, quantile, table

KNOWN = Verdict("orders", True, 100, 99, ["u1-4"], [], [], [], [], 2.0)
NAIVE = Verdict("copies", False, 100, 100, [], [], ["u1-5", "u1-6"], [], [], 7.25)
SOUND = replace(KNOWN, delivered=100, lost=[])
LINE = Line(
    scenario="broker-killed",
    seed=2,
    log="kafka",
    verdicts=[KNOWN, NAIVE],
    once=False,
    patience=float("inf"),
    peak=120_000_000,
    seconds=61.4,
    troubles=[],
    delays={"orders": [0.01, 0.02]},
)


def test_a_line_tells_the_worst_of_all_vendors() -> None:
    """The fewest delivered, all that is lost, what was seen twice by either kind, and the longest
    stall with its destination.
    """
    row = [cell.strip() for cell in table([LINE]).splitlines()[2].strip("|").split("|")]

    assert ["broker-killed", "kafka", "2", "100", "99", "1", "0", "0", "2", "0"] == row[:10]
    assert ["7.2 copies", "120", "61", "BROKEN"] == row[10:]


def test_a_broken_line_names_what_broke() -> None:
    """A few ids of each kind, by destination."""
    assert "orders: 1 lost, as ['u1-4']" in faults(LINE)


def test_a_line_is_sound_when_all_promises_are_kept() -> None:
    """Nothing lost; and where a scenario says so, nothing seen twice and no long stall."""
    kept = replace(LINE, verdicts=[SOUND, NAIVE])

    assert (True, False) == (kept.sound, LINE.sound)
    assert not replace(kept, once=True).sound
    assert not replace(kept, patience=5.0).sound
    assert not replace(kept, troubles=["ingest-1 ended with 1"]).sound


def test_a_comparison_sets_two_runs_side_by_side() -> None:
    """The median and the last hundredth of each destination, without and with one that is dead."""
    dead = replace(LINE, delays={"orders": [0.01, 0.03]})
    row = [cell.strip() for cell in comparison(LINE, dead).splitlines()[2].strip("|").split("|")]

    assert ["orders", "20", "30", "20", "30", "1.50"] == row


def test_a_quantile_is_one_of_the_values() -> None:
    """The value below which that share lies."""
    values = [float(n) for n in range(100)]

    assert (0.0, 50.0, 99.0) == tuple(quantile(values, share) for share in (0.0, 0.5, 0.99))
