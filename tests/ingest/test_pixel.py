"""Events in an image's address."""

import base64
import contextlib

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.pixel import event_of, key_of
from ingest.text import Malformed


@given(st.dictionaries(st.text(), st.text()), st.booleans(), st.booleans())
def test_data_of_any_kind_of_base64(event: dict[str, str], safe: bool, padded: bool) -> None:
    """Either alphabet, padded or not, also where a plus has become a space."""
    text = orjson.dumps(event)
    data = (base64.urlsafe_b64encode if safe else base64.b64encode)(text).decode()
    found, size = event_of("data=" + (data if padded else data.rstrip("=")))

    assert (event, len(text)) == (found, size)


@pytest.mark.parametrize("query", ["data=", "data=!!", "data=W10", "data=eyJ", "a&" * 2_000])
def test_what_is_no_event(query: str) -> None:
    """Told, so that it can be kept."""
    with pytest.raises(Malformed):
        event_of(query)


def test_keys_with_dots() -> None:
    """Objects win over text of the same name; only known truths are no text."""
    query = "a.b.c=1&a.b.d=2&a.b=3&x=1&x.y=2&integrations.All=true&properties.on=true"

    assert {
        "a": {"b": {"c": "1", "d": "2"}},
        "x": {"y": "2"},
        "integrations": {"All": True},
        "properties": {"on": "true"},
    } == event_of(query)[0]


def test_many_dots_are_not_many_levels() -> None:
    """A thousand objects for one parameter would be too cheap."""
    event, _ = event_of("a" + ".a" * 5_000 + "=1")
    levels = 0
    while isinstance(event, dict):
        (event,) = event.values()
        levels += 1

    assert levels <= 33


def test_a_key_beside_the_data() -> None:
    """Where the data cannot be read it can still be charged."""
    assert ("k", "i", "") == (
        key_of("data=!!&writeKey=k", {}),
        key_of("writeKey=k", {"writeKey": "i"}),
        key_of("a=b", {}),
    )


@given(st.text())
def test_no_query_breaks_it(query: str) -> None:
    """An event, or Malformed."""
    with contextlib.suppress(Malformed):
        event_of(query)
