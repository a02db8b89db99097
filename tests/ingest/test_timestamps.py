"""When it happened, by the sender's clock and ours."""

from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ingest.timestamps import corrected, iso_of, milliseconds_of, written_moment

AT = 1_795_255_200_000


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("2026-11-21T10:00:00Z", AT),
        ("2026-11-21T10:00:00", AT),
        ("2026-11-21 10:00:00.1+00:00", AT + 100),
        ("2026-11-21T10:00:00.999999999Z", AT + 999),
        ("2026-11-21T02:00:00-08:00", AT),
        (AT, AT), (AT / 1_000, AT), (AT * 1_000, AT), (AT * 1_000_000, AT), (str(AT), AT),
        ("0001-01-01T00:00:00Z", None), ("0001-01-01T00:00:00+14:00", None),
        ("9999-12-31T23:59:59-14:00", None), ("", None), ("x" * 1_000, None), ("nan", None),
        ("inf", None), (float("inf"), None), (0, None), (-5, None), (True, None), (None, None),
        ([], None), ({}, None), (10**400, None),
    ],
)  # fmt: skip
def test_times_are_read_or_not_there(value: object, read: int | None) -> None:
    """What cannot be read is a time not given, and never an error."""
    assert read == milliseconds_of(value)


@given(st.text() | st.floats() | st.integers() | st.datetimes().map(str))
def test_no_value_breaks_the_reading(value: object) -> None:
    """What is read can be written."""
    read = milliseconds_of(value)

    assert read is None or 24 == len(iso_of(read))


@given(st.datetimes(min_value=datetime(1970, 1, 2), timezones=st.just(UTC)))
def test_what_we_write_we_read(moment: datetime) -> None:
    """To the millisecond."""
    written = iso_of(milliseconds_of(moment.isoformat()) or 0)

    assert moment.isoformat(timespec="milliseconds").replace("+00:00", "Z") == written


@given(st.from_regex(r"[0-9W٣ -]{10}[T ][0-9:+٣]{8}\.[0-9٣]{3}[Z+]", fullmatch=True))
@example("2026-11-21T10:00:00.123Z")
@example("2026-11-21T10:00+01.123Z")
@example("2026-W47-6T10:00:00.123Z")
@example("2026-11-21T24:00:00.123Z")
@example("0999-12-31T23:59:59.999Z")
@example("9999-12-31T23:59:59.999Z")
def test_the_usual_form_is_read_as_any_other(text: str) -> None:
    """Nothing has a meaning in it that it has not with a space before it."""
    assert milliseconds_of(" " + text) == milliseconds_of(text)


@pytest.mark.parametrize(
    ("own", "sent", "options", "at"),
    [
        (None, AT, {}, AT),
        (AT - 5, None, {}, AT - 5),
        (AT - 3_600_005, AT - 3_600_000, {}, AT - 5),
        (AT - 9, AT - 9, {}, AT - 9),
        (AT - 9, AT - 3, {"retried": True}, AT - 9),
        (AT - 9, AT - 3, {"correct": False}, AT - 9),
        (AT + 9, None, {}, AT),
        (AT - 3, AT - 9, {}, AT),
    ],
)
def test_the_correction(
    own: int | None, sent: int | None, options: dict[str, bool], at: int
) -> None:
    """The formula, its exceptions, and never later than the receipt."""
    assert at == corrected(own, sent, AT, **({"retried": False} | options))


@pytest.mark.parametrize(
    "text", ["2026-11-21T10:00:00.000Z", "2024-02-29T23:59:59.999Z", "1000-01-01T00:00:00.001Z"]
)
def test_a_time_as_we_write_it_stays_as_it_is(text: str) -> None:
    """What is read of it is written as the same letters again."""
    moment = written_moment(text)

    assert moment is not None
    assert text == iso_of(moment)


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-21T24:00:00.000Z",
        "2026-02-29T10:00:00.000Z",
        "2026-11-21t10:00:00.000Z",
        "2026-11-21 10:00:00.000Z",
        "2026-11-21T10:00:00.000z",
        "2026-11-21T10:00:00,000Z",
        "2026-11-21T10:00:00.0000",
        "202\u0666-11-21T10:00:00.000Z",
        "0999-12-31T23:59:59.999Z",
        "",
    ],
)
def test_another_time_is_not_as_we_write_it(text: str) -> None:
    """A letter, a digit or a day that we would write otherwise, or not at all."""
    assert None is written_moment(text)
