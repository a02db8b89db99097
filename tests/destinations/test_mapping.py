"""Where a field's value comes from."""

from __future__ import annotations

from typing import Any

import pytest

from destinations.mapping import At, Const, Field, First, Made, Source, Unfit, fill, source_of

EVENT = {
    "userId": "u1",
    "properties": {
        "total": 0,
        "gift": False,
        "note": "",
        "coupons": [],
        "extra": {},
        "nothing": None,
        "products": [{"sku": "a"}, {"sku": "b"}],
        "0": "a key of digits",
    },
}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("userId", "u1"),
        ("properties.total", 0),
        ("properties.products.1.sku", "b"),
        ("properties.products.2.sku", None),
        ("properties.products.-1.sku", None),
        ("properties.products.x", None),
        ("properties.0", "a key of digits"),
        ("properties.nothing.deeper", None),
        ("userId.0", None),
        ("absent", None),
    ],
)
def test_a_path_leads_through_objects_and_lists(path: str, expected: Any) -> None:
    """Names and indices are steps; where a step leads nowhere there is nothing."""
    assert expected == At(path).find(EVENT)


@pytest.mark.parametrize("empty", ["note", "coupons", "extra", "nothing", "absent"])
def test_the_first_that_is_found_wins(empty: str) -> None:
    """Empty text, lists and objects count as nothing."""
    assert "u1" == First(f"properties.{empty}", At("userId"), Const("last")).find(EVENT)


@pytest.mark.parametrize(("path", "expected"), [("total", 0), ("gift", False)])
def test_zero_and_false_are_something(path: str, expected: Any) -> None:
    """A free order has a total."""
    found = First(f"properties.{path}", "userId").find(EVENT)

    assert (expected, type(expected)) == (found, type(found))
    assert {"x": expected} == fill({"x": Field("X.", At(f"properties.{path}"))}, EVENT)


def test_nothing_first_is_nothing() -> None:
    """When no source finds anything there is nothing."""
    assert None is First("absent", "properties.note").find(EVENT)


def test_sources_print_for_a_person() -> None:
    """Each source says what it does."""
    made = Made("the id, twice", lambda event: event["userId"] * 2)

    assert "u1u1" == made.find(EVENT)
    assert "a.b, else 'web', else the id, twice" == str(First("a.b", Const("web"), made))


def _picky(value: Any) -> Any:
    if value == "u1":
        raise Unfit("is not to our taste")
    return None if value == 0 else f"<{value}>"


def test_forms_are_applied_and_what_is_unfit_is_left_out() -> None:
    """A form shapes what is found; an optional field that is absent, unfit or empty is left out."""
    fields = {
        "shaped": Field("S.", At("properties.products.0.sku"), _picky),
        "unfit": Field("U.", At("userId"), _picky),
        "left": Field("L.", At("properties.total"), _picky),
        "absent": Field("A.", At("absent"), _picky),
        "empty": Field("E.", At("properties.coupons")),
    }

    assert {"shaped": "<a>"} == fill(fields, EVENT)


@pytest.mark.parametrize(
    ("field", "sentence"),
    [
        (Field("X.", At("absent"), required=True), "x: nothing found at absent"),
        (Field("X.", At("properties.note"), required=True), "x: nothing found at properties.note"),
        (Field("X.", At("properties.total"), _picky, True), "x: nothing found at properties.total"),
        (Field("X.", At("userId"), _picky, required=True), "x: is not to our taste"),
    ],
)
def test_a_required_field_is_required(field: Field, sentence: str) -> None:
    """Missing, empty or unfit, it is named, and its value is not."""
    with pytest.raises(Unfit) as caught:
        fill({"x": field}, EVENT)

    assert sentence == str(caught.value)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("a.b", At("a.b")),
        (["a", "b.c"], First("a", "b.c")),
        ({"const": 7}, Const(7)),
        ({"const": None}, Const(None)),
    ],
)
def test_settings_name_a_source(said: Any, expected: Source) -> None:
    """A path, a list of paths, or a constant."""
    assert expected == source_of(said)


@pytest.mark.parametrize("said", ["", [], ["a", ""], ["a", 1], {}, {"const": 1, "x": 2}, 7, None])
def test_what_names_no_source_is_a_fault(said: Any) -> None:
    """Anything else is refused with the sentence of what it may be."""
    with pytest.raises(ValueError, match=r"must be a path, a list of paths, or \{const = value\}"):
        source_of(said)
