"""An event on its way."""

from __future__ import annotations

import pytest

from destinations.item import Item
from destinations.plan import Boarding
from destinations.progress import Progress
from tests.destinations.invented import NOW, event, plan


def boarded() -> Item:
    """An item that has boarded."""
    item = Item(event(properties={"email": "a@b.example"}), Progress(0), 0)
    verdict = plan().judge(item.event, NOW)
    assert isinstance(verdict, Boarding)
    item.boarding = verdict
    return item


def test_on_board_it_has_an_action_and_a_row() -> None:
    """What the plan said is what rides."""
    item = boarded()

    assert ("send", {"email": "a@b.example"}) == (item.action.name, item.row.fields)


def test_off_board_it_has_neither() -> None:
    """Asking an item for its row while it waits is a bug, and says so."""
    item = boarded()
    item.alight()

    with pytest.raises(AssertionError, match="only while it is on board"):
        _ = item.row
    with pytest.raises(AssertionError, match="only while it is on board"):
        _ = item.action


def test_two_items_of_one_event_are_two() -> None:
    """Items are told apart by themselves and not by what they hold."""
    one, progress = event(), Progress(0)

    assert Item(one, progress, 0) != Item(one, progress, 0)


def test_a_fresh_item_was_not_tried() -> None:
    """No attempt, no bounce, no first time."""
    item = Item(event(), Progress(0), 0)

    assert item.fresh
    assert (0, 0, None, False) == (item.attempts, item.bounces, item.first_at, item.accepted)
