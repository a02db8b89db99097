"""Meta's hashes: as its SDK makes them, and where we mean to differ."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from facebook_business.adobjects.serverside.normalize import Normalize
from hypothesis import given
from hypothesis import strategies as st

from destinations.meta import identity
from destinations.spec import Unfit, forms

EMPTY = hashlib.sha256(b"").hexdigest()
FIELDS = identity.fields("US", "keep", True)
NORMAL = {
    "em": forms.email,
    "ph": identity.phone("US"),
    "fn": identity.name("keep"),
    "ln": identity.name("remove"),
    "ge": identity.gender,
    "db": identity.birthday,
    "ct": identity.city,
    "st": identity.state,
    "zp": identity.postcode,
    "country": identity.country,
}


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def ours(field: str, value: Any) -> str | None:
    """The one hash that we send for a value; None where we leave it out."""
    form = FIELDS[field].form
    assert form is not None
    found = form(value)
    return found[0] if found else None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("em", "alice@example.com"),
        ("em", "  Alice@Example.COM "),
        ("em", "jane.doe+tag@gmail.com"),
        ("em", "jürgen@example.de"),
        ("em", sha("alice@example.com")),
        ("em", sha("alice@example.com").upper()),
        ("ph", "+1 (555) 444-1234"),
        ("ph", "15554441234"),
        ("ph", "+44 7700 900123"),
        ("ph", "0044 7700 900123"),
        ("ph", "+49 30 901820"),
        ("fn", " Mary "),
        ("fn", "Mary Ann"),
        ("fn", "Jürgen"),
        ("fn", "정"),
        ("fn", "Łukasz"),
        ("ln", "MÜLLER"),
        ("ge", "F"),
        ("ge", "m"),
        ("db", "19900521"),
        ("ct", "San Francisco"),
        ("ct", "St. John's (West)"),
        ("ct", "Villeneuve-d'Ascq 59"),
        ("ct", "München"),
        ("st", "CA"),
        ("st", "Île-de-France"),
        ("zp", "94103"),
        ("zp", "94103-1234"),
        ("zp", "K1A 0B1"),
        ("zp", "1012 AB"),
        ("country", "US"),
        ("country", " de "),
        ("country", "GB"),
    ],
)
def test_we_hash_as_the_sdk_does(field: str, value: str) -> None:
    """The same value, the same hash."""
    assert Normalize.normalize_field(field, value) == ours(field, value)


@pytest.mark.parametrize(
    ("field", "value", "normal", "why"),
    [
        ("ph", "(555) 444-1234", "15554441234", "we know the default country"),
        ("ph", "+49 (0)30 901820", "4930901820", "the zero in parentheses is not dialled"),
        ("ph", "+1.555.444.1234", "15554441234", "the SDK leaves dots and then refuses"),
        ("fn", "Anne-Marie", "annemarie", "Meta's page: no punctuation; the SDK keeps it"),
        ("ln", "O'Brien", "obrien", "the same"),
        ("fn", "Mary   Ann", "mary ann", "a typed blank too many is no other name"),
        ("ge", "Female", "f", "the SDK takes only its own Gender"),
        ("db", "1990-05-21", "19900521", "Segment's birthday is ISO 8601; the SDK hashes as given"),
        ("db", "1990-05-21T23:30:00.000Z", "19900521", "the same"),
        ("st", "California", "ca", "Meta's page: two letters in the US"),
        ("st", "Bayern!", "bayern", "letters only"),
        ("zp", "SW1A 1AA", "sw1a1", "Meta's page: UK codes up to the sector"),
        ("zp", "100-0001", "1000001", "the SDK cuts at the dash, for which only ZIP+4 has reason"),
        ("zp", "941031234", "94103", "ZIP+4 without its dash"),
        ("zp", "01310-100", "01310100", "the SDK cuts Brazil's in two"),
        ("country", "Germany", "de", "people write names; the SDK refuses"),
        ("country", "USA", "us", "the same"),
        ("country", "U.K.", "gb", "the same"),
    ],
)
def test_where_we_differ_from_the_sdk(field: str, value: str, normal: str, why: str) -> None:
    """Each difference is meant, and has its reason."""
    try:
        theirs = Normalize.normalize_field(field, value)
    except (TypeError, ValueError):
        theirs = None

    assert sha(normal) == ours(field, value), why
    assert theirs != ours(field, value)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("em", "nobody"),
        ("em", EMPTY),
        ("em", ""),
        ("ph", "12"),
        ("ph", "call me"),
        ("fn", "--"),
        ("ge", "other"),
        ("db", "21.05.1990"),
        ("ct", "1234"),
        ("st", "12"),
        ("country", "Atlantis"),
        ("zp", " - "),
        ("em", None),
        ("fn", {"first": "Mary"}),
        ("fn", True),
    ],
)
def test_what_we_leave_out(field: str, value: Any) -> None:
    """What has no normal form is not sent: neither the hash of nothing nor of `None`."""
    assert ours(field, value) is None


@pytest.mark.parametrize(
    ("field", "value", "digest"),
    [
        (
            "em",
            "alice@example.com",
            "ff8d9819fc0e12bf0d24892e45987e249a28dce836a85cad60e28eaaa8c6d976",
        ),
        (
            "em",
            "john@contoso.com",
            "ec81f3ac7b2b19675bab9d54cf416f9f18cff87c97da5cca82c0f0891bc40602",
        ),
        (
            "em",
            "Jane.Doe@gmail.com",  # no dots are dropped, unlike with Google
            "831f6494ad6be4fcb3a724c3d5fef22d3ceffa3c62ef3a7984e45a0ea177f982",
        ),
    ],
)
def test_golden_vectors(field: str, value: str, digest: str) -> None:
    """Hashes that others have published for these values."""
    assert digest == ours(field, value)


@given(st.sampled_from(sorted(NORMAL)), st.text() | st.integers() | st.floats())
def test_a_normal_form_is_normal(field: str, value: Any) -> None:
    """Normalising twice is normalising once."""
    try:
        once = NORMAL[field](value)
    except Unfit:
        return
    if once == "":
        return
    # Without the plus, Meta's form of a phone is no longer a number to be read.
    again = NORMAL[field]("+" + once if field == "ph" else once)

    assert once == again


@given(
    st.sampled_from([*identity.HASHED, "external_id"]),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=2),
        max_leaves=5,
    ),
)
def test_only_hashes_and_never_the_empty_one(field: str, value: Any) -> None:
    """Whatever stands in a trait, what we send of it is SHA-256, and not of nothing."""
    form = FIELDS[field].form
    assert form is not None
    for digest in form(value) or []:
        assert 64 == len(digest)
        assert set(digest) <= set("0123456789abcdef")
        assert digest != EMPTY


@given(st.text())
def test_any_url_may_come(url: str) -> None:
    """A page's URL is the world's; none breaks us, and what we make of it is an fbc or nothing."""
    event = {
        "timestamp": "2026-11-21T10:00:00Z",
        "context": {"page": {"url": f"https://shop.example/?fbclid={url}"}},
    }
    made = identity.fbc_of(event)

    assert made is None or identity.click(made) == made
