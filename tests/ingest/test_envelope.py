"""One request, its events, and how large each is as it was sent."""

import json
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.envelope import EVENT_BYTES, batch, single


def test_an_envelope_says_what_holds_for_all() -> None:
    """Objects only; a wrong kind is as if it were not there."""
    text = b'{"batch":[1],"context":{"a":1},"integrations":[],"sentAt":"s","timestamp":"t"}'
    found = batch(orjson.loads(text), text)

    assert ([1], {"a": 1}, {}, "s") == (
        found.items,
        found.context,
        found.integrations,
        found.sent_at,
    )


@pytest.mark.parametrize("body", [{}, {"batch": None}, {"batch": {}}, {"batch": "x"}])
def test_without_a_list_there_are_no_events(body: dict[str, Any]) -> None:
    """Which is refused as an empty batch."""
    assert [] == batch(body, orjson.dumps(body)).items


def test_a_single_call_is_measured_as_sent() -> None:
    """White space and all."""
    assert (frozenset(), frozenset({0})) == (
        single({}, EVENT_BYTES).too_large,
        single({}, EVENT_BYTES + 1).too_large,
    )


def test_a_shared_context_counts_in_each_event() -> None:
    """300 kB of context in 1,000 events would be 300 MB in the log."""
    large = {"batch": [{}, {}], "context": {"pad": "x" * 33_000}}
    many = {"batch": [{}] * 2_500, "context": {"pad": "x" * 2_000}}

    assert frozenset({0, 1}) == batch(large, orjson.dumps(large)).too_large
    assert 2_500 == len(batch(many, orjson.dumps(many)).too_large)


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.tuples(st.integers(EVENT_BYTES - 3, EVENT_BYTES + 3), st.sampled_from("xä🦆\n\\")),
        min_size=1,
        max_size=6,
    ),
    st.booleans(),
    st.sampled_from([None, 1, "\t"]),
    st.booleans(),
)
def test_sizes_are_those_of_the_bytes_that_were_sent(
    wanted: list[tuple[int, str]], ascii_: bool, indent: Any, last: bool
) -> None:
    """In every way of writing JSON, to the byte."""

    def written(value: Any) -> str:
        return json.dumps(value, ensure_ascii=ascii_, indent=indent)

    items, sizes = [], []
    for size, letter in wanted:
        bare = len(written({"p": ""}).encode())
        each = len(written(letter).encode()) - 2
        item = written({"p": letter * ((size - bare) // each) + "x" * ((size - bare) % each)})
        items.append(item)
        sizes.append(len(item.encode()))
    rest = '"sentAt" : [{"a": "]"}] '
    listed = f'"batch" : [ {" , ".join(items)} ]'
    text = ("{ " + (f"{rest}, {listed}" if last else f"{listed}, {rest}") + " }").encode()
    found = batch(orjson.loads(text), text).too_large

    assert [size for size, _ in wanted] == sizes
    assert {index for index, size in enumerate(sizes) if size > EVENT_BYTES} == found


@pytest.mark.parametrize("place", [0, 40, 79])
@pytest.mark.parametrize("over", [0, 1])
def test_one_among_many_is_found(place: int, over: int) -> None:
    """Wherever it stands among small ones."""
    bare = len(orjson.dumps({"p": ""}))
    items = [{"p": "x" * 1_000}] * 80
    items[place] = {"p": "x" * (EVENT_BYTES - bare + over)}
    body = {"batch": items}

    assert ({place} if over else set()) == batch(body, orjson.dumps(body)).too_large
