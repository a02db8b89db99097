"""What an instance hears, as far as headers tell."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from destinations.hearing import BY_RULES, BY_SOURCE, KINDS, NO_ACTION, Hearing
from destinations.instance import Instance
from destinations.spec import On
from tests.destinations.invented import action, record

ACTIONS = (action(on=On(("track",), ("Bought", "Sold"))),)
INSTANCE = Instance(vendor="acme", sources=["shop"], filter={"except_events": ["Sold"]})


def test_each_kind_has_its_verdict_whenever_it_comes() -> None:
    """Type, name and source decide; another of the same kind, whoever sent it, fares the same."""
    hearing = Hearing(INSTANCE, ACTIONS)
    kinds = [{}, {"event": "Sold"}, {"event": "Won"}, {"source": "app"}, {"type": "page"}]
    verdicts = [
        [hearing.unheard(record(offset, f"u{offset}", **kind)) for kind in kinds]
        for offset in range(2)
    ]

    assert [[None, BY_RULES, NO_ACTION, BY_SOURCE, NO_ACTION]] * 2 == verdicts


def test_headers_in_another_order_are_read_by_name() -> None:
    """What another producer wrote is judged as ours is, and spoils no other's verdict."""
    hearing = Hearing(INSTANCE, ACTIONS)
    for name, verdict in (("Bought", None), ("Sold", BY_RULES), ("Bought", None)):
        one = record(0, event=name)

        assert verdict == hearing.unheard(replace(one, headers=one.headers[::-1]))


def test_names_without_end_take_no_memory_without_end() -> None:
    """Senders may invent names; only so many are remembered, and all are judged right."""
    hearing = Hearing(INSTANCE, ACTIONS)
    one = record(0)
    for number in range(KINDS + 10):
        named = (*one.headers[:3], ("name", b"N%d" % number), *one.headers[4:])
        hearing.unheard(replace(one, headers=named))

    assert (None, 11) == (hearing.unheard(one), len(hearing._known))


def test_what_is_no_event_is_told() -> None:
    """A record that the hub did not write raises KeyError, time and again."""
    hearing = Hearing(INSTANCE, ACTIONS)
    for _ in range(2):
        with pytest.raises(KeyError):
            hearing.unheard(replace(record(0), headers=()))
