"""Times as a person says them."""

from __future__ import annotations

import pytest

from hub.log.moment import moment


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("start", 0.0),
        ("15m", 99_100.0),
        ("2h", 92_800.0),
        ("1.5s", 99_998.5),
        ("1970-01-01T01:00:00Z", 3_600.0),
        ("1970-01-01T01:00:00+01:00", 0.0),
        ("1970-01-02", 86_400.0),
    ],
)
def test_times_are_read(text: str, expected: float) -> None:
    """A time is the start, an age, or ISO 8601, in UTC unless it says."""
    assert expected == moment(text, 100_000.0)


@pytest.mark.parametrize("text", ["", "m", "15", "-5m", "tomorrow", "2026-13-01"])
def test_what_is_no_time_is_refused(text: str) -> None:
    """What is no time raises ValueError that says what is one."""
    with pytest.raises(ValueError, match="15m"):
        moment(text, 100_000.0)
