"""A real Apache Kafka for tests, one broker or a cluster: fetched by Maven, on free ports."""

from __future__ import annotations

import ctypes
import hashlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Self

POM = Path(__file__).with_name("pom.xml")
CACHE = Path(__file__).parents[2] / ".cache" / "kafka"

# Loading classes and electing itself takes 3 s on an idle machine; CI machines are not idle.
START_SECONDS = 90.0
PORT_TRIES = 5

LOGGING = """\
status = error
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d %p %c{1} %m%n
rootLogger.level = warn
rootLogger.appenderRef.out.ref = out
logger.started.name = kafka.server.KafkaRaftServer
logger.started.level = info
"""


class BrokerError(Exception):
    """The broker could not be fetched or started."""


def missing_tools() -> list[str]:
    """The programs a broker needs and this machine lacks."""
    return [tool for tool in ("java", "mvn") if shutil.which(tool) is None]


def jars() -> Path:
    """The folder of the broker's jars; Maven fetches them the first time."""
    # Named after the whole pom.xml, so that a change of any version fetches anew.
    folder = CACHE / hashlib.sha256(POM.read_bytes()).hexdigest()[:16]
    if folder.is_dir():
        return folder
    CACHE.mkdir(parents=True, exist_ok=True)
    # The rename is atomic, so a fetch that was interrupted is never taken for a whole one.
    fetched = Path(tempfile.mkdtemp(prefix="fetching-", dir=CACHE))
    try:
        done = subprocess.run(
            [
                *("mvn", "-q", "-B", "-f", str(POM), "dependency:copy-dependencies"),
                f"-DoutputDirectory={fetched}",
            ],
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        if done.returncode:
            raise BrokerError(f"Maven could not fetch Kafka:\n{done.stdout}{done.stderr}")
        fetched.chmod(0o755)
        try:
            fetched.rename(folder)
        except OSError:
            if not folder.is_dir():  # else another test run was first, with the same jars
                raise
    finally:
        shutil.rmtree(fetched, ignore_errors=True)
    return folder


class Broker:
    """One broker (and controller) with its data in a folder of its own, or below `data`.

    `properties` are added to its settings. `listener` is the security protocol of the port that
    clients use; anything but PLAINTEXT needs its settings among `properties`. `number` is its
    node's, and `memory` the heap, as the JVM writes it.
    """

    def __init__(
        self,
        properties: Mapping[str, str] | None = None,
        listener: str = "PLAINTEXT",
        *,
        data: Path | None = None,
        number: int = 1,
        memory: str = "512m",
    ) -> None:
        self.number = number
        self._properties = dict(properties or {})
        self._listener = listener
        self._memory = memory
        self._folder = Path(tempfile.mkdtemp(prefix="hub-kafka-"))
        self._data = (data or self._folder) / f"data-{number}"
        self._process: subprocess.Popen[bytes] | None = None
        self._ports = (0, 0)

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self._ports[0]}"

    @property
    def voter(self) -> str:
        """How the controllers of a cluster know this one."""
        return f"{self.number}@127.0.0.1:{self._ports[1]}"

    @property
    def pid(self) -> int | None:
        """The process, while it runs; a broker whose disk is full has ended itself."""
        if self._process is None or self._process.poll() is not None:
            return None
        return self._process.pid

    def start(self) -> None:
        """Format new storage and start; if someone else took a port, try others."""
        start([self])

    def prepare(self, voters: Sequence[str]) -> None:
        """Write settings and format new storage, as one of the controllers `voters`."""
        self._write_settings(voters)
        self._format()

    def choose_ports(self) -> None:
        """Ports that nobody has now."""
        self._ports = _free_ports()

    def restart(self) -> None:
        """Start again after `stop` or `kill`, on the same data and ports."""
        self.launch()
        self.wait()

    def revive(self) -> None:
        """Run and answer again, whatever was done to it."""
        self.thaw()
        if self.pid is None:
            self.restart()

    def launch(self) -> None:
        """Begin to start. On Linux it ends with the thread that called this: call from the main."""
        with (self._folder / "broker.log").open("wb") as log:
            self._process = subprocess.Popen(
                self._java(
                    f"-Xmx{self._memory}", "kafka.Kafka", str(self._folder / "server.properties")
                ),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                preexec_fn=_die_with_parent if sys.platform == "linux" else None,
            )

    def wait(self) -> None:
        """Return when it answers."""
        assert self._process is not None
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if self._process.poll() is not None:
                raise BrokerError(f"the broker ended:\n{self.log()}")
            if time.monotonic() > deadline:
                self._end(signal.SIGKILL)
                raise BrokerError(f"the broker did not answer:\n{self.log()}")
            time.sleep(0.05)

    def stop(self) -> None:
        """Ask it to end, and insist after a while."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it without warning, as a power cut would end the process."""
        self._end(signal.SIGKILL)

    def freeze(self) -> None:
        """Let it hold its connections and answer nothing."""
        if self._process is not None:
            self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it answer again."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)

    def remove(self) -> None:
        """End it and delete its data."""
        self._end(signal.SIGKILL)
        shutil.rmtree(self._data, ignore_errors=True)
        shutil.rmtree(self._folder, ignore_errors=True)

    def log(self) -> str:
        path = self._folder / "broker.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def _write_settings(self, voters: Sequence[str]) -> None:
        clients, controller = self._ports
        settings = {
            "process.roles": "broker,controller",
            "node.id": f"{self.number}",
            "controller.quorum.voters": ",".join(voters),
            "controller.listener.names": "CONTROLLER",
            "listeners": f"CLIENTS://127.0.0.1:{clients},CONTROLLER://127.0.0.1:{controller}",
            "advertised.listeners": f"CLIENTS://127.0.0.1:{clients}",
            "inter.broker.listener.name": "CLIENTS",
            "listener.security.protocol.map": f"CLIENTS:{self._listener},CONTROLLER:PLAINTEXT",
            "log.dirs": str(self._data),
            "auto.create.topics.enable": "false",
            "group.initial.rebalance.delay.ms": "0",
            "offsets.topic.num.partitions": "4",
            "offsets.topic.replication.factor": "1",
            "transaction.state.log.num.partitions": "1",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "share.coordinator.state.topic.num.partitions": "1",
            "share.coordinator.state.topic.replication.factor": "1",
            "share.coordinator.state.topic.min.isr": "1",
            "group.min.session.timeout.ms": "1000",
            "controlled.shutdown.enable": "false",
            "broker.session.timeout.ms": "3000",
            "num.network.threads": "2",
            "num.io.threads": "4",
            "log.cleaner.dedupe.buffer.size": "4194304",
            **self._properties,
        }
        lines = "".join(f"{name}={value}\n" for name, value in settings.items())
        (self._folder / "server.properties").write_text(lines)
        (self._folder / "log4j2.properties").write_text(LOGGING)

    def _format(self) -> None:
        shutil.rmtree(self._data, ignore_errors=True)
        done = subprocess.run(
            self._java(
                *("kafka.tools.StorageTool", "format"),
                *("-t", "c2VsZi1ob3N0ZWQtaHViIQ", "-c", str(self._folder / "server.properties")),
            ),
            capture_output=True,
            text=True,
            timeout=START_SECONDS,
            check=False,
        )
        if done.returncode:
            raise BrokerError(f"storage was not formatted:\n{done.stdout}{done.stderr}")

    def _answers(self) -> bool:
        # The port opens before the broker is unfenced, so the log is asked: Kafka writes this
        # line, at INFO, when it takes requests.
        try:
            socket.create_connection(("127.0.0.1", self._ports[0]), timeout=1.0).close()
        except OSError:
            return False
        return "Kafka Server started" in self.log()

    def _java(self, *arguments: str) -> list[str]:
        return [
            # It lives for seconds or minutes: what makes it quick later only makes it start late.
            *("java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", f"{jars()}/*"),
            f"-Dlog4j2.configurationFile={self._folder / 'log4j2.properties'}",
            *arguments,
        ]

    def _end(self, by: signal.Signals) -> None:
        if self._process is None:
            return
        self._process.send_signal(by)
        self._process.send_signal(signal.SIGCONT)  # one that is frozen hears nothing else
        try:
            self._process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None


