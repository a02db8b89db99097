"""What the ledger says of each event of a range."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from destinations import ledger, verdicts
from destinations.ledger import Page
from destinations.verdicts import DELIVERED, OURS, PARKED, UNTOLD, Verdicts
from hub.clock import FakeClock
from hub.log import Span
from hub.log.memory import MemoryLog
from hub.log.settings import MemoryLog as MemorySettings
from tests.destinations.invented import NOW
from tests.destinations.ledgers import Ledgers

SPAN = Span(0, 10, 20)


def page(*lines: dict[str, Any], replay: str = "", at: float = NOW, partition: int = 0) -> Page:
    return Page("crm", partition, at, lines, replay)


def line(offset: int, outcome: str, **told: Any) -> dict[str, Any]:
    return {"offset": offset, "outcome": outcome, **told}


def test_the_last_word_counts() -> None:
    """An event that was parked and then delivered is delivered; attempts say nothing."""
    found = Verdicts("crm", [SPAN])
    found.hear(page(line(10, ledger.PARKED), line(11, ledger.PARKED), line(12, ledger.FAILED)), 0)
    found.hear(page(line(10, ledger.DELIVERED)), 1)

    assert [DELIVERED, PARKED, UNTOLD] == [found.of(0, offset) for offset in (10, 11, 12)]


def test_codes_are_kept() -> None:
    """Why an event was filtered, refused or expired can be asked for."""
    found = Verdicts("crm", [SPAN])
    found.hear(
        page(
            {"offsets": [[8, 12], [14, 15]], "outcome": ledger.FILTERED, "code": "by_rules"},
            line(12, ledger.REFUSED, code="http_400"),
            line(13, ledger.EXPIRED, code="expired"),
            line(15, ledger.DELIVERED),
        ),
        0,
    )
    codes = [found.code(found.of(0, offset)) for offset in range(10, 17)]

    assert ["by_rules", "by_rules", "http_400", "expired", "by_rules", None, None] == codes


def test_more_codes_than_a_byte_holds_share_the_last() -> None:
    """Nothing breaks when codes are not few."""
    found = Verdicts("crm", [Span(0, 0, 300)])
    found.hear(page(*(line(n, ledger.REFUSED, code=f"c{n}") for n in range(300))), 0)

    assert ["c0", "c251", "c251"] == [found.code(found.of(0, n)) for n in (0, 251, 299)]


def test_other_offsets_and_partitions_are_nobodys() -> None:
    """What is not in the range is not told, and harms nothing."""
    found = Verdicts("crm", [SPAN])
    found.hear(page(line(9, ledger.DELIVERED), line(20, ledger.DELIVERED)), 0)
    found.hear(page(line(10, ledger.DELIVERED), partition=1), 1)

    assert {UNTOLD} == {found.of(p, offset) for p in (0, 1) for offset in range(25)}


def test_what_the_replay_did_is_done() -> None:
    """Its own final lines stay, whatever others say later; other replays are as any work."""
    found = Verdicts("crm", [SPAN], "spring")
    found.hear(page(line(10, ledger.REFUSED, code="no"), replay="spring"), 0)
    found.hear(page(line(10, ledger.DELIVERED), line(11, ledger.DELIVERED), replay="summer"), 1)

    assert (OURS, DELIVERED) == (found.of(0, 10), found.of(0, 11))


def test_it_began_with_its_first_page() -> None:
    """Pages of partitions are read one after the other; the earliest counts."""
    found = Verdicts("crm", [SPAN], "spring")
    for at, replay in ((NOW - 9, ""), (NOW, "spring"), (NOW - 5, "spring"), (NOW + 5, "spring")):
        found.hear(page(line(10, ledger.FAILED), at=at, replay=replay), 0)

    assert NOW - 5 == found.began


def test_doubts_are_its_intents_without_an_end() -> None:
    """A call that was begun and not heard out is in doubt, if the replay made it."""
    found = Verdicts("crm", [SPAN], "spring")
    sending = [line(offset, ledger.SENDING) for offset in (10, 11, 12)]
    found.hear(page(*sending, replay="spring"), 7)
    found.hear(page(line(13, ledger.SENDING)), 8)
    ends = (line(10, ledger.DELIVERED), line(11, ledger.FAILED, in_doubt=True))
    found.hear(page(*ends, replay="spring"), 9)

    assert {0: {11: 7, 12: 7}} == found.doubts


@pytest.mark.parametrize(("late", "first"), [(False, DELIVERED), (True, UNTOLD)])
async def test_the_ledger_is_read_from_the_range_on(tmp_path: Path, late: bool, first: int) -> None:
    """Pages of the instance that were written since then are heard, and no one else's."""
    clock = FakeClock(NOW)
    log = MemoryLog(MemorySettings(partitions=1), clock=clock)
    scene = Ledgers(tmp_path, log=log)
    places = await scene.accept("a", "b", "c", "d")
    await scene.page("delivered", places[0])
    await scene.page("delivered", places[1], to="other")
    clock.advance(5 * verdicts.MARGIN_SECONDS)
    await scene.page("delivered", places[2])
    found = await verdicts.told(log, "crm", {0: Span(0, 0, 4)}, clock.now() if late else None)

    assert [first, UNTOLD, DELIVERED, UNTOLD] == [found.of(0, n) for n in range(4)]
