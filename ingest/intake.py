"""The way of one request: whose it is, what is in it, what of it is kept, and what is answered."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from itertools import compress
from typing import Any, Final

from hub.clock import Clock
from hub.event import entry_of
from ingest.admission import Stay, Turn
from ingest.envelope import BATCH_EVENTS, Envelope, single
from ingest.errors import REFUSALS, SUCCESS, Answer, accept, refuse
from ingest.happenings import Happenings
from ingest.keeping import Keeping, Ticket
from ingest.pixel import event_of, key_of
from ingest.plain import Plain, Submission
from ingest.post import UNDECIDED, Call, Decided, Post, asked_by, parsed_by
from ingest.receive import Body
from ingest.rejected import Rejected, told_library, whole
from ingest.settings import Compat
from ingest.sources import SHORTEST_KEY, Source, Sources, key_in_header, key_in_text
from ingest.text import Malformed
from ingest.timestamps import iso_of
from ingest.validate import Receipt, Rejection, Rules, Valid

AGAIN: Final = 1
"""Seconds after which to try again when the log was away or slow."""

AGAIN_WHEN_FULL: Final = 30
"""The same when the spool is full: the log has been away for long, and SDKs try ten times."""

LISTED: Final = 10_000
"""Events of a batch that is too long which are kept one by one; beyond that, the body is."""

ENTRY_BYTES: Final = 1_024
"""What an entry takes beside its value: its key, its headers, and what Python adds."""


Tell = Callable[[Answer], None]


class Intake:
    """Takes requests in.

    A request is decided at one go, and only bytes wait for the log: what was parsed takes twenty
    times the room, and is gone by then.
    """

    def __init__(
        self,
        sources: Sources,
        rules: Rules,
        keeping: Keeping,
        happenings: Happenings,
        clock: Clock,
        compat: Compat,
    ) -> None:
        self._sources = sources
        self._rules = rules
        self._plain = Plain(rules.schemas, rules.proxies)
        self._keeping = keeping
        self._happenings = happenings
        self._clock = clock
        self._compat = compat
        now = clock.steady()
        self._turns = {
            name: _turn(source, now)
            for name, source in sources.by_name.items()
            if source.settings.events_per_second
        }

    def knows(self, key: str) -> bool:
        """Whether the key is a source's, or unknown keys are answered as if."""
        return self._compat == "segment" or self._sources.find(key) is not None

    async def take(self, call: Call, body: Body, stay: Stay) -> Answer:
        """Answer a POST by its body."""
        post = Post(call, body, stay)
        self.decide([post])
        return await self._kept(post.decided)

    async def take_address(self, call: Call, query: str, stay: Stay) -> None:
        """Take an event that came in an address; nobody reads the answer."""
        await self._kept(self._decided_address(call, query, stay))

    def decide(self, posts: Sequence[Post]) -> None:
        """Say of each POST what it comes to; a ticket must be begun.

        All of them take a step before any takes the next one, as plain events do. When a fault of
        ours is raised, who is not decided may be tried again.
        """
        for post in posts:
            post.asked = asked_by(post.call.type, post.body)
        for post in posts:
            if post.source is None:
                self._admit(post)
        if plain := [post for post in posts if _may_be_plain(post)]:
            self._decide_plainly(plain)
        for post in posts:
            if post.decided is UNDECIDED:
                post.decided = self._decided_parsed(post)

    def _admit(self, post: Post) -> None:
        """Find out whose the POST is, and whether it is its turn."""
        asked, body = post.asked, post.body
        key = key_in_header(post.call.authorization)
        if key is None:
            told = key_in_text(body.text) if asked.fault else asked.key
            key = told.strip() if isinstance(told, str) else ""
        source = self._sources.find(key)
        if source is None:
            # With a body that nobody can read the fault is the body's; Segment says so first, too.
            fault = asked.fault if asked.fault != "body_too_large" or not key else ""
            post.decided = self._nobody(key, fault, asked.detail)
        else:
            post.source = source
            self._happenings.received(source.name, body.size, retried=post.call.retries > 0)
            put_off = self._put_off(source, max(1, len(asked.items)))
            if put_off:
                post.decided = put_off

    def _decide_plainly(self, posts: Sequence[Post]) -> None:
        """Decide those whose events are all plain."""
        now = self._clock.now()
        submissions = [
            Submission(request, source, _receipt(post.call, now))
            for post in posts
            if (request := post.asked.plain) and (source := post.source)
        ]
        judged = self._plain.judge(submissions, now)
        for post, told, events in zip(posts, submissions, judged, strict=True):
            if events is not None:
                ticket = self._keeping.ticket(told.source.name, post.stay)
                news = self._keeping.are_new(ticket, [one.given_id for one in events])
                new = list(compress(events, news))
                ticket.add(
                    [one.entry for one in new],
                    [one.item.type for one in new],
                    sum([one.late for one in new]),
                )
                _charge(ticket)
                post.decided = ticket, SUCCESS

    def _decided_parsed(self, post: Post) -> Decided:
        """What a POST comes to when not all of its events are plain."""
        call, body, stay, source = post.call, post.body, post.stay, post.source
        asked = post.asked if post.asked.plain is None else parsed_by(call.type, body.text)
        if source is None:
            raise AssertionError("who is nobody's is decided already")
        if asked.fault:
            return self._broken(source, body.text, asked.fault, asked.detail, stay)
        return self._items(source, call, asked.envelope, body, stay)

    def _decided_address(self, call: Call, query: str, stay: Stay) -> Decided:
        text = query.encode("utf-8", "replace")
        fault, size = "", len(text)
        event: dict[str, Any] = {}
        try:
            event, size = event_of(query)
        except Malformed as error:
            fault = str(error)
        key = key_in_header(call.authorization) or key_of(query, event)
        source = self._sources.find(key)
        if source is None:
            return self._nobody(key, "malformed_json" if fault else "", fault)
        self._happenings.received(source.name, len(text), retried=False)
        put_off = self._put_off(source, 1)
        if put_off:
            return put_off
        if fault:
            without = text.replace(key.encode(), b"")
            return self._broken(source, without, "malformed_json", fault, stay)
        return self._items(source, call, single(event, size), Body(text, size), stay)

    def _broken(self, source: Source, text: bytes, code: str, detail: str, stay: Stay) -> Decided:
        """Refuse what nobody can read, and keep it as it came."""
        ticket = self._refusing(source, [whole(code, text, detail)], stay)
        return ticket, refuse(code, detail)

    def _put_off(self, source: Source, events: int) -> Answer | None:
        """The answer that it is not the source's turn, if it is not."""
        turn = self._turns.get(source.name)
        wait = turn.take(events, self._clock.steady()) if turn else 0
        if not wait:
            return None
        self._happenings.limited(source.name, "rate_limited")
        return refuse("rate_limited", retry_after=wait)

    def _nobody(self, key: str, fault: str = "", detail: str = "") -> Answer:
        if fault:
            self._happenings.unkept(fault)
            return refuse(fault, detail)
        code = "unknown_write_key" if len(key) >= SHORTEST_KEY else "no_write_key"
        self._happenings.unkept(code)
        if code == "unknown_write_key" and self._compat == "segment":
            return SUCCESS
        return refuse(code)

    def _items(
        self, source: Source, call: Call, envelope: Envelope, body: Body, stay: Stay
    ) -> Decided:
        items = envelope.items
        code = _refused_as_whole(source, call, items)
        if code:
            if 0 < len(items) <= LISTED:
                because = Rejection(code, REFUSALS[code].message)
                refused = [Rejected(because, index, item) for index, item in enumerate(items)]
            else:
                refused = [whole(code, body.text)]
            silent = code == "source_disabled" or (
                source.settings.compat == "segment" and code != "origin_not_allowed"
            )
            answer = SUCCESS if silent else refuse(code)
            return self._refusing(source, refused, stay, envelope.context), answer
        now = self._clock.now()
        ticket = self._keeping.ticket(source.name, stay)
        try:
            refused = self._judged(ticket, source, call, envelope, now)
            _refuse(ticket, refused, now, envelope.context)
        except BaseException:
            self._keeping.forget(ticket)
            raise
        _charge(ticket)
        return ticket, _answer(source, refused, len(items))

    def _judged(
        self, ticket: Ticket, source: Source, call: Call, envelope: Envelope, now: float
    ) -> list[Rejected]:
        """Judge each event, and put into the ticket what is valid; returns what is not.

        All are judged before any is rendered, as plain events go through their stages.
        """
        receipt = _receipt(call, now)
        judge, is_new, too_large = self._rules.judge, self._keeping.is_new, envelope.too_large
        refused: list[Rejected] = []
        found: list[Valid | Rejection] = [
            Rejection("event_too_large", REFUSALS["event_too_large"].message)
            if index in too_large
            else judge(item, call.type, envelope, source, receipt)
            for index, item in enumerate(envelope.items)
        ]
        for index, one in enumerate(found):
            if isinstance(one, Rejection):
                refused.append(Rejected(one, index, envelope.items[index]))
            elif is_new(ticket, one.event["messageId"] if one.given_id else ""):
                entry = entry_of(source.name, one.event, now)
                ticket.add((entry,), (one.event["type"],), one.late)
                if one.reported:
                    self._happenings.violated(source.name, one.reported)
        return refused

    def _refusing(
        self, source: Source, refused: Sequence[Rejected], stay: Stay, context: Any = None
    ) -> Ticket:
        """What is to be kept of a request of which nothing is taken."""
        ticket = self._keeping.ticket(source.name, stay)
        _refuse(ticket, refused, self._clock.now(), context)
        _charge(ticket)
        return ticket

    async def _kept(self, decided: Decided) -> Answer:
        """Make it durable, then answer; say 503 when that cannot be promised in time."""
        if isinstance(decided, Answer):
            return decided
        told: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self.begin(*decided, lambda answer: None if told.done() else told.set_result(answer))
        return await told

    def begin(self, ticket: Ticket, answer: Answer, tell: Tell) -> None:
        """Have the ticket made durable; `tell` will be told its answer later."""
        self._keeping.keep(ticket, partial(self._heard, ticket, answer, tell))

    def _heard(self, ticket: Ticket, answer: Answer, tell: Tell, failure: str) -> None:
        """Tell `answer`, unless the ticket was not kept."""
        if failure:
            self._happenings.limited(ticket.source, failure)
            again = AGAIN_WHEN_FULL if failure == "spool_full" else AGAIN
            final = REFUSALS[failure].status == 400
            answer = refuse(failure) if final else refuse(failure, retry_after=again)
        tell(answer)


