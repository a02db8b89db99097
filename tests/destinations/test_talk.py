"""Requests and replies, and what they mean where a vendor says nothing better."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from destinations.outcome import Barred, Busy, Delivered, Failed, Refused
from destinations.talk import (
    Account,
    Reply,
    Request,
    Unreadable,
    all_rows,
    by_status,
    date_of,
    retry_after,
)
from hub.clock import FakeClock
from tests.destinations.invented import NOW


def test_a_reply_is_read_as_json() -> None:
    """A sandbox's reply reads back as it was made, with its headers in HTTP's spelling."""
    reply = Reply.of(207, {"a": [1]}, retry_after="3")

    assert {"a": [1]} == reply.json() == reply.object()
    assert {"content-type": "application/json", "retry-after": "3"} == reply.headers
    assert (b"", {}) == (Reply.of(204).body, Reply.of(204).headers)
    assert {"q": 1} == Request("POST", "/", body=b'{"q":1}').json()


@pytest.mark.parametrize("body", [b"", b"{", b"<html>", b"\xff"])
def test_what_is_no_json_is_unreadable(body: bytes) -> None:
    """A body that cannot be read raises, and never reads as nothing."""
    with pytest.raises(Unreadable):
        Reply(200, {}, body).json()


@pytest.mark.parametrize("body", [b"[]", b"null", b"7", b'"x"'])
def test_what_is_no_object_is_unreadable(body: bytes) -> None:
    """A promised object that is something else raises."""
    with pytest.raises(Unreadable):
        Reply(200, {}, body).object()


def test_ok_is_2xx() -> None:
    """Exactly the statuses from 200 to 299."""
    assert list(range(200, 300)) == [s for s in range(100, 600) if Reply(s).ok]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("7", 7.0),
        (" 1.5 ", 1.5),
        ("0", 0.0),
        ("-3", 0.0),
        ("1e9", 86_400.0),
        ("inf", 86_400.0),
        ("nan", 5.0),
        ("soon", 5.0),
        ("", 5.0),
        ("Sat, 21 Nov 2026 10:00:09 GMT", 9.0),
        ("Sat, 21 Nov 2026 09:00:00 GMT", 0.0),
        ("Sat, 21 Nov 2099 10:00:00 GMT", 86_400.0),
        ("Mon, 01 Jan 99999999999999999999 00:00:00 GMT", 5.0),
        ("Mon, 01 Jan 2026 00:00:00 +99999999999999999999", 5.0),
    ],
)
def test_retry_after_is_read(said: str, expected: float) -> None:
    """Seconds or an HTTP date, within a day; what cannot be read is the default."""
    assert expected == retry_after(Reply(429, {"retry-after": said}), NOW, default=5.0)


def test_no_retry_after_is_the_default() -> None:
    """Without the header the vendor's usual wait counts."""
    assert 5.0 == retry_after(Reply(429), NOW, default=5.0)


@given(st.text() | st.from_regex(r"[A-Z][a-z]{2}, \d{1,3} [A-Z][a-z]{2} \d{1,20} \d+:\d+ [+-]\d+"))
def test_no_retry_after_surprises(said: str) -> None:
    """Whatever a header holds, the wait is within 0 and a day."""
    assert 0.0 <= retry_after(Reply(429, {"retry-after": said}), NOW, default=5.0) <= 86_400.0


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (200, Failed("unreadable_reply")),
        (204, Failed("unreadable_reply")),
        (302, Failed("http_3xx")),
        (400, Refused),
        (401, Barred),
        (403, Barred),
        (404, Barred),
        (408, Failed("http_408")),
        (409, Refused),
        (413, Refused),
        (415, Refused),
        (418, Failed("http_4xx")),
        (422, Refused),
        (425, Failed("http_425")),
        (429, Busy(5.0)),
        (500, Failed("http_500")),
        (503, Failed("http_503")),
        (599, Failed("http_5xx")),
    ],
)
def test_a_status_has_one_meaning(status: int, expected: Any) -> None:
    """Where the body says nothing: later, never, not let in, or failed; never delivered."""
    found = by_status(Reply(status), NOW)
    if isinstance(expected, type):
        assert expected is type(found)
        assert isinstance(found, Refused | Barred)
        assert found.code == ("unauthorised" if status == 401 else f"http_{status}")
        assert str(status) in found.reason
    else:
        assert expected == found


def test_only_401_may_be_a_stale_token() -> None:
    """A new token opens no door that permission keeps shut."""
    found = [by_status(Reply(status), NOW) for status in (401, 403, 404)]

    assert [True, False, False] == [b.stale_token for b in found if isinstance(b, Barred)]


def test_a_failure_keeps_the_vendors_wish() -> None:
    """Retry-After of a 503 travels with the failure, of a 429 with the hold."""
    assert Failed("http_503", 7.0) == by_status(Reply(503, {"retry-after": "7"}), NOW)
    assert Busy(7.0) == by_status(Reply(429, {"retry-after": "7"}), NOW)


@given(st.integers(100, 599))
def test_codes_are_bounded(status: int) -> None:
    """No status makes a label of its own, beyond those that are known."""
    found = by_status(Reply(status), NOW)
    if isinstance(found, Failed):
        known = {408, 423, 425, 477, 500, 501, 502, 503, 504, 521, 522, 523, 524}
        classes = {f"http_{n}xx" for n in range(1, 6)}

        assert found.reason in {f"http_{s}" for s in known} | classes | {"unreadable_reply"}


def test_one_outcome_for_each_row() -> None:
    """As many as there are rows."""
    assert [Delivered()] * 3 == all_rows(Delivered(), "abc")
    assert [] == all_rows(Delivered(), [])


def test_notes_go_stale() -> None:
    """What was noted is known until its time, or until it is forgotten."""
    clock = FakeClock(100.0)
    account: Account[None] = Account(None, clock.now)
    account.note("catalogue", ["email"], 60.0)
    before = account.recall("catalogue"), account.recall("other"), account.now
    clock.advance(59.9)
    still = account.recall("catalogue")
    clock.advance(0.1)

    assert (["email"], None, 100.0) == before
    assert ["email"] == still
    assert None is account.recall("catalogue")


def test_notes_can_be_forgotten() -> None:
    """Forgetting asks anew, also what was never known."""
    account: Account[None] = Account(None, FakeClock().now)
    account.note("catalogue", 1, 60.0)
    account.forget("catalogue")
    account.forget("catalogue")

    assert None is account.recall("catalogue")


@pytest.mark.parametrize(
    ("headers", "date"),
    [
        ({"date": "Sat, 21 Nov 2026 10:00:00 GMT"}, 1_795_255_200.0),
        ({"date": "yesterday"}, None),
        ({"date": "Sat, 99 Nov 2026 10:00:00 GMT"}, None),
        ({}, None),
    ],
)
def test_a_reply_tells_its_time(headers: dict[str, str], date: float | None) -> None:
    """In the form that HTTP has for it, and nothing else is taken for a time."""

    assert date == date_of(Reply(200, headers))
