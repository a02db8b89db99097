"""Every vendor of a stage in one process of its own, with the journal that the checker believes.

Run as a program: a port, the journal's path, a seed for the die, and the places.
"""

from __future__ import annotations

import gc
import random
import sys
from pathlib import Path

from aiohttp import web

from destinations import sandbox


def main(port: str, journal: str, seed: str, *places: str) -> None:
    """Serve until the signal to stop."""
    # They remember all they took; walking over millions of events for garbage takes them seconds,
    # in which a vendor seems to hang.
    gc.disable()
    # Unbuffered: who reads the journal is not to wait for what comes next.
    with Path(journal).open("ab", buffering=0) as file:
        app = sandbox.app(places, journal=file, die=random.Random(seed).random)
        web.run_app(
            app,
            host="127.0.0.1",
            port=int(port),
            print=None,
            access_log=None,
            shutdown_timeout=1.0,
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
