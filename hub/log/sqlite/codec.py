"""A record in bytes, so that many of them can be read as one value."""

from __future__ import annotations

from struct import Struct
from typing import Final

from hub.log import Entry, Header, Record
from hub.log.pairs import Pairs

# bytes of the whole, offset, time, bytes of the key, number of headers
_HEAD = Struct("<IQdII")
_HEADER = Struct("<II")

# By the bytes that a header takes, its sizes among them.
_PAIRS: Final = Pairs()


def body_of(entry: Entry) -> bytes:
    """What an entry adds to its head: the rest does not depend on where it will stand."""
    parts = [entry.key]
    for name, value in entry.headers:
        named = name.encode()
        parts += (_HEADER.pack(len(named), len(value)), named, value)
    parts.append(entry.value)
    return b"".join(parts)


def encode(entry: Entry, body: bytes, offset: int, at: float) -> bytes:
    """The record that `entry` becomes at its place."""
    head = _HEAD.pack(_HEAD.size + len(body), offset, at, len(entry.key), len(entry.headers))
    return head + body


def decode(stream: str, partition: int, data: bytes) -> list[Record]:
    """The records of which `data` is made, one after the other."""
    known = _PAIRS.known
    records = []
    start = 0
    while start < len(data):
        size, offset, at, key_size, headers_count = _HEAD.unpack_from(data, start)
        end = start + size
        start += _HEAD.size
        key = data[start : (start := start + key_size)]
        headers = []
        for _ in range(headers_count):
            name_size, value_size = _HEADER.unpack_from(data, start)
            raw = data[start : (start := start + _HEADER.size + name_size + value_size)]
            headers.append(known.get(raw) or _made(raw, name_size))
        records.append(Record(stream, partition, offset, key, data[start:end], tuple(headers), at))
        start = end
    return records


def _made(raw: bytes, name_size: int) -> Header:
    middle = _HEADER.size + name_size
    return _PAIRS.made(raw, raw[_HEADER.size : middle].decode(), raw[middle:])
