"""A request as it would be sent, without what is secret or personal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
import pytest

from destinations import registry
from destinations.rendering import rendered
from destinations.spec import Account, Request, Row, Talk
from tests.destinations.cases import cases_of, event_of, plan_of
from tests.destinations.invented import NOW, action, event, plan


def saying(request: Request) -> dict[str, Any]:
    """What is shown of a request."""

    def talk(rows: Sequence[Row], account: Account[Any]) -> Talk:
        del rows, account
        yield request
        return []

    told = rendered(plan(action(talk=talk)), event(), NOW)
    shown: dict[str, Any] = told["request"]
    return shown


def test_names_stay_and_values_become_their_kinds() -> None:
    """Of a JSON body; what the reader chose by, such as the id, stays."""
    body = orjson.dumps({"id": "m0-0", "user": {"email": "ada@ex.org", "age": 3}, "ok": True})
    shown = saying(Request("PUT", "https://api.ex.org/v1/people", body=body))

    assert {
        "method": "PUT",
        "url": "https://api.ex.org/v1/people",
        "headers": {},
        "body": {
            "id": "m0-0",
            "user": {"email": "an e-mail address", "age": "a number"},
            "ok": True,
        },
    } == shown


def test_secrets_are_not_shown() -> None:
    """Neither of headers nor of the URL: its query and its user are left out, tokens masked."""
    token = "T0K3N" * 8
    headers = {"Authorization": f"Bearer {token}", "X-Signature": "s", "Content-Type": "text/plain"}
    url = f"https://me:{token}@api.ex.org:8443/ada%40ex.org/{token}?access_token={token}"
    shown = saying(Request("POST", url, headers, b"words"))

    assert "https://api.ex.org:8443/***/***" == shown["url"]
    assert {"Authorization": "***", "X-Signature": "***", "Content-Type": "text/plain"} == shown[
        "headers"
    ]
    assert "5 bytes" == shown["body"]


def test_forms_are_read() -> None:
    """A body as a form sends it shows its names, too."""
    kind = {"content-type": "application/x-www-form-urlencoded"}
    shown = saying(Request("POST", "https://ex.org/", kind, b"email=ada%40ex.org&empty="))

    assert {"email": "an e-mail address", "empty": "text of 0"} == shown["body"]


def test_what_is_not_sent_says_why() -> None:
    """Filtered, refused, or broken within the vendor's own function."""

    def breaks(*_: object) -> Talk:
        raise ZeroDivisionError

    deaf = plan(sources=("other",))
    strict = plan(action(one_of=("email",)))
    broken = plan(action(talk=breaks))

    assert {"filtered": "filtered_by_source"} == rendered(deaf, event(), NOW)
    assert "missing_field" == rendered(strict, event(), NOW)["refused"]
    assert "ZeroDivisionError" == rendered(broken, event(), NOW)["broke"]


@pytest.mark.parametrize("vendor", registry.vendors())
def test_every_vendors_requests_can_be_shown(vendor: str) -> None:
    """Of each example that is sent, a request, and nothing that looks like an address in it."""
    shown = []
    for case in cases_of(vendor):
        one = event_of(case.events[0])
        told = rendered(plan_of(case, "http://127.0.0.1:1"), one, case.now)
        assert "broke" not in told, case.says
        shown.append(orjson.dumps(told.get("request")))

    assert any(b'"method"' in one for one in shown)
    assert not any(b"@" in one for one in shown)
