"""Pages of the ledger."""

import orjson
import pytest

import schemas
from destinations import ledger
from destinations.ledger import Page, filtered_line, line_of, offsets_of
from hub.log import Entry, Record
from tests.destinations.invented import event

SCHEMAS = schemas.load()


def page(replay: str = "") -> Page:
    """A page of two lines."""
    lines = [
        line_of(event(), ledger.DELIVERED, action="send", attempts=2, at=1_700_000_000_000),
        filtered_line("filtered_by_rules", [(3, 5), (20, 21)]),
    ]
    return Page("crm", 3, 1_700_000_000.0, lines, replay)


def kept(entry: Entry) -> Record:
    """The entry as the log gives it back."""
    return Record("deliveries", 3, 0, entry.key, entry.value, entry.headers, 1_700_000_000.0)


def test_a_page_is_what_the_schema_says():
    """Whoever reads the stream can rely on its schema."""
    told = orjson.loads(ledger.entry_of(page(), b"key").value)

    assert [] == SCHEMAS.delivery.violations(told)


@pytest.mark.parametrize("replay", ["", "spring"])
def test_a_page_comes_back_as_it_was(replay: str):
    """What was written on it is read again."""
    read = ledger.page_of(kept(ledger.entry_of(page(replay), b"key")))
    offsets = [tuple(one) for line in read.lines for one in offsets_of(line)]

    assert ("crm", 3, replay) == (read.destination, read.partition, read.replay)
    assert [(0, 1), (3, 5), (20, 21)] == offsets


def test_headers_tell_which_events_a_page_is_about():
    """Who looks for one event parses no page that does not hold it."""
    headers = dict(ledger.entry_of(page(), b"key").headers)

    assert {"to": b"crm", "low": b"0", "high": b"20"} == headers
