"""The fast path: a request that came whole is decided as it is seen, and its answer written later.

For each request aiohttp makes a task, a request, a writer and a response, and the loop turns four
times. A POST of events whose body arrived with its head, on a connection that stays open, needs
none of it; all else goes aiohttp's way (`app.py`), and is told the same. The requests of one turn
are decided together, step by step (`Intake.decide`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, NamedTuple

from aiohttp import HttpVersion11, StreamReader, hdrs
from aiohttp.http_parser import RawRequestMessage

from hub.clock import Clock
from ingest.admission import Room
from ingest.errors import Answer, refuse
from ingest.happenings import Happenings
from ingest.heads import CLOSE, Headers, call_of, cors
from ingest.intake import Intake
from ingest.paths import path_of
from ingest.post import Call, Post
from ingest.prepared import rendered
from ingest.receive import Crowded, opened

FAMILIES: Final = ("single", "batch")

TOGETHER: Final = 131_072
"""Bytes of bodies from which on requests of one turn are decided: parsed they take many times the
room, and should find it in the CPU's cache."""

Write = Callable[[bytes, bool], None]
"""Takes a whole answer, and whether the connection goes on after it."""


class Ask(NamedTuple):
    """What the head of a request says, as far as it matters here."""

    family: str
    call: Call
    headers: Headers
    encoding: str


class FastPath:
    """Of one process. `stopping`: clients are asked to leave, and nothing more goes this way."""

    def __init__(
        self,
        intake: Intake,
        room: Room,
        happenings: Happenings,
        clock: Clock,
        stopping: asyncio.Event,
    ) -> None:
        self._intake = intake
        self._room = room
        self._happenings = happenings
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._stopping = stopping
        self._gathered: list[tuple[Ask, bytes, Write]] = []
        self._began = 0.0

    def takes(
        self, message: RawRequestMessage, payload: StreamReader, remote: str | None, write: Write
    ) -> Ask | None:
        """What the request asks, if it goes this way; then `write` will be told its answer, later.

        None leaves it as it was.
        """
        if (
            message.method != "POST"
            or message.should_close
            or message.upgrade
            or message.version != HttpVersion11
            or message.url.absolute
            or hdrs.EXPECT in message.headers
            or not payload.is_eof()
            or payload.exception() is not None
            or self._stopping.is_set()
            or not self._room.open
        ):
            return None
        path = path_of(message.url.raw_path)
        if path is None or path.family not in FAMILIES:
            return None
        headers = message.headers
        ask = Ask(
            path.family,
            call_of(path, headers, remote),
            cors(headers),
            headers.get(hdrs.CONTENT_ENCODING, ""),
        )
        self.gather(ask, b"" if payload.at_eof() else payload.read_nowait(), write)
        return ask

    def gather(self, ask: Ask, body: bytes, write: Write) -> None:
        """Take it in the loop's next turn, with all that come in this one."""
        if not self._gathered:
            self._began = self._clock.steady()
            self._loop.call_soon(self._take_gathered)
        self._gathered.append((ask, body, write))

    def _take_gathered(self) -> None:
        gathered, self._gathered = self._gathered, []
        some: list[tuple[Ask, bytes, Write]] = []
        size = 0
        for one in gathered:
            some.append(one)
            size += len(one[1])
            if size >= TOGETHER:
                self._take(some, self._began)
                some, size = [], 0
        if some:
            self._take(some, self._began)

    def _take(self, asks: Sequence[tuple[Ask, bytes, Write]], began: float) -> None:
        """Decide requests, and have kept what is to be kept; their answers are told later."""
        posts, tells = [], []
        for ask, body, write in asks:
            tell = partial(self._tell, ask, began, write)
            post = self._placed(ask, body)
            if isinstance(post, Answer):
                self._loop.call_soon(tell, post)
            else:
                posts.append(post)
                tells.append(tell)
        try:
            self._intake.decide(posts)
        except Exception as error:
            self._happenings.failed(error)
            for post in posts:
                self._decide_alone(post)
        for post, tell in zip(posts, tells, strict=True):
            if isinstance(post.decided, Answer):
                post.stay.leave()
                self._loop.call_soon(tell, post.decided)
            else:
                self._intake.begin(*post.decided, tell)

    def _placed(self, ask: Ask, body: bytes) -> Post | Answer:
        """The request with its place in the room, or why it has none."""
        stay = self._room.place(len(body))
        try:
            if stay is None:
                raise Crowded
            return Post(ask.call, opened(body, ask.encoding, stay), stay)
        except Crowded:
            self._happenings.limited("", "overloaded")
            answer = refuse("overloaded", retry_after=1)
        except Exception as error:
            self._happenings.failed(error)
            answer = refuse("internal")
        if stay is not None:
            stay.leave()
        return answer

    def _decide_alone(self, post: Post) -> None:
        """Decide it, if it is not decided; a fault of ours must be nobody's but its own."""
        try:
            self._intake.decide([post])
        except Exception as error:
            self._happenings.failed(error)

    def _tell(self, ask: Ask, began: float, write: Write, answer: Answer) -> None:
        goes_on = not self._stopping.is_set()
        said = ask.headers if goes_on else (*ask.headers, CLOSE)
        write(rendered(answer, said, self._clock.now()), goes_on)
        self._happenings.in_flight(self._room.bytes)
        self._happenings.answered(ask.family, answer.status, self._clock.steady() - began)