def _may_be_plain(post: Post) -> bool:
    asked, source = post.asked, post.source
    return (
        post.decided is UNDECIDED
        and asked.plain is not None
        and source is not None
        and not _refused_as_whole(source, post.call, asked.items)
    )


def _receipt(call: Call, now: float) -> Receipt:
    at = int(now * 1_000)
    return Receipt(at, iso_of(at), call.retries > 0, call.connection)


def _refused_as_whole(source: Source, call: Call, items: Sequence[Any]) -> str:
    """The code by which all of a request is refused, whatever its events are; or nothing."""
    if not source.settings.enabled:
        return "source_disabled"
    if not source.allows(call.origin):
        return "origin_not_allowed"
    if not items:
        return "empty_batch"
    return "too_many_events" if len(items) > BATCH_EVENTS else ""


def _refuse(ticket: Ticket, refused: Sequence[Rejected], now: float, context: Any) -> None:
    """Put into the ticket what is refused; `context` is what the request says for all."""
    if refused:
        library = told_library(context)
        at = iso_of(int(now * 1_000))
        ticket.refused = [one.entry(ticket.source, at, library) for one in refused]
        ticket.codes = [one.rejection.code for one in refused]


def _charge(ticket: Ticket) -> None:
    """The bytes that wait for the log are the stay's."""
    entries = (*ticket.events, *ticket.refused) if ticket.refused else ticket.events
    ticket.stay.hold(ENTRY_BYTES * len(entries) + sum([len(one.value) for one in entries]))


def _answer(source: Source, refused: Sequence[Rejected], items: int) -> Answer:
    if not refused:
        return SUCCESS
    if len(refused) < items:
        if source.settings.compat == "segment":
            return SUCCESS
        return accept(one.told() for one in refused)
    first = refused[0].rejection
    large = all(one.rejection.code == "event_too_large" for one in refused)
    if source.settings.compat == "segment" and not large:
        return SUCCESS
    return refuse(first.code, words=first.message, rejected=(one.told() for one in refused))


def _turn(source: Source, now: float) -> Turn:
    rate = source.settings.events_per_second or 1.0
    return Turn(rate, source.settings.burst or max(1.0, 10 * rate), now)
