"""Every row of the drop-in checklist, and every point seen on the wire, has a test of its name."""

import re
from pathlib import Path

LEFT_OUT = {21, 31, 62}
"""OAuth, serving analytics.js itself, and the spool."""


def named(prefix: str) -> set[int]:
    texts = [path.read_text() for path in Path(__file__).parent.glob("test_*.py")]
    return {int(number) for text in texts for number in re.findall(prefix + r"_(\d\d)_", text)}


def test_every_row_is_named() -> None:
    """1 to 66, but for those that are left out."""
    assert set(range(1, 67)) - LEFT_OUT == named("def test_row")


def test_every_point_of_the_wire_is_named() -> None:
    """1 to 14."""
    assert set(range(1, 15)) == named("def test_wire")
