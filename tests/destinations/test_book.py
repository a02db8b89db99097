"""What became of events and is not in the ledger yet."""

from __future__ import annotations

from typing import Any

import orjson

import schemas
from destinations import ledger
from destinations.book import Book
from destinations.item import Item
from destinations.ledger import LINES, page_of
from destinations.progress import Progress, Recovered
from hub.event import Event
from hub.log import Record
from tests.destinations.invented import NOW, record

SCHEMAS = schemas.load()


def begun(progress: Progress, *offsets: int) -> list[Item]:
    """Items of these offsets, which were read."""
    items = []
    for offset in offsets:
        one = record(offset, partition=progress.partition)
        progress.key = one.key
        progress.events.begin(offset, offset + 1, NOW)
        items.append(Item(Event.of(one), progress, offset))
    return items


def written(book: Book) -> list[dict[str, Any]]:
    """All leaves of a book, durable from now on; each fits its schema."""
    pages = []
    for page, leaf in enumerate(book.leaves()):
        entry = book.entry(leaf, NOW)
        if entry is not None:
            pages.append(orjson.loads(entry.value))
            assert [] == SCHEMAS.delivery.violations(pages[-1])
        book.durable(leaf, page)
    return pages


def test_what_is_not_durable_is_not_finished() -> None:
    """An offset is finished when its line is in the ledger, and counted until then."""
    progress, book = Progress(3), Book("crm")
    (item,) = begun(progress, 5)
    book.ends(item, ledger.DELIVERED, action="send", attempts=0, at=1)
    before = progress.events.place, len(book), book.empty
    written(book)

    assert (5, 1, False) == before
    assert (6, 0, True) == (progress.events.place, len(book), book.empty)


def test_what_is_filtered_is_one_line() -> None:
    """However many events a filter leaves out, they are a line for each reason."""
    progress, book = Progress(3), Book("crm")
    for first, end, code in ((0, 30, "rules"), (30, 50, "rules"), (50, 51, "source")):
        progress.events.begin(first, end, NOW)
        book.left_out(progress, (first, end), [(first, end)], code)
    (item,) = begun(progress, 51)
    book.filtered(item, "rules")
    ((page,), place) = written(book), progress.events.place

    assert [("rules", [[0, 50], [51, 52]]), ("source", [[50, 51]])] == [
        (line["code"], line["offsets"]) for line in page["lines"]
    ]
    assert 52 == place


def test_what_one_request_delivered_is_one_line() -> None:
    """It names each event; who reads the page finds a line for each, as if they were told apart."""
    progress, book = Progress(3), Book("crm")
    items = begun(progress, 5, 7)
    book.delivered(items, action="send", attempts=0, at=1)
    for item in items:
        book.ends(item, ledger.DELIVERED, action="send", attempts=0, at=1)
    (leaf,) = book.leaves()
    entry = book.entry(leaf, NOW)
    book.put_back([leaf])
    ((page,), place) = written(book), progress.events.place

    assert entry is not None
    lines = page_of(Record("deliveries", 3, 0, entry.key, entry.value, entry.headers, NOW)).lines
    assert [1 + 2, 8] == [len(page["lines"]), place]
    assert list(lines[:2]) == list(lines[2:])


def test_a_line_is_bounded() -> None:
    """However many rode together, a line names so many, and its page takes no more."""
    book = Book("crm")
    book.delivered(begun(Progress(0), *range(LINES + 1)), action="send", attempts=0, at=1)

    assert [LINES, 1] == [len(page["lines"][0]["events"]) for page in written(book)]


def test_what_was_begun_is_heard_of_by_all_that_rode() -> None:
    """An intent whose call delivered is in doubt no longer, also where many share a line."""
    progress, book = Progress.of(0, Recovered(place=0)), Book("crm")
    items = begun(progress, 0, 1)
    for item in items:
        book.goes_on(item, ledger.SENDING, action="send", at=1)
    written(book)
    book.delivered(items, action="send", attempts=0, at=2)
    written(book)

    assert {} == progress._intents


def test_what_is_left_out_may_wait() -> None:
    """What nobody would notice if it were lost waits for company, until it is pressed for."""
    progress, book = Progress(3), Book("crm")
    book.press()
    pressing = [book.pressing]
    item, other = begun(progress, 0, 1)
    book.filtered(item, "rules")
    pressing.append(book.pressing)
    book.press()
    pressing.append(book.pressing)
    written(book)
    pressing.append(book.pressing)
    book.goes_on(other, ledger.SENDING, action="send", at=1)
    pressing.append(book.pressing)

    assert [False, False, True, False, True] == pressing


def test_a_page_is_bounded() -> None:
    """A page takes so many lines; the rest goes on the next."""
    progress, book = Progress(0), Book("crm")
    for item in begun(progress, *range(LINES + 1)):
        book.ends(item, ledger.DELIVERED)

    assert [LINES, 1] == [len(page["lines"]) for page in written(book)]


def test_each_partition_has_its_page() -> None:
    """A page is in the partition of its events."""
    book = Book("crm")
    for partition in (1, 2):
        for item in begun(Progress(partition), 0):
            book.ends(item, ledger.DELIVERED)

    assert [1, 2] == [page["partition"] for page in written(book)]


def test_an_intent_is_open_until_it_is_heard_of() -> None:
    """Between the line of a call and the line of its end a restart is in doubt."""
    progress, book = Progress.of(0, Recovered(place=0)), Book("crm")
    (item,) = begun(progress, 0)
    book.goes_on(item, ledger.SENDING, action="send", at=1)
    written(book)
    open_ = dict(progress._intents)
    book.goes_on(item, ledger.FAILED, action="send", code="timeout", at=2)
    written(book)

    assert ({0: 0}, {}) == (open_, progress._intents)


def test_a_parked_event_leaves_events_and_ends_in_parked() -> None:
    """Its offset in `events` is finished when it is parked, its offset in `parked` at its end."""
    progress, book = Progress(0), Book("crm")
    (item,) = begun(progress, 5)
    book.moves(item, 30)
    progress.parked.begin(30, 31, NOW)
    written(book)
    moved = progress.events.place, progress.parked.place
    back = Item(item.event, progress, 30, parked=30)
    back.in_doubt = True
    book.ends(back, ledger.DELIVERED)
    ((page,), ended) = written(book), progress.parked.place

    assert ((6, 30), 31) == (moved, ended)
    assert (5, 30, True) == tuple(
        page["lines"][0][name] for name in ("offset", "parked", "in_doubt")
    )


def test_a_record_that_is_no_event_is_finished_without_a_line() -> None:
    """There is nothing to tell, and nothing to wait for."""
    progress, book = Progress(0), Book("crm")
    begun(progress, 0)
    book.finished(progress, 0)

    assert ([], 1) == (written(book), progress.events.place)


def test_a_replay_signs_its_pages() -> None:
    """What a replay did is told apart from the instance's own work."""
    book = Book("crm", "spring")
    for item in begun(Progress(0), 0):
        book.ends(item, ledger.DELIVERED)
    (leaf,) = book.leaves()
    entry = book.entry(leaf, NOW)

    assert entry is not None
    assert b"spring" == dict(entry.headers)["replay"]
