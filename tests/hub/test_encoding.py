"""JSON of any depth."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.encoding import dumps


def _nested(depth: int, mixed: bool) -> tuple[Any, bytes]:
    """A value so deep, and its JSON. (Comparing deep values would exceed Python's own stack.)"""
    value: Any = "bottom"
    text = b'"bottom"'
    for level in range(depth):
        if mixed and level % 2:
            value, text = {"a": value, "b": level}, b'{"a":%s,"b":%d}' % (text, level)
        else:
            value, text = [value, level], b"[%s,%d]" % (text, level)
    return value, text


@pytest.mark.parametrize("depth", [0, 1, 199, 253, 254, 255, 256, 400, 600, 999, 1_000])
@pytest.mark.parametrize("mixed", [False, True])
def test_any_depth_is_written(depth: int, mixed: bool) -> None:
    """What is written is what was meant, at every depth that a parser reads, as often as asked."""
    value, text = _nested(depth, mixed)

    assert text == dumps(value)
    assert text == dumps(value)


def test_wide_and_deep_is_written_whole() -> None:
    """Each branch stays in its place; empty ones too, and text that needs escaping."""
    deep, of_deep = _nested(300, True)
    deeper, of_deeper = _nested(700, True)
    value = [deep, {}, [], None, 1.5, {'"': {"ü": deeper}}, True]
    text = b'[%s,{},[],null,1.5,{"\\"":{"\xc3\xbc":%s}},true]' % (of_deep, of_deeper)

    assert text == dumps(value)


def test_many_brackets_after_much_text_harm_nothing() -> None:
    """At every length of what stands inside, the closing brackets stay within the buffer."""
    for length in range(0, 3_000, 50):
        value: Any = "x" * length
        for _ in range(300):
            value = [value]

        assert b"[" * 300 + b'"' + b"x" * length + b'"' + b"]" * 300 == dumps(value)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_it_is_orjson_where_orjson_can(value: Any) -> None:
    """Up to its depth nothing is different from orjson."""
    assert orjson.dumps(value) == dumps(value)


def test_what_is_no_json_is_an_error() -> None:
    """An object of Python's own is not written as something else."""
    with pytest.raises(TypeError):
        dumps({"a": object()})
    with pytest.raises(TypeError):
        dumps({1: "a"})
