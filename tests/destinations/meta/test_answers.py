"""What may be read as a delivery, and what the usage headers ask for."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from destinations.meta import answers
from destinations.spec import Delivered, Heard, Outcome, Reply
from tests.destinations.cases import NOW


def read(reply: Reply, rows: int = 2) -> list[Outcome]:
    return answers.outcomes(reply, [None] * rows, "v26.0", NOW, 60.0)


@given(
    st.integers(200, 599),
    st.recursive(
        st.none() | st.booleans() | st.integers(-5, 300) | st.sampled_from(["", "data[1]"]),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["error", "code", "error_subcode", "message", "events_received", "messages"]
                ),
                inner,
            )
        ),
    ),
)
def test_delivered_is_what_meta_counted(status: int, body: Any) -> None:
    """Only a 2xx without an error that counts as many events as we sent is a delivery."""
    found = read(Reply.of(status, body))
    counted = (
        status < 300
        and isinstance(body, dict)
        and "error" not in body
        and type(body.get("events_received")) is int
        and body["events_received"] == 2
    )

    assert 2 == len(found)
    assert counted == all(isinstance(outcome, Delivered) for outcome in found)


def test_another_version_is_noted() -> None:
    """An ended version is silently replaced; the delivery says so."""
    reply = Reply.of(200, {"events_received": 1, "messages": []}, facebook_api_version="v25.0")

    assert [Delivered("served by v25.0")] == read(reply, 1)


@pytest.mark.parametrize(
    ("header", "value", "seconds"),
    [
        ("x-app-usage", '{"call_count": 79, "total_time": 3, "total_cputime": 1}', 1.6),
        ("x-app-usage", '{"call_count": 75, "total_time": 3, "total_cputime": 1}', 0.0),
        ("x-app-usage", '{"call_count": 28, "total_time": 95, "total_cputime": 1}', 8.0),
        ("x-ad-account-usage", '{"acc_id_util_pct": 100}', 60.0),
        (
            "x-business-use-case-usage",
            '{"1": [{"call_count": 100, "estimated_time_to_regain_access": 4}], "2": []}',
            240.0,
        ),
        (
            "x-business-use-case-usage",
            '{"1": [{"call_count": 100, "estimated_time_to_regain_access": 1e9}]}',
            86_400.0,
        ),
        ("x-app-usage", "{", 0.0),
        ("x-app-usage", '[{"call_count": 100}]', 0.0),
        ("x-app-usage", '{"call_count": "100"}', 0.0),
        ("x-other", '{"call_count": 100}', 0.0),
    ],
)
def test_usage_headers_slow_us_down(header: str, value: str, seconds: float) -> None:
    """From 75 percent on slower and slower, at 100 not before the time that Meta gives."""
    heard = answers.hint(Reply(200, {header: value}), NOW)

    assert Heard(hold=pytest.approx(seconds)) == heard
