"""Whose key it is."""

import base64
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.settings import Misconfigured
from ingest.keys import hash_of
from ingest.settings import SourceSettings
from ingest.sources import Source, Sources, key_in_header, key_in_text, without_keys
from tests.ingest.scenes import KEY, OTHER, UNKNOWN


def source(**settings: object) -> SourceSettings:
    return SourceSettings(**({"keys": (hash_of(KEY), hash_of(OTHER))} | settings))


def test_each_key_finds_its_source() -> None:
    """And no other key does, nor a hash."""
    sources = Sources.of({"shop": source()}, Path())

    assert ["shop", "shop"] == [sources.find(key).name for key in (KEY, OTHER)]  # type: ignore[union-attr]
    assert [None] * 3 == [sources.find(key) for key in (UNKNOWN, "", hash_of(KEY))]


def test_long_keys_leave_nothing_behind() -> None:
    """A stranger's body may hold a key of half a megabyte; what is remembered stays small."""
    long = "k" * 1_000
    sources = Sources.of({"shop": source(keys=(hash_of(long),))}, Path())
    found = sources.find(long)
    tracemalloc.start()
    for n in range(100):
        sources.find(f"{n}{'x' * 100_000}")
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert found is not None
    assert held < 1_000_000


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    """Plans that cannot be read, keys of two sources, rules without a plan."""
    (tmp_path / "broken.json").write_text("{")
    with pytest.raises(Misconfigured) as raised:
        Sources.of(
            {
                "a": source(plan=Path()),
                "b": source(unplanned="refuse"),
                "c": source(keys=(hash_of(UNKNOWN),), plan=Path("nowhere")),
            },
            tmp_path,
        )

    assert [
        "sources.a.plan",
        "sources.b.keys.0",
        "sources.b.keys.1",
        "sources.b.unplanned",
        "sources.c.plan",
    ] == [fault.path for fault in raised.value.faults]


@pytest.mark.parametrize(
    ("header", "key"),
    [
        (None, None),
        ("", None),
        ("Bearer abc", None),
        ("Basic", None),
        ("Basic !!!", None),
        ("basic " + base64.b64encode(b"key:").decode(), "key"),
        ("Basic  " + base64.b64encode(b"key").decode().rstrip("="), "key"),
        ("Basic " + base64.b64encode(b"key:pass:word").decode(), "key"),
        ("Basic " + base64.b64encode(b":password").decode(), None),
    ],
)
def test_keys_in_headers(header: str | None, key: str | None) -> None:
    """The name, whatever the password."""
    assert key == key_in_header(header)


@given(st.text())
def test_no_header_breaks_it(header: str) -> None:
    """Whatever it is."""
    key_in_header("Basic " + header)
    key_in_header(header)


def test_keys_in_broken_texts() -> None:
    """Found to charge the source, and taken out of what is kept."""
    text = b'{"batch": [{"writeKey" : "k1"}, {"writeKey":"k2"'

    assert "k1" == key_in_text(text)
    assert b'{"batch": [{"writeKey":""}, {"writeKey":""' == without_keys(text)


@pytest.mark.parametrize(
    ("rule", "origin", "allowed"),
    [
        ("*", "https://x.example", True),
        ("*", "null", True),
        ("https://shop.example", None, True),
        ("https://shop.example", "https://SHOP.example", True),
        ("https://shop.example", "http://shop.example", False),
        ("https://shop.example", "https://shop.example.evil", False),
        ("https://*.shop.example", "https://a.shop.example", True),
        ("https://*.shop.example", "https://.shop.example", False),
        ("https://*.shop.example", "https://shop.example", False),
        ("https://*.shop.example", "https://evil/.shop.example", False),
        ("https://shop.example", "null", False),
    ],
)
def test_origins(rule: str, origin: str | None, allowed: bool) -> None:
    """Exact, or with one star for part of a host."""
    assert allowed == Source("shop", source(origins=(rule,))).allows(origin)
