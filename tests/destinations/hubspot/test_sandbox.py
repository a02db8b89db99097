"""The account to practise on: it holds to its limits, and nothing breaks it."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import orjson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from destinations.hubspot.sandbox import Sandbox
from destinations.spec import Taken
from destinations.talk import Request
from tests.destinations.cases import NOW, cases_of

CASES = cases_of("hubspot")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["id", "idProperty", "properties", "inputs", "name", "email", "from"])
            | st.text(max_size=3),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(bite=JSON, data=st.data())
def test_the_sandbox_answers_whoever_is_let_in(bite: Any, data: st.DataObject) -> None:
    """With a good token too, no body breaks it, be it a true one with a bite taken out of it."""
    told = data.draw(st.sampled_from([r for c in CASES for r in c.requests or [] if "json" in r]))
    body = copy.deepcopy(told["json"])
    places = list(_places(body))
    holder, key = data.draw(st.sampled_from(places))
    holder[key] = bite
    practice = Sandbox()
    headers = {"authorization": "Bearer pat-sandbox", "content-type": "application/json"}
    reply = practice.answer(Request("POST", told["url"], headers, orjson.dumps(body)), NOW)

    assert 200 <= reply.status < 500
    assert all(isinstance(one, Taken) for one in practice.taken)


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in pairs:
        yield value, key
        if isinstance(inner, dict | list):
            yield from _places(inner)


def test_the_sandbox_takes_all_or_none_without_traces() -> None:
    """Without objectWriteTraceId one bad row sinks the batch, with it only itself."""
    practice = Sandbox()
    headers = {"authorization": "Bearer pat-sandbox", "content-type": "application/json"}
    url = "/crm/objects/2026-03/contacts/batch/upsert"
    rows: list[dict[str, Any]] = [
        {"id": "ada@ex.org", "idProperty": "email", "properties": {}},
        {"id": "bob@ex.org", "idProperty": "email", "properties": {"firstName": "Bob"}},
    ]
    traced = [{**row, "objectWriteTraceId": f"m-{n}"} for n, row in enumerate(rows)]
    replies = [
        practice.answer(Request("POST", url, headers, orjson.dumps({"inputs": inputs})), NOW)
        for inputs in (rows, traced)
    ]

    assert [400, 207] == [reply.status for reply in replies]
    assert ["m-0"] == [one.id for one in practice.taken]
