"""Runs scenarios, one after the other, each in a folder and on a log of its own."""

from __future__ import annotations

import random
import secrets
import shutil
import tempfile
import time
from pathlib import Path

from tests.faults.checker import Verdict
from tests.faults.load import Load
from tests.faults.play import Line, Play, Scenario, delays, ended, played, settled
from tests.faults.skewed import step
from tests.faults.stage import Stage, stage
from tests.faults.witness import Journal
from tests.kafka.broker import Broker, Cluster

PARTITIONS = 6
ROUNDS = 3
FRAIL = {"broker.session.timeout.ms": "1000", "broker.heartbeat.interval.ms": "250"}


class Logs:
    """The brokers that runs share, one after the other, begun when they are first asked for."""

    def __init__(self) -> None:
        self._brokers: dict[str, Broker | Cluster] = {}

    def broker(self, kind: str) -> Broker | Cluster | None:
        """What keeps a log of this kind, at work and in good health."""
        if kind == "sqlite":
            return None
        if kind not in self._brokers:
            # A broker that was killed is let in again when its last session is over.
            self._brokers[kind] = Cluster() if kind == "cluster" else Broker(FRAIL)
            self._brokers[kind].start()
        self._brokers[kind].revive()
        return self._brokers[kind]

    def close(self) -> None:
        for broker in self._brokers.values():
            broker.remove()


def log_table(broker: Broker | Cluster | None, folder: Path) -> str:
    """A `[log]` table for a run."""
    match broker:
        case None:
            told = ["kind = 'sqlite'", f"path = '{folder / 'hub.db'}'"]
        case Broker():
            told = [f"bootstrap_servers = '{broker.bootstrap}'"]
        case Cluster():
            told = [
                f"bootstrap_servers = '{broker.bootstrap_servers}'",
                "replication_factor = 3\nmin_insync_replicas = 2",
            ]
    if broker is not None:
        prefix = f"topic_prefix = 'faults-{secrets.token_hex(4)}.'"
        told += ["kind = 'kafka'", prefix, "session_timeout = 4.0"]
    return "\n".join(["[log]", *told, f"partitions = {PARTITIONS}"])


async def run(
    name: str,
    scenario: Scenario,
    seed: int,
    kind: str,
    broker: Broker | Cluster | None,
    *,
    rounds: int = ROUNDS,
    count: int | None = None,
    seconds: float | None = None,
) -> Line:
    """One run of a scenario, on a log of this kind that `broker` keeps; none keeps a file."""
    folder = Path(tempfile.mkdtemp(prefix=f"faults-{name}-"))
    began = time.monotonic()
    table = log_table(broker, folder)
    made = Stage(folder, table, scenario.instances, seed)
    if scenario.skewed:
        made.skew = folder / "clock"
        step(made.skew, 0.0)
    play = Play(
        made,
        Load(made.hosts, made.key, seed, scenario.shape, count or scenario.events),
        random.Random(seed),
        broker,
        Journal(made.journal),
        rounds,
        count,
        seconds,
    )
    verdicts: list[Verdict] = []
    try:
        async with stage(made):
            await played(play, scenario)
            verdicts = await settled(play)
            await ended(play)
    except Exception as error:
        # The next scenario may have more luck; this one's line is broken.
        play.troubles.append(f"{type(error).__name__}: {error}")
    play.journal.close()
    line = Line(
        name,
        seed,
        kind,
        verdicts,
        scenario.once,
        scenario.patience,
        max(made.peaks.values(), default=0),
        time.monotonic() - began,
        play.troubles,
        delays(play),
        [name for name, spans in play.broken.items() if spans],
    )
    if line.sound:
        shutil.rmtree(folder)
    else:
        play.troubles.append(f"what the processes said is in {folder}")
    return line
