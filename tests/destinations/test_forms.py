"""The forms that vendors want values in; vectors checked by hand against the vendors' own pages."""

from __future__ import annotations

import contextlib
import hashlib
import math
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from destinations import forms
from destinations.mapping import Unfit

EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

anything = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.lists(st.text()),
    st.dictionaries(st.text(), st.text()),
    st.from_regex(r"[+-]?[0-9]{1,30}([.][0-9]{1,30})?([eE][+-]?[0-9]{1,12})?"),
)


@pytest.mark.parametrize(
    ("said", "form", "digest"),
    [
        (
            " Alice@Example.COM ",
            forms.email,
            "ff8d9819fc0e12bf0d24892e45987e249a28dce836a85cad60e28eaaa8c6d976",
        ),
        (
            "john@contoso.com",
            forms.email,
            "ec81f3ac7b2b19675bab9d54cf416f9f18cff87c97da5cca82c0f0891bc40602",
        ),
        (
            "Jane.Doe@gmail.com",
            forms.email,
            "831f6494ad6be4fcb3a724c3d5fef22d3ceffa3c62ef3a7984e45a0ea177f982",
        ),
        (
            "+1 (555) 444-1234",
            forms.e164(),
            "e5b124c58580eb16bd959b8d0cac12b12c952e2ceae0203d416cff94f10b994a",
        ),
        (
            "(123) 456-7890",
            forms.e164("US"),
            "1fa6b8d986d9b9cd01bf36951815158bbde9f520c0567c835dfe34783d0a4231",
        ),
    ],
)
def test_golden_vectors(said: str, form: Any, digest: str) -> None:
    """The digests that vendors publish for these values."""
    assert digest == forms.hashed(form)(said)


@pytest.mark.parametrize(
    ("value", "expected"), [(" a ", "a"), (7, "7"), (1.5, "1.5"), ("", ""), ("ü", "ü")]
)
def test_text(value: Any, expected: str) -> None:
    """Trimmed; numbers become text."""
    assert expected == forms.text(value)


@pytest.mark.parametrize("value", [True, None, ["a"], {"a": 1}, b"a"])
def test_what_is_no_text(value: Any) -> None:
    """Neither lists, nor None, nor truth are ever spelled out, and so never hashed."""
    with pytest.raises(Unfit):
        forms.text(value)
    with pytest.raises(Unfit):
        forms.hashed(forms.text)(value)


@pytest.mark.parametrize(
    "value", ["", "a", "a@b", "@b.c", "a@.", "a b@c.de", "a@b@c.de", "a@b.c d"]
)
def test_what_is_no_address(value: str) -> None:
    """What has not the shape of an e-mail address is left out, and not repeated in the error."""
    with pytest.raises(Unfit) as caught:
        forms.email(value)

    assert "has not the shape of an e-mail address" == str(caught.value)


@pytest.mark.parametrize(
    ("said", "country", "expected"),
    [
        ("+49 30 901820", None, "+4930901820"),
        ("0049 30 901820", None, "+4930901820"),
        ("030 901820", "DE", "+4930901820"),
        ("+1 555 444 1234", "DE", "+15554441234"),
        (4930901820, None, None),
        ("030 901820", None, None),
        ("+49 1", None, None),
        ("hello", "DE", None),
        ("030 901820", "ZZ", None),
    ],
)
def test_phones(said: Any, country: str | None, expected: str | None) -> None:
    """E.164; a number without its country code, and without a country to assume, is dropped."""
    form = forms.e164(country)
    if expected is None:
        with pytest.raises(Unfit):
            form(said)
    else:
        assert expected == form(said)
        assert expected == form(expected)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (0, 0),
        (1.5, 1.5),
        (" 12 ", 12),
        ("12.50", 12.5),
        ("-0.5", -0.5),
        ("1e3", 1000),
        ("99999999999999999999", 1e20),
        (7.0, 7.0),
    ],
)
def test_numbers(said: Any, expected: float) -> None:
    """Text that is a number becomes one, whole if it is whole."""
    found = forms.number(said)

    assert (expected, type(expected)) == (found, type(found))


