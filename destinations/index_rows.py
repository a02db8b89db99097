"""What a record adds to the index: digests, runs of keys, the range of a page. Pure."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from hashlib import blake2b
from struct import Struct
from typing import Final, NamedTuple

import orjson

from hub.log import PARKED, REJECTED, Record

OFFSET_BITS: Final = 40

Standing = tuple[int, int, int]
"""Of an event: when it was appended, in milliseconds; its place; the digest with its source.

Their order is the one in which events of the same id count as earlier and later. It needs nothing
but the events themselves, and so is the same in all processes, whatever they have read: an order
that is not could make each of two a twin of the other, and lose both. Its price: where a broker's
clock steps back between two of one partition, the later one counts as first, and both are sent.
"""

_TWO: Final = Struct("<qq")
_EIGHT: Final = Struct("<q")
_KEY: Final = Struct("<I")
KEY_BYTES: Final = _KEY.size


class PageRow(NamedTuple):
    """A page of the ledger: `low` and `high` are the first and last event that it may tell of,
    `size` the bits of their distance.
    """

    partition: int
    size: int
    low: int
    high: int
    offset: int
    destination: str


def packed(partition: int, offset: int) -> int:
    """A place as one integer; places of a partition side by side, in order."""
    return partition << OFFSET_BITS | offset


def unpacked(place: int) -> tuple[int, int]:
    """Partition and offset."""
    return place >> OFFSET_BITS, place & ((1 << OFFSET_BITS) - 1)


def digest(message_id: bytes, source: bytes = b"") -> tuple[int, int]:
    """Two times 64 bits: of the id alone, and of the id with its source.

    Nobody will find two ids that share 128 bits of blake2b, so a match needs no second look.
    """
    a, b = _TWO.unpack(blake2b(message_id, digest_size=_TWO.size).digest())
    return a, b ^ _salt(source)


@lru_cache(maxsize=1_024)
def _salt(source: bytes) -> int:
    (salt,) = _EIGHT.unpack(blake2b(source, digest_size=_EIGHT.size).digest())
    return int(salt)


def event_rows(records: Iterable[Record]) -> list[tuple[int, Standing]]:
    """Each event's first digest and how it stands; nothing for what no ingest of ours wrote."""
    rows = []
    for record in records:
        headers = dict(record.headers)
        if "id" in headers and "source" in headers:
            a, b = digest(headers["id"], headers["source"])
            place = record.partition << OFFSET_BITS | record.offset
            rows.append((a, (int(record.at * 1000), place, b)))
    return rows


def page_row(record: Record) -> PageRow | None:
    """What a page of the ledger says of itself; None for what is none."""
    headers = dict(record.headers)
    try:
        low, high, name = int(headers["low"]), int(headers["high"]), headers["to"].decode()
    except (KeyError, ValueError):
        return None
    return PageRow(record.partition, (high - low).bit_length(), low, high, record.offset, name)


def other_rows(record: Record) -> Iterator[tuple[int, str, int]]:
    """What finds a record beside the events: its id's digest, or that of the letter it settles.

    What is parked is found by its lane, too.
    """
    headers = dict(record.headers)
    if record.stream == REJECTED:
        names = [(orjson.loads(record.value).get("messageId") or "").encode()]
    else:
        names = [headers.get("settles") or headers.get("id", b"")]
    if record.stream == PARKED:
        names.append(lane_name(headers.get("to", b""), record.key))
    for name in filter(None, names):
        yield digest(name)[0], record.stream, packed(record.partition, record.offset)


def lane_name(destination: bytes, key: bytes) -> bytes:
    """What the parked events of a key at an instance are found by."""
    return destination + b"\0" + key


def key_mark(key: bytes) -> bytes:
    """Four bytes that stand for a key."""
    return _KEY.pack(zlib.crc32(key))


def runs(records: Sequence[Record]) -> Iterator[tuple[int, bytes]]:
    """The marks of the keys of adjacent offsets, and the place of the first; gaps end a run."""
    start = 0
    marks: list[bytes] = []
    for record in records:
        place = record.partition << OFFSET_BITS | record.offset
        if place != start + len(marks):
            if marks:
                yield start, b"".join(marks)
            start, marks = place, []
        marks.append(key_mark(record.key))
    if marks:
        yield start, b"".join(marks)


def found_in(marks: bytes, mark: bytes) -> Iterator[int]:
    """Where in a run a key's mark stands."""
    at = marks.find(mark)
    while at >= 0:
        if at % KEY_BYTES == 0:
            yield at // KEY_BYTES
        at = marks.find(mark, at + 1)
