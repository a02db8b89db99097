"""Plain events, taken from the text: what of an event nobody changes never becomes an object.

An event is plain when `ingest.validate` would accept it as it is, with nothing to mend and nothing
to report. What SDKs send nearly always is: then its context, properties and traits are held against
the same schemas where they stand, and go into the record as the bytes that came. Only the yes
counts here. What is in any way different gets no answer, and goes the long way.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Final, NamedTuple

import msgspec
import orjson
from msgspec import UNSET, Meta, Raw, Struct, UnsetType, ValidationError, field

from hub.event import entry_with, key_with
from hub.log import Entry
from ingest.enrich import AGENT_LETTERS, Connection, Network, address_of, channel_of
from ingest.envelope import EVENT_BYTES
from ingest.text import sound
from ingest.timestamps import corrected, iso_of, milliseconds_of
from ingest.validate import LATE, VERSION, Receipt, new_id
from schemas import OWN, REFUSING, Parts, Schemas

_RESERVED: Final = "Segment Consent Preference Updated"
"""The event that `schemas/track.json` holds to more than any other."""

_EMPTY: Final = b"{}"
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


class _Batch(Struct, gc=False, rename="camel"):
    """A batch that says nothing for all of its events but a time and a key."""

    batch: list[Item]
    sent_at: str | None = None
    write_key: str | None = None
    context: None = None
    integrations: None = None


class _Parts(Struct, gc=False):
    """A batch in the bytes of its events."""

    batch: list[Raw]


class Request(NamedTuple):
    """A request whose events may be plain. `key`: the write key in its body, or nothing."""

    items: Sequence[Item]
    text: bytes
    sent_at: str
    key: str


class Kept(NamedTuple):
    """A plain event as the log will keep it; `given_id` when it has one of its sender's."""

    entry: Entry
    type: str
    given_id: str
    late: bool


class Unplain(Exception):
    """The long way has to tell."""


_single: Final = msgspec.json.Decoder(Item).decode
_batch: Final = msgspec.json.Decoder(_Batch).decode
_split: Final = msgspec.json.Decoder(_Parts).decode
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

    def kept(
        self, request: Request, source: str, receipt: Receipt, now: float, *, correct: bool
    ) -> Sequence[Kept] | None:
        """The events as the log will keep them; None when one of them is not plain."""
        try:
            if len(request.items) == 1:
                return [self._one(request, source, receipt, now, correct)]
            self._judge(request, receipt.connection)
        except (Unplain, *REFUSING):
            return None
        items = request.items
        ids = [item.message_id for item in items]
        lates = [_date(item, request.sent_at, receipt, correct) for item in items]
        for item in items:
            _sign(item, source)
        values = [_rendered(item) for item in items]
        return [
            Kept(_entry_of(item, value, source, now), item.type, given_id, late)
            for item, value, given_id, late in zip(items, values, ids, lates, strict=True)
        ]

    def _one(
        self, request: Request, source: str, receipt: Receipt, now: float, correct: bool
    ) -> Kept:
        """The same for a single event: lists would cost more than they bring."""
        (item,) = request.items
        if len(request.text) > EVENT_BYTES:
            _weigh(request)
        parts = self._parts_of(item)
        own, text = _own_of(item), _text_of(item)
        parts.own(own)
        _check(own)
        self._enrich(item, text, _context_of(parts, text), receipt.connection)
        given_id = item.message_id
        late = _date(item, request.sent_at, receipt, correct)
        _sign(item, source)
        return Kept(_entry_of(item, _rendered(item), source, now), item.type, given_id, late)

    def _judge(self, request: Request, connection: Connection) -> None:
        """Hold events against their schemas, and put into them what the connection tells. Raises
        Unplain, and what a parser raises.
        """
        items = request.items
        parts = [self._parts_of(item) for item in items]
        owns = [_own_of(item) for item in items]
        for one, own in zip(parts, owns, strict=True):
            one.own(own)
        for own in owns:
            _check(own)
        texts = [_text_of(item) for item in items]
        contexts = [_context_of(one, text) for one, text in zip(parts, texts, strict=True)]
        for item, text, context in zip(items, texts, contexts, strict=True):
            self._enrich(item, text, context, connection)
        # Most batches need no look at the size of each event.
        sizes = [len(own) + len(text) for own, text in zip(owns, texts, strict=True)]
        if sizes and max(sizes) + len(request.text) - sum(sizes) > EVENT_BYTES:
            _weigh(request)

    def _parts_of(self, item: Item) -> Parts:
        """What schemas ask of the parts of an event that meets its contract. Raises Unplain."""
        event = item.event if item.type == "track" else None
        parts = self._parts(item.type, event) if _meets_contract(item) else None
        if parts is None:
            raise Unplain
        return parts

    def _enrich(self, item: Item, text: bytes, context: Any, connection: Connection) -> None:
        """Put into the event what the connection tells, as `ingest.enrich` does. Raises Unplain."""
        library = context.library
        channel = channel_of((library.name or "") if library else "")
        if channel and not item.channel:
            item.channel = channel
        told = b""
        if connection.client_side or channel in ("browser", "mobile") or context.direct is True:
            told = self._told(context, connection)
        if told:
            more = b"," + text[1:] if _QUOTE in text else b"}"
            item.context = Raw(b"{" + told + more)
        elif item.context is UNSET:
            item.context = Raw(text)

    def _told(self, context: Any, connection: Connection) -> bytes:
        """The fields that the connection adds to a context."""
        if context.ip is None or context.userAgent is None:
            raise Unplain  # they would stand there twice
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


def _check(text: bytes) -> None:
    """Raises Unplain when a reader of the record might not parse this part of it."""
    if not sound(text):
        raise Unplain


def _context_of(parts: Parts, text: bytes) -> Any:
    """What the context says of itself. Raises Unplain, and what REFUSING names."""
    try:
        return parts.known_context(text)
    except ValidationError:
        _check(text)
        return parts.context(text)


def _weigh(request: Request) -> None:
    """Raises Unplain when an event is larger than allowed, by its bytes as sent."""
    if any(memoryview(one).nbytes > EVENT_BYTES for one in _split(request.text).batch):
        raise Unplain


def _date(item: Item, sent_at: str, receipt: Receipt, correct: bool) -> bool:
    """Set the times as `ingest.validate` does; whether the event's own lies over a day back."""
    original = item.timestamp
    own = milliseconds_of(original)
    if own is None and item.original_timestamp:
        original = item.original_timestamp
        own = milliseconds_of(original)
    item.original_timestamp = original
    if not item.sent_at:
        item.sent_at = sent_at
    sent = milliseconds_of(item.sent_at)
    at = corrected(own, sent, receipt.received, retried=receipt.retried, correct=correct)
    item.timestamp = iso_of(at)
    item.received_at = receipt.received_at
    return receipt.received - at > LATE


def _sign(item: Item, source: str) -> None:
    """Set what only the server says."""
    if not item.message_id:
        item.message_id = new_id()
    item.source = source
    item.version = VERSION
    item.write_key = ""


def _entry_of(item: Item, value: bytes, source: str, now: float) -> Entry:
    name = item.event if item.type == "track" else item.name
    key = key_with(source, item.user_id or item.anonymous_id or item.message_id)
    return entry_with(value, key, source, item.type, name, item.message_id, now)