@pytest.mark.parametrize(
    "said",
    [True, "", "x", "1,5", "nan", "inf", math.nan, math.inf, -math.inf, "1e999999999", "-1e301"],
)
def test_what_is_no_number(said: Any) -> None:
    """Neither words, nor infinities, nor what would take a day to write out."""
    with pytest.raises(Unfit):
        forms.number(said)


@given(anything)
def test_a_number_can_be_said_in_json(value: Any) -> None:
    """Whatever comes in, what comes out is a finite number that fits JSON."""
    try:
        found = forms.number(value)
    except Unfit:
        return

    assert math.isfinite(found)
    if isinstance(value, str):
        assert found == orjson.loads(orjson.dumps(found))


@pytest.mark.parametrize(("said", "expected"), [("eur", "EUR"), (" USD ", "USD")])
def test_currencies(said: str, expected: str) -> None:
    """Three letters, in upper case."""
    assert expected == forms.currency(said)


@pytest.mark.parametrize("said", ["", "EU", "EURO", "12A", 978, "€€€"])
def test_what_is_no_currency(said: Any) -> None:
    """Anything but three letters."""
    with pytest.raises(Unfit):
        forms.currency(said)


@pytest.mark.parametrize(
    "said",
    [
        "2026-11-21T10:00:00Z",
        "2026-11-21t10:00:00z",
        " 2026-11-21T10:00:00.000+00:00 ",
        "2026-11-21T11:00:00+01:00",
        "2026-11-21T10:00:00",
        "2026-11-21T10:00:00.000000000Z",
    ],
)
def test_moments(said: str) -> None:
    """ISO 8601, with or without an offset; none means UTC, whatever the machine's zone."""
    assert 1_795_255_200.0 == forms.moment(said)


@pytest.mark.parametrize("said", ["", "soon", 1_795_255_200, "1712012301500", None, True, []])
def test_what_is_no_moment(said: Any) -> None:
    """Numbers are no ISO times: milliseconds would pass for a day of the year 1712."""
    with pytest.raises(Unfit):
        forms.moment(said)


@given(st.text(min_size=1))
def test_hashing_twice_is_hashing_once(value: str) -> None:
    """What is hashed already passes as it is, in lower case."""
    form = forms.hashed(forms.text)
    digest = form(value)
    if digest is None:
        return

    assert hashlib.sha256(value.strip().encode()).hexdigest() == digest or 64 == len(value.strip())
    assert digest == form(digest) == form(f" {digest.upper()} ")


def test_only_a_whole_digest_passes_for_one() -> None:
    """63 or 65 hex digits are a value like any other."""
    form = forms.hashed(forms.text)
    for value in ("a" * 63, "a" * 65, "g" * 64):
        assert hashlib.sha256(value.encode()).hexdigest() == form(value)
    assert "a" * 64 == form("a" * 64)


@pytest.mark.parametrize("value", [EMPTY, EMPTY.upper(), f" {EMPTY} "])
def test_the_hash_of_nothing_is_refused(value: str) -> None:
    """A vendor would match it with everybody's."""
    with pytest.raises(Unfit, match="is the hash of nothing"):
        forms.hashed(forms.text)(value)


@pytest.mark.parametrize("value", ["", "   "])
def test_nothing_is_not_hashed(value: str) -> None:
    """What normalises to nothing is left out."""
    assert None is forms.hashed(forms.text)(value)
    assert None is forms.hashed(lambda _: None)("x")


def test_many_takes_the_fit_ones() -> None:
    """Each item of a list, a single value as a list of one; none at all is nothing."""
    form = forms.many(forms.hashed(forms.email))
    digest = hashlib.sha256(b"a@b.example").hexdigest()

    assert [digest, digest] == form(["a@b.example", "nonsense", " A@b.example", ""])
    assert [digest] == form("a@b.example")
    assert None is form(["nonsense"])
    assert None is form([])


@given(anything)
def test_no_value_breaks_a_form(value: Any) -> None:
    """Whatever a client sends, a form shapes it or says Unfit, and raises nothing else."""
    shapes = [forms.text, forms.email, forms.e164(), forms.e164("US"), forms.number]
    shapes += [forms.currency, forms.moment, forms.hashed(forms.email), forms.many(forms.email)]
    for form in shapes:
        with contextlib.suppress(Unfit):
            form(value)
