"""How large an entry is, and how large it and a note may be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hub.log import NOTE_CHARACTERS, Entry, EntryTooLarge

# Kafka's default `message.max.bytes` is one mebibyte and twelve bytes, for a whole batch. The other
# logs keep the same bound, so that what one of them takes, any of them takes.
ENTRY_BYTES = 1_048_576

# What Kafka writes around one record that travels alone: 61 bytes of batch, up to 25 of lengths,
# timestamp and attributes; and up to 10 bytes of lengths around a header. Rounded up.
_AROUND_ENTRY = 128
_AROUND_HEADER = 10


def size_of(entry: Entry) -> int:
    """Bytes that an entry takes in a log, with what a log writes around it; counted, whatever the
    entry says of its size.
    """
    headers = entry.headers
    size = _AROUND_ENTRY + len(entry.key) + len(entry.value) + _AROUND_HEADER * len(headers)
    for name, told in headers:
        size += len(told) + (len(name) if name.isascii() else len(name.encode()))
    return size


def measured(entries: Sequence[Entry], most: int = ENTRY_BYTES, log: str = "the log") -> int:
    """Bytes of all entries together. Raises EntryTooLarge when one has more than `most`, which
    `log` takes.
    """
    sizes = [entry.size or size_of(entry) for entry in entries]
    if (largest := max(sizes, default=0)) > most:
        raise EntryTooLarge(f"an entry of {largest:,} bytes; {log} takes up to {most:,}")
    return sum(sizes)


def check_notes(notes: Mapping[int, str]) -> None:
    """Raise ValueError when a note is longer than a log takes, or not ASCII."""
    for partition, note in notes.items():
        if len(note) > NOTE_CHARACTERS or not note.isascii():
            raise ValueError(
                f"the note of partition {partition} has {len(note):,} characters;"
                f" the log takes up to {NOTE_CHARACTERS:,}, all ASCII"
            )
