"""What is kept of what is refused, and how it is found again."""

from typing import Any

import orjson
import pytest

import schemas
from hub.clock import FakeClock
from hub.log import REJECTED
from hub.log.memory import MemoryLog
from ingest.rejected import Rejected, listed, whole
from ingest.validate import Rejection
from tests.ingest.scenes import KEY, NOW

WHY = Rejection("event_not_defined", "must have 'event'", "")


@pytest.mark.parametrize(
    "refused",
    [
        Rejected(WHY, 3, {"messageId": "m", "context": {"library": {"name": "l"}}}),
        Rejected(WHY, 0, None),
        Rejected(WHY, 0, [1, "x"]),
        Rejected(WHY, 0, {"messageId": 5, "context": []}),
        whole("malformed_json", b"{", "at line 1, column 2"),
        whole("malformed_json", b"\xff\xfe"),
        whole("body_too_large", b"\x00" * 2_000_000),
        whole("body_too_large", b"\xff" * 2_000_000),
        Rejected(WHY, 0, {"pad": "\x01" * 400_000}),
    ],
)  # fmt: skip
def test_records_obey_their_schema_and_fit_the_log(refused: Rejected) -> None:
    """However large or strange what was sent is."""
    entry = refused.entry("shop", NOW, None)
    record = orjson.loads(entry.value)

    assert [] == schemas.load().rejected.violations(record)
    assert len(entry.value) < 1_000_000


def test_what_is_cut_says_so() -> None:
    """With how much there was."""
    entry = whole("body_too_large", b"x" * 2_000_000).entry("shop", NOW, None)
    record = orjson.loads(entry.value)

    assert record["message"].endswith("(the first 131,072 of 2,000,000 bytes are kept)")
    assert 131_072 == len(record["raw"])


def test_no_key_is_kept() -> None:
    """Neither of an item nor in a text."""
    item = Rejected(WHY, 0, {"writeKey": KEY, "a": 1}).entry("shop", NOW, None)
    text = whole("malformed_json", b'{"writeKey":"%s"' % KEY.encode()).entry("shop", NOW, None)

    assert KEY.encode() not in item.value + text.value
    assert {"a": 1} == orjson.loads(item.value)["event"]


async def test_they_are_listed_by_source_code_and_time() -> None:
    """Oldest first, at most so many."""
    clock = FakeClock()
    log = MemoryLog(clock=clock)
    for number in range(10):
        source = "shop" if number % 2 else "blog"
        refused = whole("malformed_json" if number < 5 else "bad_encoding", b"%d" % number)
        await log.append(REJECTED, [refused.entry(source, NOW, None)])
        clock.advance(1)

    async def found(**asked: Any) -> list[str]:
        every: dict[str, Any] = {"source": None, "code": None, "since": 0.0, "limit": 100}
        lines = [line async for line in listed(log, **(every | asked))]
        return sorted(orjson.loads(line)["raw"] for line in lines)

    assert 10 == len(await found())
    assert list("13579") == await found(source="shop")
    assert list("579") == await found(source="shop", code="bad_encoding")
    assert list("89") == await found(since=FakeClock().now() + 8)
    assert 3 == len(await found(limit=3))
