"""JSON of any depth: orjson writes 254 levels, and an event may have a thousand.

Not by `orjson.Fragment`: a fragment below some 65 brackets is written beyond orjson's own buffer
(seen in 3.10 to 3.13: `free(): invalid next size`), so one event could end the process.
"""

from __future__ import annotations

from typing import Any

import orjson


def dumps(value: Any) -> bytes:
    """The JSON of a parsed value, however deep. Raises TypeError for what is no JSON."""
    try:
        return orjson.dumps(value)
    except TypeError:
        return b"".join(_pieces(value))


def _pieces(value: Any) -> list[bytes]:
    """The JSON piece by piece, without recursion: slower, and only for what orjson cannot write."""
    pieces = []
    # What is still to be written, last first; bytes are JSON already.
    left: list[Any] = [value]
    while left:
        one = left.pop()
        if isinstance(one, bytes):
            pieces.append(one)
        elif isinstance(one, dict):
            inner: list[Any] = [b"{"]
            for key, held in one.items():
                if not isinstance(key, str):
                    raise TypeError("a key of JSON is text")
                inner += (b"" if len(inner) == 1 else b",", orjson.dumps(key), b":", held)
            left += reversed([*inner, b"}"])
        elif isinstance(one, list):
            inner = [b"["]
            for held in one:
                inner += (b"" if len(inner) == 1 else b",", held)
            left += reversed([*inner, b"]"])
        else:
            pieces.append(orjson.dumps(one))
    return pieces
