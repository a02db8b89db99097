"""What breaks, and when: each script is told of a run, and breaks it by the run's die."""

from __future__ import annotations

import asyncio
import contextlib
import resource
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any

from hub.log import EVENTS, LogError
from tests.faults import witness
from tests.faults.load import POISON
from tests.faults.play import Play
from tests.faults.skewed import step
from tests.faults.stage import DELIVERY, INGEST

Script = Callable[[Play], Awaitable[None]]

PAUSE = 150
"""Events that are accepted between two faults."""

HOUR = 3_600.0
AWAY = 60.0
REBALANCES = 200

META_REFUSES = {"message": "Invalid parameter", "code": 100, "error_subcode": 2804003}
META_EXPIRED = {"message": "Session has expired.", "code": 190, "error_subcode": 463}
REVOKED: dict[str, Any] = {
    "ads": {"status": 403, "body": {"error": {"type": "OAuthException", **META_EXPIRED}}},
    "mail": {
        "status": 401,
        "body": {
            "errors": [
                {
                    "status": 401,
                    "code": "authentication_failed",
                    "title": "Incorrect authentication credentials.",
                    "detail": "Incorrect authentication credentials.",
                    "source": {"pointer": "/data/"},
                }
            ]
        },
    },
    "crm": {
        "status": 401,
        "body": {
            "status": "error",
            "category": "INVALID_AUTHENTICATION",
            "message": "Authentication credentials not found.",
        },
    },
    "keyed": {"status": 410},
}


MOODS: Sequence[dict[str, Any]] = (
    {"status": 429, "headers": {"retry-after": "1"}},
    {"status": 503},
    {"html": True, "status": 500},
    {"hang": True},
    {"close": True},
    {"cut": True},
    {"truncate": True},
    {"slow": 0.5},
    {"slow": 4.0},
)


async def calm(play: Play) -> None:
    """The load, and nothing else."""
    await play.more(4 * PAUSE)


# Processes


def killing(*sets: Sequence[str]) -> Script:
    """One of each set is killed at work, again and again."""

    async def script(play: Play) -> None:
        for _ in range(play.rounds):
            await play.more(PAUSE)
            await asyncio.gather(*(play.killed(play.die.choice(names)) for names in sets))
        await play.more(PAUSE)

    return script


async def everybody_killed(play: Play) -> None:
    """All four processes at once, and once more."""
    for _ in range(play.rounds):
        await play.more(PAUSE)
        with play.away():
            await asyncio.gather(*(play.killed(name) for name in (*INGEST, *DELIVERY)))
    await play.more(PAUSE)


async def frozen(play: Play) -> None:
    """A process hangs, shorter or longer than its group waits for it, and goes on."""
    for _ in range(play.rounds):
        await play.more(PAUSE)
        await play.frozen(play.die.choice((*INGEST, *DELIVERY)))
    await play.more(PAUSE)


async def rolling_restart(play: Play) -> None:
    """Each process stops and begins again, one after the other, as a deployment does it."""
    for name in (*INGEST, *DELIVERY):
        await play.more(PAUSE)
        await play.restarted(name)
    await play.more(PAUSE)


