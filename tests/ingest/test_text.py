"""Bytes to JSON, or to the place where it breaks."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.text import DEPTH, Malformed, depth_of, parse, sound


def nested(levels: int) -> bytes:
    return b"[" * levels + b"]" * levels


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (b"", "at line 1, column 1"),
        (b'{"a":\n  nope}', "at line 2, column 3"),
        (b'{"a":"\xff"}', "no UTF-8 at line 1, column 7"),
        (b'{"a":"\xed\xa0\x80"}', "no UTF-8 at line 1, column 7"),
        (nested(DEPTH + 1), "deeper than 1,000 levels at line 1, column 1001"),
        (
            b'["[[["' + b"," + nested(DEPTH) + b"]",
            "deeper than 1,000 levels at line 1, column 1007",
        ),
        (nested(5_000), "deeper than 1,000 levels at line 1, column 1001"),
    ],
)
def test_the_place_is_named(text: bytes, place: str) -> None:
    """And nothing of the text."""
    with pytest.raises(Malformed) as raised:
        parse(text)

    assert place == str(raised.value)


def test_a_thousand_levels_pass() -> None:
    """Counted in objects and lists."""
    assert DEPTH == depth_of(parse(nested(DEPTH)))


def test_a_byte_order_mark_is_forgiven() -> None:
    """.NET writes one."""
    assert {"a": 1} == parse(b'\xef\xbb\xbf{"a":1}')


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (rb'"\ud83d"', "\ufffd"),
        (rb'"\ude00"', "\ufffd"),
        (rb'"\ud83d\ud83d\ude00\ude00"', "\ufffd😀\ufffd"),
        (rb'"\\ud83d \ud83d"', "\\ud83d \ufffd"),
        (rb'"\\\ud83d"', "\\\ufffd"),
        (rb'"\ud83dx\ude00"', "\ufffdx\ufffd"),
    ],
)
def test_lone_surrogates_become_the_replacement(text: bytes, value: str) -> None:
    """Pairs stay, and so does escaped text that only looks like one."""
    assert value == parse(text)


@given(st.text(st.characters(exclude_categories=())))
def test_any_text_that_json_can_escape_is_read(text: str) -> None:
    """As Python's own JSON writes it, lone surrogates and all."""
    clean = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")

    assert clean == parse(json.dumps(text).encode())


@given(st.binary())
def test_bytes_are_json_or_malformed(text: bytes) -> None:
    """Nothing else is raised."""
    with contextlib.suppress(Malformed):
        parse(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b'{"a":[1e300,"1e999"]}', True),
        (b'{"a":1e999}', False),
        (b"1" * 400, False),
        (b'{"a":"\xff"}', False),
        (b'[%b,"%b"]' % (nested(900), b"x" * 3_000), True),
        (nested(DEPTH - 3), True),
        (nested(DEPTH - 2), False),
    ],
)
def test_what_is_sound(text: bytes, expected: bool) -> None:
    """What any reader can parse."""
    assert expected == sound([text])
    assert expected == sound([b"{}", text, b"{}"])
