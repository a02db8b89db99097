"""How a process hears that another has written: a socket that every process of the log rings."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import socket
import tempfile
from collections.abc import Callable, Collection
from pathlib import Path

# A Unix socket's address holds 108 bytes on Linux and 104 on macOS, with the closing NUL.
_ADDRESS_BYTES = 103
_NAME_BYTES = len("/0123456789abcdef.bell")

# More than any message has: the streams and groups that one commit touched.
_MESSAGE_BYTES = 65_536


def folder_of(path: Path) -> Path:
    """Where the processes of the log at `path` hang their bells; each of them comes to the same."""
    path = path.resolve()
    beside = path.with_name(path.name + "-bells")
    if len(os.fsencode(beside)) + _NAME_BYTES <= _ADDRESS_BYTES:
        return beside
    short = hashlib.sha256(os.fsencode(path)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"hub-bells-{short}"


class Doorbell:
    """One process's bell, and the way to ring those of the others.

    A bell that cannot be hung (no Unix sockets, a foreign folder) is silent, and then the log's
    slow look at the file is all there is: it is quicker with bells, never wrong without.
    """

    def __init__(self, path: Path, name: str) -> None:
        self._folder = folder_of(path)
        self._bell = self._folder / f"{name}.bell"
        self._heard: socket.socket | None = None
        self._voice: socket.socket | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def hang(self, on_ring: Callable[[frozenset[str]], None]) -> None:
        """Call `on_ring` on the running loop with what the others tell."""
        loop = asyncio.get_running_loop()
        heard = None
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            if self._folder.stat().st_uid != os.geteuid():
                return  # in a common temporary folder, anyone may have made it
            heard = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            heard.setblocking(False)
            heard.bind(str(self._bell))
            voice = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        except (OSError, AttributeError):
            if heard is not None:
                heard.close()
            return
        voice.setblocking(False)
        self._heard, self._voice, self._loop = heard, voice, loop
        loop.add_reader(heard, self._listen, heard, on_ring)

    def ring(self, topics: Collection[str]) -> None:
        """Tell every other process of the log; called from any thread, never waits."""
        if self._voice is None:
            return
        message = "\n".join(topics).encode()
        try:
            bells = os.listdir(self._folder)
        except OSError:
            return
        for bell in bells:
            if bell.endswith(".bell") and bell != self._bell.name:
                try:
                    self._voice.sendto(message, str(self._folder / bell))
                except OSError:
                    # It is full, so it will wake anyway; or dead, which `dead` finds out.
                    continue

    def dead(self) -> list[str]:
        """The names of processes that left without taking their bell down: they were killed.

        The kernel says so: nobody has the socket. A bell that is not there proves nothing.
        """
        found: list[str] = []
        if self._voice is None:
            return found
        try:
            bells = os.listdir(self._folder)
        except OSError:
            return found
        for bell in bells:
            if bell.endswith(".bell") and bell != self._bell.name:
                try:
                    self._voice.sendto(b"", str(self._folder / bell))
                except ConnectionRefusedError:
                    found.append(bell.removesuffix(".bell"))
                except OSError:
                    continue
        return found

    def bury(self, name: str) -> None:
        """Take down the bell of a dead process."""
        with contextlib.suppress(OSError):
            (self._folder / f"{name}.bell").unlink(missing_ok=True)

    def close(self) -> None:
        """Take our bell down."""
        if self._heard is not None and self._loop is not None:
            self._loop.remove_reader(self._heard)
            self._heard.close()
            self.bury(self._bell.stem)
            self._heard = None
        if self._voice is not None:
            self._voice.close()
            self._voice = None

    def _listen(self, heard: socket.socket, on_ring: Callable[[frozenset[str]], None]) -> None:
        topics: set[str] = set()
        while True:
            try:
                message = heard.recv(_MESSAGE_BYTES)
            except OSError:
                break
            topics.update(message.decode(errors="replace").split("\n"))
        on_ring(frozenset(topics))