async def rebalances(play: Play) -> None:
    """A member joins every group and leaves it again, each time a rebalance."""
    log = await witness.opened(play.stage.log)

    async def joins_and_leaves(group: str) -> None:
        for _ in range((play.count or REBALANCES) // 2):
            with contextlib.suppress(LogError):  # it may be away by the same script
                reader = await log.open_reader(EVENTS, group)
                await play.moments(0.0, 0.3)
                await reader.close()
            await play.moments(0.0, 0.3)

    try:
        await asyncio.gather(*map(joins_and_leaves, play.stage.instances))
    finally:
        await log.close()


# The log


async def broker_killed(play: Play) -> None:
    """The broker is killed at work, and comes back with what it had."""
    for _ in range(play.rounds):
        await play.more(PAUSE)
        with play.away():
            play.broker.kill()
            await play.moments(0.0, 3.0)
            await _returned(play.broker)
    await play.more(PAUSE)


async def broker_frozen(play: Play) -> None:
    """The broker holds its connections and answers nothing, for longer than an append waits."""
    for _ in range(play.rounds):
        await play.more(PAUSE)
        with play.away():
            play.broker.freeze()
            await asyncio.sleep(play.seconds or 10.0)
            play.broker.thaw()
    await play.more(PAUSE)


async def kafka_away(play: Play) -> None:
    """Kafka is stopped under load, and comes back after a minute."""
    await play.more(PAUSE)
    with play.away():
        await asyncio.to_thread(play.broker.stop)
        await asyncio.sleep(play.seconds or AWAY)
        await _returned(play.broker)
    await play.more(PAUSE)


async def cluster_minority(play: Play) -> None:
    """One broker after the other is killed or hangs, each a leader of some partitions; the other
    two go on.
    """
    numbers = list(play.broker.brokers)
    play.die.shuffle(numbers)
    for number in numbers:
        await play.more(PAUSE)
        if play.die.random() < 0.5:
            play.broker.kill(number)
        else:
            play.broker.freeze(number)
        await play.more(PAUSE)
        play.broker.thaw(number)
        if play.broker.brokers[number].pid is None:
            await _returned(play.broker.brokers[number])
    await play.more(PAUSE)


async def cluster_majority(play: Play) -> None:
    """Two of three brokers are killed: nothing can be durable until one of them is back."""
    await play.more(PAUSE)
    numbers = play.die.sample(list(play.broker.brokers), 2)
    with play.away():
        for number in numbers:
            play.broker.kill(number)
        await play.moments(3.0, 8.0)
        for number in numbers:
            await _returned(play.broker.brokers[number])
    await play.more(PAUSE)


async def broker_disk_full(play: Play) -> None:
    """The broker cannot write, and ends itself; there is room again, and somebody begins it."""
    await play.more(PAUSE)
    with play.away():
        with _full([play.broker.pid]):
            await play.moments(3.0, 6.0)
        play.broker.kill()
        await _returned(play.broker)
    await play.more(PAUSE)


async def ingest_disk_full(play: Play) -> None:
    """While Kafka is away ingest has only its disk, and that is full for a while."""
    await play.more(PAUSE)
    with play.away():
        await asyncio.to_thread(play.broker.stop)
        await play.moments(2.0, 4.0)
        with _full([play.stage.running[name].pid for name in INGEST]):
            await play.moments(3.0, 6.0)
        await play.moments(1.0, 2.0)
        await _returned(play.broker)
    await play.more(PAUSE)


async def disk_full(play: Play) -> None:
    """Nobody can write to the embedded log, neither events nor what became of them."""
    for _ in range(play.rounds):
        await play.more(PAUSE)
        with (
            play.away(),
            _full([play.stage.running[name].pid for name in (*INGEST, *DELIVERY)]),
        ):
            await play.moments(3.0, 6.0)
    await play.more(PAUSE)


@contextlib.contextmanager
def _full(processes: Sequence[int]) -> Iterator[None]:
    """For these processes every file is full: what a full disk is to them, and to nobody else. It
    needs no rights, as the mount of a small disk would.
    """
    before = {pid: resource.prlimit(pid, resource.RLIMIT_FSIZE) for pid in processes}
    for pid, (_, most) in before.items():
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (1, most))
    try:
        yield
    finally:
        for pid, limits in before.items():
            try:
                resource.prlimit(pid, resource.RLIMIT_FSIZE, limits)
            except ProcessLookupError:
                continue  # it did not survive, and nothing says that it must


async def _returned(broker: Any) -> None:
    """A broker is begun again, and answers."""
    broker.launch()  # by the main thread: it ends with the thread that began it
    await asyncio.to_thread(broker.wait)


# Vendors


def misbehaving(*places: str, **fault: Any) -> Script:
    """Vendors show a fault for some seconds, to all requests or to a share of them."""

    async def script(play: Play) -> None:
        for _ in range(play.rounds):
            await play.more(PAUSE)
            share = play.die.choice([0.3, 0.7, 1.0])
            async with play.fault(*places, **{"share": share, **fault}):
                await play.moments(2.0, 5.0)
        await play.more(PAUSE)

    return script


