"""What the standardwebhooks library, which receivers use, says of our requests."""

from __future__ import annotations

import base64
import secrets
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from destinations.spec import SecretStr
from destinations.talk import Reply, Request
from destinations.webhook.sandbox import SECRET, Sandbox
from destinations.webhook.webhook import Settings, signature
from tests.destinations.cases import Case, cases_of, play

CASE = cases_of("webhook")[0]


def _secret() -> str:
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


async def _sent(**told: Any) -> tuple[bytes, dict[str, str]]:
    """A request made now with these settings: its body and headers."""
    changed = {
        **{name: getattr(CASE, name) for name in Case.__slots__},
        "settings": {**CASE.settings, **told},
        "now": datetime.now(UTC).timestamp(),
    }
    played = await play(Case(**changed), None, "http://127.0.0.1:1", [Reply(200)])
    return played.requests[0].body, dict(played.requests[0].headers)


async def test_the_library_verifies_what_we_sign() -> None:
    """A receiver with the secret verifies our request and reads the event out of it."""
    secret = _secret()
    body, headers = await _sent(secret=secret)
    found = Webhook(secret).verify(body, headers)

    assert ("track", "Order Completed") == (found["type"], found["data"]["event"])


async def test_both_secrets_verify_during_a_rotation() -> None:
    """Receivers that know the old secret, and those that know the new one, both accept."""
    new, old = _secret(), _secret()
    body, headers = await _sent(secret=new, previous_secret=old)

    assert Webhook(new).verify(body, headers) == Webhook(old).verify(body, headers)


@pytest.mark.parametrize("part", ["body", "webhook-id", "webhook-timestamp"])
async def test_nothing_signed_can_be_changed(part: str) -> None:
    """Body, id and time are all under the signature."""
    secret = _secret()
    body, headers = await _sent(secret=secret)
    if part == "body":
        body = body.replace(b"Order", b"order")
    elif part == "webhook-id":
        headers[part] += "x"
    else:
        headers[part] = str(int(headers[part]) + 1)

    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(body, headers)


def test_the_published_vector() -> None:
    """The signature of a known secret, id, time and body is the known one."""
    secret = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX"
    settings = Settings(url="https://x.example", secret=SecretStr(secret))
    body = (
        b'{"type":"track","timestamp":"2026-11-21T10:00:00Z",'
        b'"data":{"event":"Order Completed","userId":"u1"}}'
    )
    at = datetime.fromtimestamp(1_795_255_200, UTC)

    assert "v1,gLQ4Zm9iarR/aXIDpljqlK1IWysMg2L/MVLyBM5hxXc=" == signature(
        settings, "m-001", 1_795_255_200, body
    )
    assert Webhook(secret).sign("m-001", at, body.decode()) == signature(
        settings, "m-001", 1_795_255_200, body
    )


@pytest.mark.parametrize(
    "told",
    [
        {"secret": "hush"},
        {"secret": "whsec_!!"},
        {"secret": "whsec_" + base64.b64encode(b"short").decode()},
        {"url": "http://x.example"},
        {"url": "ftp://x.example"},
        {"url": "https://me:secret@x.example"},
        {"url": "https://"},
        {"headers": {"Host": "x"}},
        {"headers": {"webhook-id": "x"}},
        {"headers": {"X-A": "a\r\nX-B: c"}},
        {"headers": {"X A": "a"}},
        {"batch": 0},
        {"batch": 1_001},
    ],
    ids=str,
)
def test_what_cannot_be_said_is_a_fault(told: dict[str, Any]) -> None:
    """Settings that would break a signature, a header or a receiver are refused at the start."""
    good = {"url": "https://x.example", "secret": _secret()}

    with pytest.raises(ValidationError):
        Settings(**{**good, **told})


@pytest.mark.parametrize("odd", ["ü\r\nX-Evil: 1", "x" * 256])
async def test_an_odd_message_id_is_a_header_all_the_same(odd: str) -> None:
    """An id that no header can hold is hashed, the same each time."""
    changed = {
        **{name: getattr(CASE, name) for name in Case.__slots__},
        "events": [{"type": "track", "event": "A", "userId": "u", "messageId": odd}],
    }
    ids = set()
    for _ in range(2):
        played = await play(Case(**changed), None, "http://127.0.0.1:1", [Reply(200)])
        ids.add(played.requests[0].headers["webhook-id"])

    assert 1 == len(ids)
    assert ids.pop().startswith("sha256_")


async def test_a_receiver_may_keep_no_ids() -> None:
    """The sandbox takes a repetition once, and at /every as often as it is told."""
    counts = {}
    for path in ("/hook", "/every"):
        receiver = Sandbox()
        body, headers = await _sent(secret=SECRET)
        told = {name.lower(): value for name, value in headers.items()}
        for _ in range(3):
            receiver.answer(Request("POST", path, told, body), datetime.now(UTC).timestamp())
        counts[path] = len(receiver.taken)

    assert {"/hook": 1, "/every": 3} == counts
