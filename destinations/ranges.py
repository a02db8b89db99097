"""Sets of offsets as ranges, and their short form for places where every byte counts. Pure."""

from __future__ import annotations

import zlib
from base64 import b85decode, b85encode
from collections.abc import Iterable, Sequence

Range = tuple[int, int]
"""The first offset, and the one after the last."""


def ranges_of(offsets: Iterable[int]) -> list[Range]:
    """Offsets in any order as ranges in growing order, none touching the next."""
    return joined((offset, offset + 1) for offset in offsets)


def joined(ranges: Iterable[Range]) -> list[Range]:
    """Ranges in any order as ranges in growing order, none touching the next."""
    found: list[Range] = []
    for first, end in sorted(ranges):
        if found and first <= found[-1][1]:
            found[-1] = found[-1][0], max(end, found[-1][1])
        else:
            found.append((first, end))
    return found


def packed(ranges: Sequence[Range], base: int) -> str:
    """Ranges at or after `base` in printable ASCII.

    Gaps and lengths in turn as variable-length integers, deflated: 10,000 offsets of which a random
    half is in the set take some 1,900 characters, and a long run takes ten.
    """
    numbers = bytearray()
    end = base
    for first, after in ranges:
        for number in (first - end, after - first):
            while number >= 0x80:
                numbers.append(number & 0x7F | 0x80)
                number >>= 7
            numbers.append(number)
        end = after
    return b85encode(zlib.compress(bytes(numbers), 9)).decode() if numbers else ""


def unpacked(text: str, base: int) -> list[Range]:
    """The ranges that `packed` was given. Raises ValueError for what it did not make."""
    if not text:
        return []
    try:
        data = zlib.decompress(b85decode(text))
    except zlib.error as error:
        raise ValueError(f"no packed ranges: {error}") from None
    numbers: list[int] = []
    number = shift = 0
    for byte in data:
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            numbers.append(number)
            number = shift = 0
    if shift or len(numbers) % 2:
        raise ValueError("no packed ranges: they end within a number")
    ranges = []
    end = base
    for gap, length in zip(numbers[::2], numbers[1::2], strict=True):
        ranges.append((end + gap, end + gap + length))
        end += gap + length
    return ranges
