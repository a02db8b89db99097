"""The life of a process: asked, insisted, and how it tells that it is well."""

from __future__ import annotations

import asyncio
import gc
import json
import platform
import re
import signal
import subprocess
import sys
import textwrap
import weakref

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from hub.metrics import Metrics
from hub.process import COLLECTING, health_routes, little_collecting, run
from hub.settings import Fault, Misconfigured

CHILD = """
    import asyncio, sys
    from hub.process import asked_to_stop, run

    async def main():
        asked = asked_to_stop()
        print("ready", flush=True)
        await asked.wait()
        print("asked", flush=True)
        if "stubborn" in sys.argv:
            await asyncio.sleep(60)
        return 3

    sys.exit(run(main()))
"""


def child(code: str, *arguments: str) -> subprocess.Popen[str]:
    """A process of ours."""
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def line(process: subprocess.Popen[str]) -> str:
    """The next line that it says."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_first_signal_asks(number: signal.Signals) -> None:
    """The process hears it, ends its work, and leaves with its own status."""
    with child(CHILD) as process:
        ready = line(process)
        process.send_signal(number)

        assert ("ready", "asked", 3) == (ready, line(process), process.wait(20))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_second_signal_insists(number: signal.Signals) -> None:
    """Whatever it waits for, the process ends now."""
    with child(CHILD, "stubborn") as process:
        said = [line(process)]
        process.send_signal(signal.SIGTERM)
        said.append(line(process))
        process.send_signal(number)

        assert (["ready", "asked"], 128 + number) == (said, process.wait(20))


def test_wrong_settings_end_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    """Each fault is a line on standard error, without a traceback."""

    async def main() -> int:
        raise Misconfigured([Fault("a", "is wrong"), Fault("b.c", "is missing")])

    assert 2 == run(main())
    assert ("", "a: is wrong\nb.c: is missing\n") == capsys.readouterr()


def test_an_interruption_ends_with_130() -> None:
    """Ctrl-C before the signals are heard is no traceback."""

    async def main() -> int:
        raise KeyboardInterrupt

    assert 130 == run(main())


def test_the_status_is_mains() -> None:
    """What `main` returns is how the process ends; it runs on uvloop."""

    async def main() -> int:
        assert type(asyncio.get_running_loop()).__module__.startswith("uvloop")
        return 7

    assert 7 == run(main())


LOGS = """
    import logging, structlog
    from hub.process import begin_logging

    begin_logging()
    log = structlog.get_logger("destinations").bind(destination="crm")
    log.debug("never told")
    log.warning("dead letter", id="m1", odd=object)
    def breaks(person):
        raise ValueError("no")
    try:
        breaks("jane-in-a-local")
    except ValueError:
        log.exception("bug")
    logging.getLogger("aiohttp").info("a diary")
    logging.getLogger("aiohttp").warning("is away")
    logging.getLogger("aiokafka").error("is away, and again, and again")
"""


def test_a_happening_is_a_line_of_json() -> None:
    """On standard error, with its level and its time in UTC; nothing on standard output."""
    out, err = child(LOGS).communicate(timeout=20)
    first, second, last = err.splitlines()
    told = json.loads(first)

    assert "" == out
    assert ("dead letter", "warning", "crm", "m1") == (
        told["event"],
        told["level"],
        told["destination"],
        told["id"],
    )
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", told["timestamp"])
    assert "bug" == json.loads(second)["event"]
    assert "aiohttp: is away" == last


def test_a_traceback_names_lines_and_no_people() -> None:
    """Which function broke is told, and what it was given is not."""
    _, err = child(LOGS).communicate(timeout=20)
    (broke,) = json.loads(err.splitlines()[1])["exception"]

    assert ("ValueError", "breaks") == (broke["exc_type"], broke["frames"][-1]["name"])
    assert "jane-in-a-local" not in err


async def test_a_state_is_told() -> None:
    """Ready, and not quite as usual: whoever looks sees how it stands."""

    async def ready() -> str:
        return "spooling"

    app = web.Application()
    app.add_routes(health_routes(Metrics(), ready))
    async with TestClient(TestServer(app)) as client, client.get("/readyz") as reply:
        said = await reply.json()

    assert (200, {"ok": True, "state": "spooling"}) == (reply.status, said)


async def test_health() -> None:
    """/healthz while it turns, /readyz while `ready` returns in time, /metrics for Prometheus."""
    trouble: list[Exception | float] = []

    async def ready() -> None:
        for what in trouble:
            if isinstance(what, Exception):
                raise what
            await asyncio.sleep(what)

    metrics = Metrics()
    metrics.ingest_unkept.labels("no_key").inc()
    app = web.Application()
    app.add_routes(health_routes(metrics, ready))
    async with TestClient(TestServer(app)) as client:

        async def got(path: str) -> tuple[int, object]:
            async with client.get(path) as reply:
                return reply.status, await reply.json()

        async with client.get("/metrics") as reply:
            scraped, kind = await reply.text(), reply.headers["Content-Type"]
        found = [await got("/healthz"), await got("/readyz")]
        trouble.append(ConnectionError("postgres://user:secret@host"))
        found += [await got("/healthz"), await got("/readyz")]
        trouble[:] = [60.0]
        late = await got("/readyz")

    assert [
        (200, {"ok": True}),
        (200, {"ok": True}),
        (200, {"ok": True}),
        (503, {"ok": False, "reason": "ConnectionError"}),
    ] == found
    assert (503, {"ok": False, "reason": "TimeoutError"}) == late
    assert 'ingest_unkept_total{code="no_key"} 1.0' in scraped
    assert kind.startswith("text/plain; version=0.0.4")


FAULTS = """
    import resource, sys
    from hub.process import keep_memory

    if sys.argv[1] == "kept":
        keep_memory()
    bytes(bytearray(1_000_000))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(100):
        [bytes(1_000_000) for _ in range(4)]
    print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc gives back so eagerly")
def test_what_was_freed_is_used_again() -> None:
    """Large bodies, one after the other, lie in the same memory: few pages are asked for anew."""
    child = textwrap.dedent(FAULTS)
    stock, kept = (
        int(subprocess.check_output([sys.executable, "-c", child, how]))
        for how in ("stock", "kept")
    )

    assert kept < stock / 10


async def test_what_was_there_at_the_start_is_not_looked_at_for_garbage() -> None:
    """Or all that is loaded would be walked over again and again; afterwards all is as it was."""
    before = gc.get_threshold()
    with little_collecting():
        within = (gc.get_freeze_count() > 0, gc.get_threshold())

    assert ((True, COLLECTING), (0, before)) == (
        within,
        (gc.get_freeze_count(), gc.get_threshold()),
    )


async def test_garbage_does_not_wait_for_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few objects can hold many megabytes: they go after a moment, though nothing is made."""
    monkeypatch.setattr("hub.process.COLLECTED", 0.01)

    class Ring:
        def __init__(self) -> None:
            self.itself = self

    with little_collecting():
        left = weakref.ref(Ring())
        async with asyncio.timeout(60):
            while left() is not None:  # noqa: ASYNC110 - what is collected rings no bell
                await asyncio.sleep(0.001)
