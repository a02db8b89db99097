"""What is committed beside the place."""

import random

import pytest

from destinations.note import Note, read, written
from destinations.ranges import ranges_of

NOTE = Note(1_700_000_000.5, 42, [(105, 110), (120, 121)], 7, [(9, 12)])


def test_a_note_comes_back_as_it_was():
    """All that was noted is read again beside the same place."""
    text = written(NOTE, 100)

    assert text is not None
    assert NOTE == read(text, 100)


def test_a_note_that_is_too_long_is_none():
    """A log takes 4,000 characters; more is the ledger's to tell."""
    die = random.Random(7)
    finished = ranges_of(n for n in range(50_000) if die.random() < 0.5)

    assert None is written(Note(finished=finished), 0)


@pytest.mark.parametrize("text", ["", "reset by hand", "[]", '{"v":1}', '{"v":1,"at":"x"}'])
def test_what_another_tool_wrote_says_nothing(text: str):
    """Who resets a group's offsets leaves no note of ours; nothing is taken for finished."""

    assert Note() == read(text, 5)
