"""Bytes that were compressed, or say so."""

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.receive import inflate


@given(st.binary(max_size=2_000), st.sampled_from(["", "gzip", "identity", "br"]))
def test_gzip_is_known_by_its_bytes(text: bytes, encoding: str) -> None:
    """Whatever the header says, or does not."""
    assert (text, "") == inflate(gzip.compress(text), encoding)


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "deflate", "identity", ""])
def test_what_a_proxy_has_inflated_is_taken_as_it_is(encoding: str) -> None:
    """Some leave the header."""
    assert (b'{"a":1}', "") == inflate(b'{"a":1}', encoding)


def test_members_of_gzip_are_joined() -> None:
    """As gzip says."""
    assert (b"ab", "") == inflate(gzip.compress(b"a") + gzip.compress(b"b"), "gzip")


@pytest.mark.parametrize(
    ("raw", "encoding"),
    [
        (gzip.compress(b"abc")[:-1], "gzip"),
        (gzip.compress(b"abc") + b"rest", "gzip"),
        (b"\x1f\x8b\x08\x00broken", ""),
        (zlib.compress(b"abc")[:-3], "deflate"),
        (b"x", "br"),
        (b"x", "gzip, gzip"),
    ],
)
def test_what_is_broken_is_told(raw: bytes, encoding: str) -> None:
    """And never raised."""
    assert "bad_encoding" == inflate(raw, encoding)[1]


def test_a_bomb_is_not_inflated() -> None:
    """A little more than the limit, whatever it would become."""
    text, fault = inflate(gzip.compress(bytes(50_000_000)), "gzip")

    assert "body_too_large" == fault
    assert len(text) < 2_200_000


@given(st.binary(), st.text())
def test_no_bytes_break_it(raw: bytes, encoding: str) -> None:
    """Whatever they call themselves."""
    inflate(raw, encoding)
    inflate(b"\x1f\x8b" + raw, encoding)
    inflate(raw, "deflate")
