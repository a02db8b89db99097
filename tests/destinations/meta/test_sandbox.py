"""That our sandbox refuses and remembers as the Conversions API does."""

from __future__ import annotations

import hashlib
from typing import Any

import orjson
import pytest

from destinations.meta.sandbox import DATASET, TOKEN, Sandbox
from destinations.spec import Reply, Request
from tests.destinations.cases import NOW


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def told(*changes: dict[str, Any], at: float = NOW) -> bytes:
    events = [
        {
            "event_name": "Lead",
            "event_time": int(at),
            "event_id": "e1",
            "action_source": "email",
            "user_data": {"em": [sha("alice@example.com")]},
            **change,
        }
        for change in changes
    ]
    return orjson.dumps({"data": events})


def post(practice: Sandbox, body: bytes, now: float = NOW) -> Reply:
    headers = {"authorization": f"Bearer {TOKEN}", "content-type": "application/json"}
    return practice.answer(Request("POST", f"/v26.0/{DATASET}/events", headers, body), now)


def test_the_sandbox_remembers_for_48_hours() -> None:
    """The same name and id count once within 48 h, whatever was answered; then again."""
    practice = Sandbox()
    for now in (NOW, NOW + 47 * 3600, NOW + 49 * 3600):
        assert 1 == post(practice, told({}, at=now), now).json()["events_received"]
    post(practice, told({"event_name": "Contact"}))

    assert ["Lead", "Lead", "Contact"] == [taken.what for taken in practice.taken]
    assert 1 == practice.deduplicated


@pytest.mark.parametrize(
    ("change", "subcode"),
    [
        ({"event_name": ""}, 2804001),
        ({"event_time": int(NOW) - 7 * 86_400 - 1}, 2804003),
        ({"event_time": int(NOW) + 61}, 2804007),
        ({"action_source": "web"}, 2804017),
        ({"user_data": {"em": "alice@example.com"}}, 2804016),
        ({"user_data": {"em": [sha("a"), "b"]}}, 2804016),
        ({"user_data": {"ct": [sha("berlin")], "client_user_agent": "M"}}, 2804050),
        ({"user_data": {}}, 2804050),
        ({"action_source": "website"}, 2804019),
        ({"event_name": "Purchase"}, 2804009),
        ({"event_name": "Purchase", "custom_data": {"value": "1", "currency": "EUR"}}, 2804009),
        ({"custom_data": {"currency": "EURO"}}, 2804048),
        ({"action_source": "business_messaging"}, 2804066),
        ({"event_time": "2026-11-21T10:00:00Z"}, None),
        ({"user_data": []}, None),
    ],
)
def test_the_sandbox_takes_all_or_nothing(change: dict[str, Any], subcode: int | None) -> None:
    """One event that cannot be, and none beside it is taken."""
    practice = Sandbox()
    error = post(practice, told({}, change)).json()["error"]

    assert (100, subcode) == (error["code"], error.get("error_subcode"))
    assert [] == practice.taken
