"""Plain events, taken from the text: what of an event nobody changes never becomes an object.

An event is plain when `ingest.validate` would accept it as it is, with nothing to mend and nothing
to report. What SDKs send nearly always is: then its context, properties and traits are held against
the same schemas where they stand, and go into the record as the bytes that came. Only the yes
counts here. What is in any way different gets no answer, and goes the long way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, NamedTuple

import msgspec
import orjson
from msgspec import UNSET, Meta, Raw, Struct, UnsetType, field

from hub.event import at_header, entry_with, key_with
from hub.log import Entry
from ingest.enrich import AGENT_LETTERS, Connection, Network, address_of, channel_of
from ingest.envelope import EVENT_BYTES
from ingest.sources import Source
from ingest.text import sound
from ingest.timestamps import corrected, iso_of, milliseconds_of
from ingest.validate import LATE, VERSION, Receipt, new_id
from schemas import OWN, REFUSING, Parts, Schemas

_RESERVED: Final = "Segment Consent Preference Updated"
"""The event that `schemas/track.json` holds to more than any other."""

_EMPTY: Final = b"{}"
_NOTHING: Final = Entry(b"", b"", ())
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


class Request(NamedTuple):
    """A request whose events may be plain. `key`: the write key in its body, or nothing."""

    items: Sequence[Item]
    text: bytes
    sent_at: str
    key: str


@dataclass(slots=True, eq=False)
class Submission:
    """A request to be judged. `plain`: whether all of its events are, as far as is known."""

    request: Request
    source: Source
    receipt: Receipt
    plain: bool = True


class Candidate(Struct, gc=False):
    """An event that may be plain. `own`, `text`: what was sent as its properties or traits, and as
    its context. When it is plain, `entry` is what the log will keep, `given_id` its sender's id for
    it, or nothing, and `late` whether its own time lies over a day back.
    """

    item: Item
    submission: Submission
    parts: Parts
    own: bytes
    text: bytes
    context: Any = None
    given_id: str = ""
    late: bool = False
    entry: Entry = _NOTHING


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
        for type_ in OWN:  # to make them takes some 10 ms: not while somebody waits
            self._parts(type_, None)

    def judge(
        self, submissions: Sequence[Submission], now: float
    ) -> Sequence[Sequence[Candidate] | None]:
        """The events of each request as the log will keep them; None when one is not plain."""
        if len(submissions) == 1 and len(submissions[0].request.items) == 1:
            return [self._judge_alone(submissions[0], now)]
        of_each = [self._candidates(one) for one in submissions]
        found = [one for some in of_each for one in some]
        found = [one for one in found if one.submission.plain and _holds(one)]
        found = [one for one in found if one.submission.plain and _is_sound(one)]
        found = [one for one in found if one.submission.plain and _has_context(one)]
        found = [one for one in found if one.submission.plain and self._is_enriched(one)]
        for one in found:
            _date(one)
        for one in found:
            _sign(one)
        values = [_rendered(one.item) for one in found]
        at = at_header(now)
        for one, value in zip(found, values, strict=True):
            one.entry = _entry_of(one.item, value, at)
        return [some if one.plain else None for one, some in zip(submissions, of_each, strict=True)]

    def _candidates(self, submission: Submission) -> list[Candidate]:
        """Its events, if each meets the contract of its type, and none is too large."""
        request = submission.request
        found = [
            Candidate(item, submission, parts, _own_of(item), _text_of(item))
            for item in request.items
            if (parts := self._parts_of(item, submission.source)) is not None
        ]
        fit = len(found) == len(request.items)
        if fit and len(request.text) > EVENT_BYTES:
            # Most batches need no look at the size of each event.
            sizes = [len(one.own) + len(one.text) for one in found]
            rest = len(request.text) - sum(sizes)
            fit = max(sizes, default=0) + rest <= EVENT_BYTES or _fit(request.text)
        submission.plain = fit
        return found

    def _parts_of(self, item: Item, source: Source) -> Parts | None:
        """What schemas ask of the parts of an event, if it meets the contract of its type, and has
        and is what its source's plan asks for besides.
        """
        if not _meets_contract(item):
            return None
        event = item.event if item.type == "track" else None
        plan = source.plan
        if plan is None:
            return self._parts(item.type, event)
        if source.settings.unplanned != "allow" and not plan.planned(item.type, event):
            return None
        parts = self._parts(item.type, event, plan)
        return parts if parts and all(_says(item, name) for name in parts.needed) else None

    def _judge_alone(self, submission: Submission, now: float) -> Sequence[Candidate] | None:
        """The same of a single event in no company: lists would cost more than they bring."""
        request = submission.request
        (item,) = request.items
        parts = self._parts_of(item, submission.source)
        if parts is None or (len(request.text) > EVENT_BYTES and not _fit(request.text)):
            return None
        one = Candidate(item, submission, parts, _own_of(item), _text_of(item))
        if not (_holds(one) and _is_sound(one) and _has_context(one) and self._is_enriched(one)):
            return None
        _date(one)
        _sign(one)
        one.entry = _entry_of(item, _rendered(item), at_header(now))
        return (one,)

    def _is_enriched(self, one: Candidate) -> bool:
        """Put into the event what the connection tells, as `ingest.enrich` does, if it can."""
        item, context, connection = one.item, one.context, one.submission.receipt.connection
        library = context.library
        channel = channel_of((library.name or "") if library else "")
        if channel and not item.channel:
            item.channel = channel
        told = b""
        if connection.client_side or channel in ("browser", "mobile") or context.direct is True:
            if context.ip is None or context.userAgent is None:
                return _refuse(one)  # they would stand there twice
            told = self._told(context, connection)
        if told:
            more = b"," + one.text[1:] if _QUOTE in one.text else b"}"
            item.context = Raw(b"{" + told + more)
        elif item.context is UNSET:
            item.context = Raw(one.text)
        return True

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
            asked = item.event != "" and item.event != _RESERVED
        case "identify" | "page" | "screen":
            asked = True
        case "group":
            asked = item.group_id != ""
        case "alias":
            asked = item.user_id != "" and item.previous_id != ""
        case _:
            return False
    own = OWN[item.type]
    return (
        asked
        and (item.user_id or item.anonymous_id) != ""
        and (own == "properties" or item.properties is UNSET)
        and (own == "traits" or item.traits is UNSET)
        and (item.integrations is UNSET or _is_object(item.integrations))
        and (item.metadata is UNSET or _is_object(item.metadata))
    )


def _says(item: Item, name: str) -> bool:
    """Whether it has the field of this name."""
    return getattr(item, _ATTRIBUTES[name]) not in ("", UNSET)


def _is_object(part: Raw) -> bool:
    """Whether it is an object, and one that nobody would change."""
    text = bytes(part)
    value = orjson.loads(text) if sound(text) else None
    return isinstance(value, dict) and "all" not in value  # analytics-go's word for `All`


def _own_of(item: Item) -> bytes:
    own = item.traits if item.properties is UNSET else item.properties
    return _EMPTY if own is UNSET else bytes(own)


def _text_of(item: Item) -> bytes:
    return _EMPTY if item.context is UNSET else bytes(item.context)


def _refuse(one: Candidate) -> bool:
    """It is not plain, and so its request is not."""
    one.submission.plain = False
    return False


def _holds(one: Candidate) -> bool:
    """Whether its properties or traits are as schemas ask."""
    try:
        one.parts.own(one.own)
    except REFUSING:
        return _refuse(one)
    return True


def _is_sound(one: Candidate) -> bool:
    """Whether readers of the record can parse them."""
    return sound(one.own) or _refuse(one)


def _has_context(one: Candidate) -> bool:
    """Whether all this is true of its context; what that says of itself is kept."""
    try:
        one.context = one.parts.known_context(one.text)
    except REFUSING:
        return _has_odd_context(one)
    return True


def _has_odd_context(one: Candidate) -> bool:
    """The same of one in which there is more than schemas name."""
    try:
        one.context = one.parts.context(one.text)
    except REFUSING:
        return _refuse(one)
    return sound(one.text) or _refuse(one)


def _fit(text: bytes) -> bool:
    """Whether no event of a batch is larger than allowed, by its bytes as sent."""
    try:
        return all(memoryview(one).nbytes <= EVENT_BYTES for one in _split(text).batch)
    except REFUSING:  # some levels deeper in Python's stack than where it was read before
        return False


def _date(one: Candidate) -> None:
    """Set the times as `ingest.validate` does."""
    item, submission = one.item, one.submission
    receipt = submission.receipt
    original = item.timestamp
    own = milliseconds_of(original)
    if own is None and item.original_timestamp:
        original = item.original_timestamp
        own = milliseconds_of(original)
    item.original_timestamp = original
    if not item.sent_at:
        item.sent_at = submission.request.sent_at
    sent = milliseconds_of(item.sent_at) if item.sent_at else None
    correct = submission.source.settings.correct_clocks
    at = corrected(own, sent, receipt.received, retried=receipt.retried, correct=correct)
    item.timestamp = iso_of(at)
    item.received_at = receipt.received_at
    one.late = receipt.received - at > LATE


def _sign(one: Candidate) -> None:
    """Set what only the server says."""
    item = one.item
    one.given_id = item.message_id
    if not item.message_id:
        item.message_id = new_id()
    item.source = one.submission.source.name
    item.version = VERSION
    item.write_key = ""


def _entry_of(item: Item, value: bytes, at: tuple[str, bytes]) -> Entry:
    source = item.source
    name = item.event if item.type == "track" else item.name
    key = key_with(source, item.user_id or item.anonymous_id or item.message_id)
    return entry_with(value, key, source, item.type, name, item.message_id, at)
