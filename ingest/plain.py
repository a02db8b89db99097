"""Plain events, taken from the text: what of an event nobody changes never becomes an object.

An event is plain when `ingest.validate` would accept it as it is, with nothing to mend and nothing
to report. What SDKs send nearly always is: then its context, properties and traits are held against
the same schemas where they stand, and go into the record as the bytes that came. Only the yes
counts here. What is in any way different gets no answer, and goes the long way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, Any, Final

import msgspec
import orjson
from msgspec import UNSET, Meta, Raw, Struct, UnsetType, field

from hub.event import at_header, entry_with, key_with
from hub.log import Entry
from ingest.enrich import AGENT_LETTERS, Connection, Network, address_of, channel_of
from ingest.envelope import EVENT_BYTES
from ingest.sources import Source
from ingest.text import sound
from ingest.timestamps import corrected, iso_of, milliseconds_of, written_moment
from ingest.validate import LATE, VERSION, Receipt, new_id
from schemas import OWN, REFUSING, Parts, Schemas

_RESERVED: Final = "Segment Consent Preference Updated"
"""The event that `schemas/track.json` holds to more than any other."""

_EMPTY: Final = Raw(b"{}")
_NOTHING: Final = Entry(b"", b"", ())
_AT_USER: Final = ("browser", "mobile")
_LINE_FEED: Final = 0x0A
_QUOTE: Final = 0x22

_Text = Annotated[str, Meta(min_length=1)]


class Item(
    Struct, kw_only=True, gc=False, forbid_unknown_fields=True, omit_defaults=True, rename="camel"
):
    """A call as plain ones are: nothing is null, no text empty. The last four are ours to say."""

    type: str = ""
    message_id: _Text = ""
    user_id: _Text = ""
    anonymous_id: _Text = ""
    group_id: _Text = ""
    previous_id: _Text = ""
    event: _Text = ""
    name: _Text = ""
    category: _Text = ""
    channel: _Text = ""
    context: Raw | UnsetType = UNSET
    properties: Raw | UnsetType = UNSET
    traits: Raw | UnsetType = UNSET
    integrations: Raw | UnsetType = UNSET
    metadata: Raw | UnsetType = field(default=UNSET, name="_metadata")
    timestamp: _Text = ""
    original_timestamp: _Text = ""
    sent_at: _Text = ""
    received_at: _Text = ""
    source: _Text = ""
    version: int | str = 0
    write_key: _Text = ""


_ATTRIBUTES: Final = {one.encode_name: one.name for one in msgspec.structs.fields(Item)}


class _Batch(Struct, gc=False, rename="camel"):
    """A batch that says nothing for all of its events but a time and a key."""

    batch: list[Item]
    sent_at: str | None = None
    write_key: str | None = None
    context: None = None
    integrations: None = None


class _Split(Struct, gc=False):
    """A batch in the bytes of its events."""

    batch: list[Raw]


class Request(Struct, frozen=True):
    """A request whose events may be plain. `key`: the write key in its body, or nothing."""

    items: Sequence[Item]
    text: bytes
    sent_at: str
    key: str


class Candidate(Struct, gc=False):
    """An event that may be plain.

    `own`, `text`: what was sent as its properties or traits, and as its context, in the request's
    bytes. When it is plain, `entry` is what the log will keep, `given_id` its sender's id for it,
    or nothing, and `late` whether its own time lies over a day back.
    """

    item: Item
    parts: Parts
    own: Raw
    text: Raw
    given_id: str = ""
    late: bool = False
    entry: Entry = _NOTHING


class Submission(Struct, eq=False):
    """A request to be judged. `plain`: whether all of its events are, as far as is known; then
    `events` are all of them.
    """

    request: Request
    source: Source
    receipt: Receipt
    plain: bool = True
    events: list[Candidate] = field(default_factory=list)


Stage = Callable[[Submission], None]
"""Looks at one thing in each event of a request, and says whether it is still plain."""

_single: Final = msgspec.json.Decoder(Item).decode
_batch: Final = msgspec.json.Decoder(_Batch).decode
_split: Final = msgspec.json.Decoder(_Split).decode
_rendered: Final = msgspec.json.Encoder().encode


def request_of(type_: str | None, text: bytes) -> Request | None:
    """The request, if its events may be plain. `type_`: what the path says; None for a batch."""
    if _LINE_FEED in text:  # a record is one line
        return None
    try:
        if type_ is None:
            batch = _batch(text)
            return Request(batch.batch, text, batch.sent_at or "", batch.write_key or "")
        item = _single(text)
    except REFUSING:
        return None
    item.type = type_
    return Request([item], text, "", item.write_key) if len(text) <= EVENT_BYTES else None


class Plain:
    """Judges plain events: all of a request, or none.

    It goes stage by stage, not event by event: what each stage runs stays in the CPU's first cache
    meanwhile, which a whole event's way is too long for.
    """

    def __init__(self, schemas: Schemas, proxies: Sequence[Network] = ()) -> None:
        self._parts = schemas.parts
        self._proxies = proxies
        self._stages: Sequence[Stage] = (
            self._meet,
            _hold,
            _sound,
            self._enrich,
            _date,
            _sign,
        )
        for type_ in OWN:  # to make them takes some 10 ms: not while somebody waits
            self._parts(type_, None)

    def judge(
        self, submissions: Sequence[Submission], now: float
    ) -> Sequence[Sequence[Candidate] | None]:
        """The events of each request as the log will keep them; None when one is not plain."""
        for stage in self._stages:
            for one in submissions:
                if one.plain:
                    stage(one)
        at = at_header(now)
        for one in submissions:
            if one.plain:
                _enter(one, at)
        return [one.events if one.plain else None for one in submissions]

    def _meet(self, submission: Submission) -> None:
        """Whether each event meets the contract of its type, and has and is what its source's plan
        asks for besides; and whether none is too large.
        """
        request, source = submission.request, submission.source
        plan, parts_of = source.plan, self._parts
        planned = None if plan is None or source.settings.unplanned == "allow" else plan.planned
        for item in request.items:
            type_ = item.type
            event = item.event if type_ == "track" else None
            parts = (
                parts_of(type_, event, plan)
                if _meets_contract(item) and (planned is None or planned(type_, event))
                else None
            )
            if parts is None or (parts.needed and not _says(item, parts.needed)):
                submission.plain = False
                return
            own = item.traits if item.properties is UNSET else item.properties
            context = item.context
            one = Candidate(
                item,
                parts,
                _EMPTY if own is UNSET else own,
                _EMPTY if context is UNSET else context,
            )
            submission.events.append(one)
        if len(request.text) > EVENT_BYTES:
            # Most batches need no look at the size of each event.
            sizes = [_size(one.own) + _size(one.text) for one in submission.events]
            rest = len(request.text) - sum(sizes)
            submission.plain = max(sizes, default=0) + rest <= EVENT_BYTES or _fit(request.text)

    def _enrich(self, submission: Submission) -> None:
        """Whether the context of each is as schemas ask; what that says of itself is kept, and what
        the connection tells is put into it, as `ingest.enrich` does.
        """
        connection = submission.receipt.connection
        known: str | None = None
        channel: str | None = None
        for one in submission.events:
            # Looked at and let go: the contexts of all events together are thousands of objects.
            try:
                context = one.parts.known_context(one.text)
            except REFUSING:
                context = _odd_context(one)
                if context is None:
                    submission.plain = False
                    return
            item, library = one.item, context.library
            name = (library.name or "") if library else ""
            if name != known:  # mostly all have one sender
                known, channel = name, channel_of(name)
            if channel and not item.channel:
                item.channel = channel
            told = b""
            if connection.client_side or channel in _AT_USER or context.direct is True:
                if context.ip is None or context.userAgent is None:
                    submission.plain = False  # they would stand there twice
                    return
                if context.ip is UNSET or context.userAgent is UNSET:
                    told = self._told(context, connection)
            if told:
                text = bytes(one.text)
                more = b"," + text[1:] if _QUOTE in text else b"}"
                item.context = Raw(b"{" + told + more)
            elif item.context is UNSET:
                item.context = one.text

    def _told(self, context: Any, connection: Connection) -> bytes:
        """The fields that the connection adds to a context."""
        told = []
        if context.ip is UNSET:
            address = address_of(connection.peer, connection.forwarded, self._proxies)
            if address:
                told.append(b'"ip":"%b"' % address.encode())
        if connection.agent and context.userAgent is UNSET:
            told.append(b'"userAgent":%b' % orjson.dumps(connection.agent[:AGENT_LETTERS]))
        return b",".join(told)


def _meets_contract(item: Item) -> bool:
    """Whether the contract of its type takes it (`schemas/track.json` and the others)."""
    match item.type:
        case "track":
            event = item.event
            asked = item.traits is UNSET and event != "" and event != _RESERVED
        case "page" | "screen":
            asked = item.traits is UNSET
        case "identify":
            asked = item.properties is UNSET
        case "group":
            asked = item.properties is UNSET and item.group_id != ""
        case "alias":
            asked = item.properties is UNSET and item.traits is UNSET
            asked = asked and item.user_id != "" and item.previous_id != ""
        case _:
            return False
    return (
        asked
        and (item.user_id != "" or item.anonymous_id != "")
        and (item.integrations is UNSET or _is_object(item.integrations))
        and (item.metadata is UNSET or _is_object(item.metadata))
    )


def _says(item: Item, names: Iterable[str]) -> bool:
    """Whether it has the fields of these names."""
    return all(getattr(item, _ATTRIBUTES[name]) not in ("", UNSET) for name in names)


def _size(part: Raw) -> int:
    return memoryview(part).nbytes


def _is_object(part: Raw) -> bool:
    """Whether it is an object, and one that nobody would change."""
    text = bytes(part)
    value = orjson.loads(text) if sound([text]) else None
    return isinstance(value, dict) and "all" not in value  # analytics-go's word for `All`


def _hold(submission: Submission) -> None:
    """Whether the properties or traits of each are as schemas ask."""
    try:
        for one in submission.events:
            one.parts.own(one.own)
    except REFUSING:
        submission.plain = False


def _sound(submission: Submission) -> None:
    """Whether readers of the record can parse them."""
    submission.plain = sound([bytes(one.own) for one in submission.events])


def _odd_context(one: Candidate) -> Any:
    """The context of an event in which there is more than schemas name; None when it does not fit,
    or might not.
    """
    try:
        return one.parts.context(one.text) if sound([bytes(one.text)]) else None
    except REFUSING:
        return None


def _fit(text: bytes) -> bool:
    """Whether no event of a request is larger than allowed, by its bytes as sent."""
    try:
        return all(_size(one) <= EVENT_BYTES for one in _split(text).batch)
    except REFUSING:  # some levels deeper in Python's stack than where it was read before
        return False


def _date(submission: Submission) -> None:
    """Set the times as `ingest.validate` does."""
    receipt, sent_at = submission.receipt, submission.request.sent_at
    received, retried = receipt.received, receipt.retried
    correct = submission.source.settings.correct_clocks
    sent_together = milliseconds_of(sent_at) if sent_at else None
    for one in submission.events:
        item = one.item
        original = item.timestamp
        own = written = written_moment(original)
        if own is None:
            own = milliseconds_of(original)
            if own is None and item.original_timestamp:
                original = item.original_timestamp
                own = milliseconds_of(original)
        item.original_timestamp = original
        if item.sent_at:
            sent = milliseconds_of(item.sent_at)
        else:
            item.sent_at = sent_at
            sent = sent_together
        at = corrected(own, sent, received, retried=retried, correct=correct)
        item.timestamp = original if at == written else iso_of(at)
        item.received_at = receipt.received_at
        one.late = received - at > LATE


def _sign(submission: Submission) -> None:
    """Set what only the server says."""
    source = submission.source.name
    for one in submission.events:
        item = one.item
        one.given_id = item.message_id
        if not item.message_id:
            item.message_id = new_id()
        item.source = source
        item.version = VERSION
        item.write_key = ""


def _enter(submission: Submission, at: tuple[str, bytes]) -> None:
    """Make each the entry that the log will keep."""
    source = submission.source.name
    for one in submission.events:
        item = one.item
        name = item.event if item.type == "track" else item.name
        key = key_with(source, item.user_id or item.anonymous_id or item.message_id)
        one.entry = entry_with(_rendered(item), key, source, item.type, name, item.message_id, at)
