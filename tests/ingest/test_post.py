"""What a body asks is known before anyone knows whose it is."""

from __future__ import annotations

import orjson
import pytest

from ingest.envelope import Envelope
from ingest.post import Asked, asked_by, parsed_by
from ingest.receive import Body
from tests.ingest.scenes import KEY, track


def asked(type_: str | None, text: bytes, fault: str = "") -> Asked:
    return asked_by(type_, Body(text, len(text), fault))


@pytest.mark.parametrize("more", [{}, {"userId": 5}])
@pytest.mark.parametrize("batched", [False, True])
def test_its_key_and_its_items(batched: bool, more: dict[str, object]) -> None:
    """Whether its events may be plain, or have to be parsed."""
    body = {"batch": [track(**more)] * 2} if batched else track(**more)
    found = asked(None if batched else "track", orjson.dumps({**body, "writeKey": KEY}))

    assert (KEY, 1 + batched, "") == (found.key, len(found.items), found.fault)
    assert (bool(more), not more) == (bool(found.envelope.items), found.plain is not None)


@pytest.mark.parametrize("batched", [False, True])
def test_what_may_be_plain_can_be_parsed_all_the_same(batched: bool) -> None:
    """When one of its events turns out not to be."""
    type_ = None if batched else "track"
    text = orjson.dumps({"batch": [track()], "writeKey": KEY} if batched else track(writeKey=KEY))
    plain, parsed = asked(type_, text), parsed_by(type_, text)

    assert plain.plain is not None
    assert (plain.key, len(plain.items), None) == (parsed.key, len(parsed.items), parsed.plain)
    assert Envelope(()) == plain.envelope


@pytest.mark.parametrize(
    ("text", "detail"), [(b"{", "at line 1, column 2"), (b"[]", "must be an object")]
)
@pytest.mark.parametrize("type_", [None, "page"])
def test_what_nobody_can_read(type_: str | None, text: bytes, detail: str) -> None:
    """It says why, and asks nothing."""
    assert Asked(fault="malformed_json", detail=detail) == asked(type_, text)


def test_a_body_with_a_fault_is_not_read() -> None:
    """It is too large, or not what its header says."""
    assert Asked(fault="body_too_large") == asked("track", orjson.dumps(track()), "body_too_large")
