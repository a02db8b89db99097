"""A signed webhook: each event, or a batch of them, POSTed as JSON to a URL of yours.

API     Standard Webhooks: `webhook-id`, `webhook-timestamp`, `webhook-signature` over the raw body.
Auth    The signature; during a rotation both secrets sign. Static headers may be added.
Limits  Yours: `batch` events a request. 429 and 503 are honoured with Retry-After.
Quirks  401, 403 and 404 are often a deploy mistake and are tried again for the whole patience;
        410 bars the instance. Redirects are not followed. Private addresses are refused after
        resolution, unless `allow_private`.
        A batch's id is made of its events' ids; a batch tried again may hold other events, so a
        receiver of batches should know repetitions by each event's messageId.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import field_validator, model_validator

from destinations.spec import (
    Account,
    Action,
    Barred,
    Batch,
    Busy,
    Delivered,
    Destination,
    Failed,
    Idempotency,
    On,
    Outcome,
    Refused,
    Reply,
    Request,
    Row,
    SecretStr,
    Talk,
    VendorSettings,
    all_rows,
    date_of,
    dumps,
    retry_after,
    setting,
)

TYPES = ("track", "identify", "page", "screen", "group", "alias")

# The engine's and HTTP's own headers: a setting of that name would break signature or framing.
RESERVED = {
    "connection",
    "content-length",
    "content-type",
    "host",
    "transfer-encoding",
    "user-agent",
    "webhook-id",
    "webhook-signature",
    "webhook-timestamp",
}


CLOCKS_APART = 120.0
"""Seconds between a receiver's `Date` and our timestamp that no network explains; who checks
timestamps allows five minutes.
"""

MAX_ID = 255
"""Characters of a `webhook-id`; a longer messageId is hashed."""


class Settings(VendorSettings):
    """What a webhook is told."""

    url: str = setting(description="Where events are POSTed; https, unless `allow_http`.")
    secret: SecretStr = setting(
        description="Signs every request: `whsec_` and the base64 of 24 to 64 random bytes."
    )
    previous_secret: SecretStr | None = setting(
        None, description="The secret before the last rotation; signs too, until it is removed."
    )
    headers: Mapping[str, SecretStr] = setting(
        default_factory=dict, description="Headers to add, such as an Authorization of yours."
    )
    batch: int = setting(
        1, ge=1, le=1_000, description="Most events in a request; above 1 the body is a JSON array."
    )
    timeout: float = setting(
        10.0, gt=0, le=60, description="Seconds until a request that has no answer is given up."
    )
    on_client_error: Literal["retry", "refuse"] = setting(
        "retry", description="What 401, 403 and 404 mean: try again, or a dead letter."
    )
    allow_http: bool = setting(False, description="Allow a URL that is not https.")
    allow_private: bool = setting(
        False, description="Allow private, loopback and link-local addresses (SSRF guard off)."
    )

    @cached_property
    def keys(self) -> tuple[bytes, ...]:
        """What signs: the secret, and the one before it."""
        secrets = (self.secret, self.previous_secret)
        return tuple(key_of(secret) for secret in secrets if secret is not None)

    @cached_property
    def given(self) -> Mapping[str, str]:
        """The headers, as they are sent."""
        return {name: value.get_secret_value() for name, value in self.headers.items()}

    @field_validator("secret", "previous_secret")
    @classmethod
    def _is_a_key(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None:
            key_of(secret)
        return secret

    @field_validator("headers")
    @classmethod
    def _are_ours_to_add(cls, headers: Mapping[str, SecretStr]) -> Mapping[str, SecretStr]:
        for name, value in headers.items():
            if name.lower() in RESERVED:
                raise ValueError(f"the header {name} is not yours to set")
            if not name.replace("-", "").replace("_", "").isalnum() or not name.isascii():
                raise ValueError("a header's name is letters, digits, - and _")
            if any(c in value.get_secret_value() for c in "\r\n\0"):
                raise ValueError(f"the value of the header {name} holds a line break")
        return headers

    @model_validator(mode="after")
    def _leads_somewhere(self) -> Self:
        parts = urlsplit(self.url)
        if parts.scheme not in ("https", "http") or not parts.hostname:
            raise ValueError("url: must be an https URL with a host")
        if parts.scheme == "http" and not self.allow_http:
            raise ValueError("url: must be https, or set allow_http = true")
        if parts.username or parts.password:
            raise ValueError("url: credentials do not belong in it; use headers")
        return self


def key_of(secret: SecretStr) -> bytes:
    """The key that a `whsec_` secret stands for. Raises ValueError."""
    said = secret.get_secret_value()
    try:
        key = base64.b64decode(said.removeprefix("whsec_"), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("must be whsec_ and base64") from None
    if not said.startswith("whsec_") or not 24 <= len(key) <= 64:
        raise ValueError("must be whsec_ and the base64 of 24 to 64 random bytes")
    return key


def signature(settings: Settings, identity: str, timestamp: int, body: bytes) -> str:
    """`v1,<base64>` for the secret and for the one before it, over id, timestamp and raw body."""
    content = b".".join((identity.encode(), b"%d" % timestamp, body))
    return " ".join(
        [
            "v1," + base64.b64encode(hmac.digest(key, content, "sha256")).decode()
            for key in settings.keys
        ]
    )


def item(row: Row) -> bytes:
    """One event in the Standard Webhooks form; `data` is the event as Segment spells it."""
    timestamp = dumps(row.timestamp)
    return b'{"type":%b,"timestamp":%b,"data":%b}' % (dumps(row.type), timestamp, row.json)


def deliver(rows: Sequence[Row], account: Account[Settings]) -> Talk:
    """One POST. The same rows always get the same id, so a receiver can know a repetition."""
    settings = account.settings
    if settings.batch == 1:
        identity, body = rows[0].id, item(rows[0])
    else:
        ids = "\n".join(row.id for row in rows)
        identity = "batch_" + hashlib.sha256(ids.encode()).hexdigest()[:32]
        body = b"[%b]" % b",".join([item(row) for row in rows])
    # A messageId is a client's word, of any length; a header holds some printable ASCII.
    if not (identity.isascii() and identity.isprintable() and len(identity) <= MAX_ID):
        identity = "sha256_" + hashlib.sha256(identity.encode()).hexdigest()[:32]
    timestamp = int(account.now)
    reply = yield Request(
        "POST",
        settings.url,
        {
            **settings.given,
            "Content-Type": "application/json",
            "webhook-id": identity,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": signature(settings, identity, timestamp, body),
        },
        body,
        settings.timeout,
        public_only=not settings.allow_private,
    )
    if reply.status in (400, 401, 403) and _clocks_apart(reply, timestamp):
        # Who checks timestamps refuses all of ours, as long as one of the two clocks is wrong.
        return all_rows(Failed("clocks_apart"), rows)
    return all_rows(meaning(reply, account), rows)


_DELIVERED = Delivered()


def _clocks_apart(reply: Reply, timestamp: int) -> bool:
    date = date_of(reply)
    return date is not None and abs(date - timestamp) > CLOCKS_APART


def meaning(reply: Reply, account: Account[Settings]) -> Outcome:
    """A receiver speaks by status alone; its body is nobody's business."""
    match reply.status:
        case status if 200 <= status < 300:
            return _DELIVERED
        case 410:
            return Barred("http_410", "the receiver says 410 Gone: it wants no more webhooks")
        case 429 | 503:
            return Busy(retry_after(reply, account.now, default=5.0), f"http_{reply.status}")
        case 401 | 403 | 404 if account.settings.on_client_error == "retry":
            return Failed(f"http_{reply.status}")
        case 408 | 425:
            return Failed(f"http_{reply.status}")
        case status if 400 <= status < 500:
            return Refused(f"http_{status}", f"the receiver answered {status}")
        case status if 300 <= status < 400:
            return Failed("redirect")
        case status:
            return Failed(f"http_{status}" if status in (500, 502, 504) else "http_5xx")


destination = Destination(
    name="webhook",
    titles=("Webhook", "Webhooks", "Webhooks (Actions)"),
    settings=Settings,
    version="Standard Webhooks 1",
    docs="https://www.standardwebhooks.com",
    actions=(
        Action(
            name="deliver",
            sentence="POSTs the event as it is, signed.",
            on=On(TYPES),
            fields={},
            talk=deliver,
            idempotency=Idempotency.NATIVE,
            batch_for=lambda settings: Batch(rows=settings.batch, bytes=1_000_000),
        ),
    ),
)
