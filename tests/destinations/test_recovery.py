"""What the last owner of a partition left."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from destinations import ledger
from destinations.ledger import Page
from destinations.note import Note, written
from destinations.progress import Recovered
from destinations.recovery import recover
from hub.clock import FakeClock
from hub.log import DELIVERIES, EVENTS, PARKED, Entry
from hub.log.memory import MemoryLog
from hub.log.settings import MemoryLog as Settings
from tests.destinations.invented import NOW, record

KEY = record(0).key


def line(offset: int, outcome: str, **told: Any) -> dict[str, Any]:
    """A line of the ledger."""
    return {"offset": offset, "id": f"m{offset}", "outcome": outcome, **told}


class Scene:
    """A log of one partition, in which an owner left this and that."""

    def __init__(self) -> None:
        self.clock = FakeClock(NOW)
        self.log = MemoryLog(Settings(partitions=1), clock=self.clock)

    async def tell(self, *lines: Mapping[str, Any], to: str = "crm", replay: str = "") -> None:
        page = Page(to, 0, self.clock.now(), lines, replay)
        await self.log.append(DELIVERIES, [ledger.entry_of(page, KEY)])

    async def park(self, offset: int, to: str = "crm") -> None:
        headers = (("to", to.encode()), ("place", b"0:%d" % offset))
        await self.log.append(PARKED, [Entry(KEY, b"{}", headers)])

    async def commit(self, place: int, note: Note | None = None) -> None:
        await self.log.append(EVENTS, [Entry(KEY, b"{}")] * 100)
        reader = await self.log.open_reader(EVENTS, "crm")
        text = "" if note is None else written(note, place) or ""
        await reader.commit({0: place}, {0: text})
        await reader.close()

    async def recovered(self) -> Recovered:
        reader = await self.log.open_reader(EVENTS, "crm")
        found = await recover(self.log, reader, "crm", [0], self.clock.now())
        await reader.close()
        return found[0]


async def test_a_new_group_has_no_past() -> None:
    """It begins at the first event, and nothing that others did is its own."""
    scene = Scene()
    await scene.tell(line(0, ledger.DELIVERED), to="other")
    await scene.park(1, to="other")
    found = await scene.recovered()

    assert Recovered(Note(NOW, 1, parked=1), 0) == found


async def test_what_came_after_the_commit_is_in_the_ledger() -> None:
    """Finished is what the note says, and what the instance's own lines say since."""
    scene = Scene()
    await scene.tell(line(90, ledger.DELIVERED))
    await scene.commit(5, Note(NOW, ledger=1, finished=[(7, 9)]))
    await scene.tell(line(10, ledger.DELIVERED), line(12, ledger.REFUSED), line(13, ledger.EXPIRED))
    await scene.tell({"offsets": [[20, 25]], "outcome": ledger.FILTERED, "code": "rules"})
    await scene.tell(line(30, ledger.FAILED), line(31, ledger.SENDING))
    await scene.tell(line(40, ledger.DELIVERED), to="other")
    await scene.tell(line(41, ledger.DELIVERED), replay="spring")
    found = await scene.recovered()

    assert 5 == found.place
    assert [(7, 9), (10, 11), (12, 14), (20, 25)] == found.note.finished
    assert 6 == found.note.ledger
    assert {31: 3} == found.doubts


async def test_a_call_whose_end_is_told_is_no_doubt() -> None:
    """Delivered, or failed in a way that the vendor answered for; not if that is unknown too."""
    scene = Scene()
    await scene.commit(0, Note(NOW))
    await scene.tell(*(line(n, ledger.SENDING) for n in range(4)))
    await scene.tell(line(0, ledger.DELIVERED), line(1, ledger.FAILED))
    await scene.tell(line(2, ledger.FAILED, in_doubt=True))
    found = await scene.recovered()

    assert {2: 0, 3: 0} == found.doubts


async def test_what_was_parked_waits_in_parked() -> None:
    """In order; its offset in `events` is finished, also when its line was not written."""
    scene = Scene()
    await scene.park(3)
    await scene.commit(5, Note(NOW, parked=1, parked_finished=[(4, 5)]))
    for offset in (6, 7, 8, 9):
        await scene.park(offset)
    await scene.park(50, to="other")
    await scene.tell(line(6, ledger.PARKED, parked=1), line(7, ledger.DELIVERED, parked=2))
    found = await scene.recovered()

    assert [(KEY, 1), (KEY, 2), (KEY, 3), (KEY, 4)] == list(found.lanes)
    assert [(2, 3), (4, 5)] == found.note.parked_finished
    assert [(6, 10)] == found.note.finished


async def test_offsets_that_a_person_set_are_delivered_again() -> None:
    """Another tool leaves no note; the ledger does not overrule what it was asked for."""
    scene = Scene()
    await scene.tell(line(7, ledger.DELIVERED))
    await scene.commit(5)
    found = await scene.recovered()

    assert (5, [], 1) == (found.place, found.note.finished, found.note.ledger)


async def test_who_is_long_gone_wrote_nothing_more() -> None:
    """The ledger of others, since then, is not read to its end."""
    scene = Scene()
    await scene.commit(0, Note(NOW))
    for _ in range(5_000):
        await scene.tell(line(1, ledger.DELIVERED), to="other")
    scene.clock.advance(601.0)
    await scene.tell(line(7, ledger.DELIVERED))
    found = await scene.recovered()

    assert [] == found.note.finished
