"""The log and its two promises: an append that returned is durable, and one key keeps its order.

1. `append` returns when every entry is durable: Kafka with acks=all and an idempotent producer,
   SQLite with a committed and fsynced transaction. When it raises, nothing is promised either way.
2. The key decides the partition (as Kafka's default partitioner would). A group's reader gets every
   record of its partitions in order, at least once, from its committed place on.

One contract suite (`tests/hub/log/test_contract*.py`, `test_processes.py`) runs against memory,
SQLite and Kafka.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, NamedTuple, Protocol

from msgspec import Struct

EVENTS = "events"
REJECTED = "rejected"
PARKED = "parked"
DEAD_LETTERS = "dead_letters"
DELIVERIES = "deliveries"
TOKENS = "tokens"

STREAMS = (EVENTS, REJECTED, PARKED, DEAD_LETTERS, DELIVERIES, TOKENS)

# Of these a key's last record is kept for ever, and earlier ones only for a while. Offsets of such
# a stream have gaps.
COMPACTED = frozenset({TOKENS})

# A key's partition has the same number in each of these: who owns it in one, owns it in all.
ALIGNED = (EVENTS, PARKED, DELIVERIES)

NOTE_CHARACTERS = 4_000
"""The longest note beside a commit; Kafka takes 4,096 bytes of it."""

NO_NOTES: Final[Mapping[int, str]] = MappingProxyType({})

Header = tuple[str, bytes]

Headers = tuple[Header, ...]

# LogError               the log did not do what was asked
# ├── LogUnavailable     it is away or too slow now; the same call may succeed later
# ├── EntryTooLarge      one entry is larger than the log takes; it never will
# └── LogMisconfigured   its settings, topics or rights are wrong; a person must act


class LogError(Exception):
    """The log did not do what was asked."""


class LogUnavailable(LogError):
    """The log is away or too slow now; the same call may succeed later."""


class EntryTooLarge(LogError):
    """An entry is larger than the log takes."""


class LogMisconfigured(LogError):
    """The log's settings, streams or rights are wrong; the message says which and the fix."""


class Entry(Struct, frozen=True, gc=False):
    """What is appended: a key that decides order, a value, and headers that filters may read.

    `size`: what `hub.log.size.size_of` counts, if who made it knows; else 0.
    """

    key: bytes
    value: bytes
    headers: Headers = ()
    size: int = 0


class Place(NamedTuple):
    """Where a record stands."""

    partition: int
    offset: int


class Record(Struct, frozen=True, gc=False):
    """An entry in the log. `at` is the time of the append, in seconds since the epoch."""

    stream: str
    partition: int
    offset: int
    key: bytes
    value: bytes
    headers: Headers
    at: float


@dataclass(frozen=True, slots=True)
class Span:
    """What one partition holds: offsets `first` to `end` (exclusive)."""

    partition: int
    first: int
    end: int


@dataclass(frozen=True, slots=True)
class StreamStatus:
    """A stream's partitions and, for each group, the committed place of each partition."""

    stream: str
    spans: tuple[Span, ...]
    groups: Mapping[str, Mapping[int, int]] = field(default_factory=dict)

    def lag(self, group: str) -> int:
        """Records the group has not finished; a partition never committed counts whole."""
        places = self.groups.get(group, {})
        return sum(
            max(0, span.end - max(places.get(span.partition, 0), span.first)) for span in self.spans
        )


@dataclass(frozen=True, slots=True)
class Committed:
    """What a group last committed of a partition: the next offset to read (None: never), and the
    note that was left with it.
    """

    place: int | None
    note: str = ""


OnRevoke = Callable[[frozenset[int]], Awaitable[None]]


class Reader(Protocol):
    """One member of a group; the log shares the stream's partitions out among the members."""

    @property
    def partitions(self) -> frozenset[int]:
        """The partitions this member reads now."""

    @property
    def in_touch(self) -> bool:
        """Whether the group gave a sign within a session: if not, what is read may be another's by
        now, and nothing should be done about it.
        """

    async def take(self, limit: int, wait: float) -> Sequence[Record]:
        """Up to `limit` records of the partitions that are not paused.

        Waits up to `wait` seconds for the first. Keeps the membership alive, so it is called also
        when everything is paused.
        """

    def pause(self, partitions: Collection[int]) -> None:
        """Give no records of these partitions until `resume`; places are kept. A partition that
        moves away and comes back is not paused.
        """

    def resume(self, partitions: Collection[int]) -> None:
        """Give records of these partitions again."""

    async def commit(self, places: Mapping[int, int], notes: Mapping[int, str] = NO_NOTES) -> None:
        """Remember, durably, the next offset to read per partition, and a note with it: ASCII, up
        to NOTE_CHARACTERS. Without one, the partition's note is empty from then on.

        A partition that is not this member's any more is skipped: its new owner reads from the
        last commit. Raises ValueError for a note that is too long or not ASCII, and LogUnavailable.
        """

    async def committed(self, partitions: Collection[int]) -> Mapping[int, Committed]:
        """What the group last committed of these partitions, by whichever member, as the log has
        it now. Raises LogUnavailable.
        """

    async def close(self) -> None:
        """Leave the group; uncommitted records will be read again. `on_revoke` is not called: who
        closes knows, and commits before.
        """


class Log(Protocol):
    """Streams of partitions, durable and ordered by key."""

    async def append(self, stream: str, entries: Sequence[Entry]) -> Sequence[Place]:
        """Durably append; returns one place per entry, in order.

        Entries of one call that share a key keep their order, and so do calls of which one
        returned before the next began. Raises LogUnavailable (nothing is promised either way) or
        EntryTooLarge (nothing was written).
        """

    async def open_reader(
        self, stream: str, group: str, *, on_revoke: OnRevoke | None = None
    ) -> Reader:
        """Join `group` on `stream`; a new group begins at the first record.

        `on_revoke` is awaited when partitions are about to move to another member: the last chance
        to commit them.
        """

    async def read(self, stream: str, partition: int, offset: int, limit: int) -> Sequence[Record]:
        """Up to `limit` records from `offset` on (or from the first kept), without a group."""

    async def offset_at(self, stream: str, partition: int, at: float) -> int:
        """The offset of the first record appended at or after `at` (seconds); the end if none."""

    async def status(self) -> Sequence[StreamStatus]:
        """All streams with their spans and groups."""

    async def ready(self) -> None:
        """Return when the log can be appended to; raises LogUnavailable or LogMisconfigured."""

    async def close(self) -> None:
        """Finish appends in flight and let go."""
