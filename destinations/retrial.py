"""Dead letters as an errand: the engine delivers them once more, and each is settled for good.

What is refused again becomes a new dead letter.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import Final

from msgspec.structs import replace

from destinations.deadletters import DeadLetter, settle
from destinations.errand import Errand
from hub.clock import Clock
from hub.log import Log, Record

AT_ONCE: Final = 100
"""Letters that are held at once, besides those on their way."""


def retrial(
    name: str, log: Log, letters: AsyncIterator[DeadLetter], clock: Clock, rate: float
) -> Errand[DeadLetter]:
    """The errand of sending `letters` again, `rate` of them a second.

    A retry that was interrupted goes on where it was: what is settled is open no more.
    """

    async def finish(finished: Sequence[DeadLetter]) -> None:
        await settle(log, finished)

    return Errand(name, _given(letters), finish, clock, rate)


async def _given(
    letters: AsyncIterator[DeadLetter],
) -> AsyncGenerator[Sequence[tuple[Record, DeadLetter]], None]:
    numbers: dict[int, int] = defaultdict(int)
    some: list[tuple[Record, DeadLetter]] = []
    async for letter in letters:
        partition = letter.body["place"]["partition"]
        some.append((_record(letter, numbers[partition]), letter))
        numbers[partition] += 1
        if len(some) == AT_ONCE:
            yield some
            some = []
    yield some


def _record(letter: DeadLetter, number: int) -> Record:
    """The letter's event as the `number`th of its partition; its own place, by which the ledger
    knows it, is a header.
    """
    event = letter.event
    where = b"%d:%d" % (event.partition, event.offset)
    return replace(event, offset=number, headers=(*event.headers, ("place", where)))