class Cluster:
    """Brokers 1 to `size`, each a controller too; of three copies two must have a record.

    `data` is a folder for all their data, else each has its own; `properties` as for a broker.
    """

    def __init__(
        self,
        properties: Mapping[str, str] | None = None,
        *,
        size: int = 3,
        data: Path | None = None,
    ) -> None:
        shared = {
            "offsets.topic.replication.factor": f"{size}",
            "transaction.state.log.replication.factor": f"{size}",
            "share.coordinator.state.topic.replication.factor": f"{size}",
            "default.replication.factor": f"{size}",
            "min.insync.replicas": f"{size // 2 + 1}",
            # One that is frozen or killed is found out after three seconds, not nine.
            "broker.heartbeat.interval.ms": "500",
            **(properties or {}),
        }
        self.brokers = {
            number: Broker(shared, data=data, number=number, memory="256m")
            for number in range(1, size + 1)
        }

    @property
    def bootstrap_servers(self) -> str:
        return ",".join(broker.bootstrap for broker in self.brokers.values())

    def start(self) -> None:
        """Format new storage and start all brokers."""
        start(list(self.brokers.values()))

    def stop(self) -> None:
        """Ask all to end, and insist after a while."""
        with ThreadPoolExecutor(len(self.brokers)) as pool:
            list(pool.map(Broker.stop, self.brokers.values()))

    def kill(self, number: int) -> None:
        """End one without warning."""
        self.brokers[number].kill()

    def restart(self, number: int) -> None:
        """Start one again that was killed or stopped, on the same data."""
        self.brokers[number].restart()

    def freeze(self, number: int) -> None:
        """Let one hold its connections and answer nothing."""
        self.brokers[number].freeze()

    def thaw(self, number: int) -> None:
        """Let one answer again."""
        self.brokers[number].thaw()

    def revive(self) -> None:
        """Let all run and answer again, whatever was done to them."""
        gone = [broker for broker in self.brokers.values() if broker.pid is None]
        for broker in self.brokers.values():
            broker.thaw()
        for broker in gone:
            broker.launch()
        for broker in gone:
            broker.wait()

    def remove(self) -> None:
        """End all and delete their data."""
        for broker in self.brokers.values():
            broker.remove()

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.remove()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()


def start(brokers: Sequence[Broker]) -> None:
    """Format and start brokers that form one cluster; if someone else took a port, try others."""
    for attempt in range(PORT_TRIES):
        for broker in brokers:
            broker.choose_ports()
        voters = [broker.voter for broker in brokers]
        with ThreadPoolExecutor(len(brokers)) as pool:
            list(pool.map(Broker.prepare, brokers, [voters] * len(brokers)))
        try:
            for broker in brokers:
                broker.launch()
            for broker in brokers:
                broker.wait()
        except BrokerError:
            for broker in brokers:
                broker.kill()
            taken = any("Address already in use" in broker.log() for broker in brokers)
            if not taken or attempt == PORT_TRIES - 1:
                raise
        else:
            return


def _free_ports() -> tuple[int, int]:
    with socket.socket() as one, socket.socket() as two:
        one.bind(("127.0.0.1", 0))
        two.bind(("127.0.0.1", 0))
        return one.getsockname()[1], two.getsockname()[1]


def _die_with_parent() -> None:
    """Linux kills the broker when the test process is gone, however it went."""
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)
    if os.getppid() == 1:  # the parent died before the call
        os._exit(1)