async def in_doubt(play: Play) -> None:
    """Answers get lost at the vendor, and with workers that are killed."""
    for _ in range(play.rounds):
        await play.more(PAUSE)
        async with play.fault(close=True, share=0.3):
            await play.moments(1.0, 3.0)
        await play.killed(play.die.choice(DELIVERY))
    await play.more(PAUSE)


async def token_revoked(play: Play) -> None:
    """Credentials are refused, and a while later they are good again; nobody restarts anything."""
    for _ in range(play.rounds):
        await play.more(PAUSE)
        with play.away():
            for place in play.stage.instances:
                await play.stage.ask(place, **REVOKED[place])
            await play.moments(4.0, 8.0)
            for place in play.stage.instances:
                await play.stage.ask(place)
    await play.more(PAUSE)


async def lanes_stuck(play: Play) -> None:
    """Some users' events fail for longer than a lane may hold up its partition, then no more."""
    for _ in range(play.rounds):
        await play.more(PAUSE)
        stuck = f'"u{play.die.randrange(10)}-'
        async with play.fault(status=500, match=stuck):
            await play.moments(6.0, 10.0)
    await play.more(PAUSE)


async def lanes_moved(play: Play) -> None:
    """Users' events are parked and come back while their partitions move to and fro, over a broker
    that hangs now and then.
    """
    moving = asyncio.create_task(rebalances(play))
    try:
        for _ in range(play.rounds):
            async with play.fault(status=500, match='"u1'):
                await play.moments(6.0, 10.0)
            for _ in range(play.rounds):
                await play.moments(0.0, 3.0)
                with play.away():
                    play.broker.freeze()
                    await play.moments(0.5, 3.0)
                    play.broker.thaw()
    finally:
        await moving


async def all_alive(play: Play) -> None:
    """The load for as long as is wished."""
    if play.seconds is None:
        await play.more(play.load.least)
    else:
        await asyncio.sleep(play.seconds)


async def one_dead(play: Play) -> None:
    """A vendor answers nothing for as long as events come, and is mended at the end."""
    async with play.fault(play.die.choice(play.stage.instances), hang=True):
        await all_alive(play)


async def poisoned(play: Play) -> None:
    """What is poisoned is refused, and with it its whole batch; nobody else may suffer."""
    for place in play.stage.instances:
        body = {"error": {"type": "OAuthException", **META_REFUSES}} if place == "ads" else {}
        await play.stage.ask(place, match=POISON, status=400, body=body)
    await play.more(6 * PAUSE)


# All of it


async def chaos(play: Play) -> None:
    """Processes, the broker and vendors break at the same time, each by its own turn of the die."""

    async def processes() -> None:
        for _ in range(2 * play.rounds):
            await play.more(PAUSE)
            names = play.die.choice([INGEST, DELIVERY])
            breaks = play.die.choice([play.killed, play.restarted, play.frozen])
            await breaks(play.die.choice(names))

    async def broker() -> None:
        for _ in range(play.rounds):
            await play.moments(5.0, 15.0)
            with play.away():
                if play.die.random() < 0.5:
                    play.broker.kill()
                    await _returned(play.broker)
                else:
                    play.broker.freeze()
                    await play.moments(1.0, 10.0)
                    play.broker.thaw()

    async def vendors() -> None:
        for _ in range(2 * play.rounds):
            await play.moments(1.0, 5.0)
            async with play.fault(
                play.die.choice(play.stage.instances), **play.die.choice(MOODS), share=0.5
            ):
                await play.moments(1.0, 5.0)

    await asyncio.gather(processes(), broker(), vendors())
    await play.more(PAUSE)


# Time


async def clock_steps(play: Play) -> None:
    """Somebody sets the clock an hour ahead, then an hour back, then right."""
    assert play.stage.skew is not None
    for ahead in (HOUR, -HOUR, 0.0):
        await play.more(2 * PAUSE)
        step(play.stage.skew, ahead)
    await play.more(2 * PAUSE)
