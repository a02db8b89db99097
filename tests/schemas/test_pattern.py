"""Patterns, as Python's engine has to be told them."""

import re

import pytest

from schemas.pattern import in_python


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        ("^a$", "a", True),
        ("^a$", "a\n", False),
        ("a", "a\n", True),
        ("^a\\$", "a$\n", True),
        ("^a\\$", "a", False),
        ("^a\\\\$", "a\\", True),
        ("^a\\\\$", "a\\\n", False),
        ("a$|b", "b\n", True),
    ],
)
def test_a_text_ends_where_it_ends(pattern: str, text: str, found: bool) -> None:
    """The end of a pattern is not the end of a line; a `$` that is a letter stays one."""
    assert found is bool(re.search(in_python(pattern), text))
