"""The load is what a hub takes: whole requests, events of one size, and no id twice."""

from __future__ import annotations

import orjson

from tests.bench.events import SIZE, TEMPLATES, Events


def test_events_are_of_one_size() -> None:
    """Each event has about the size that the table tells."""
    events = Events(100)
    sizes = {len(events.event()) // 100 for _ in range(TEMPLATES)}

    assert {SIZE // 100} == sizes


def test_no_id_comes_twice() -> None:
    """Each event has a messageId of its own, and its user is one of those asked for."""
    found = orjson.loads(Events(7).body(500))["batch"]

    assert (500, 7) == tuple(
        len({event[name] for event in found}) for name in ("messageId", "userId")
    )


def test_a_request_is_as_long_as_it_says() -> None:
    """The head names the length of the body, so that connections can be kept."""
    head, body = next(Events(7).requests(20, ["key"])).split(b"\r\n\r\n")

    assert head.endswith(b"Content-Length: %d" % len(body))
