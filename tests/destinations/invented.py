"""Invented vendors, plans and records for tests of the engine's rooms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from destinations.instance import Instance
from destinations.outcome import Delivered
from destinations.plan import Boarding, Plan
from destinations.settings import DestinationsSettings
from destinations.spec import (
    Account,
    Action,
    At,
    Destination,
    Field,
    Idempotency,
    On,
    Request,
    Row,
    SecretStr,
    Talk,
    VendorSettings,
    all_rows,
    setting,
)
from hub.clock import iso
from hub.event import Event, entry_of
from hub.log import EVENTS, Record

NOW = 1_795_255_200.0
"""2026-11-21T10:00:00Z."""

TYPES = ("track", "identify", "page", "screen", "group", "alias")


class Told(VendorSettings):
    """What the invented vendor is told."""

    secret: SecretStr = setting(SecretStr("hush-hush"), description="A secret that stays one.")
    region: str = setting("eu", description="Where it is.")


def say(rows: Sequence[Row], account: Account[Any]) -> Talk:
    """One request, and whatever is answered, all is well."""
    del account
    yield Request("POST", "http://vendor.invalid/", body=b",".join(r.id.encode() for r in rows))
    return all_rows(Delivered(), rows)


def action(name: str = "send", **changes: Any) -> Action[Any]:
    """An action that takes all events and says their e-mail address."""
    told: dict[str, Any] = {
        "name": name,
        "sentence": "Sends it.",
        "on": On(TYPES),
        "fields": {"email": Field("The address.", At("properties.email"))},
        "talk": say,
        "idempotency": Idempotency.NONE,
        **changes,
    }
    return Action(**told)


def vendor(*actions: Action[Any], **changes: Any) -> Destination[Any]:
    """A vendor of these actions."""
    told: dict[str, Any] = {
        "name": "acme",
        "titles": ("Acme", "Acme (Actions)"),
        "settings": Told,
        "actions": actions or (action(),),
        "version": "v1",
        "docs": "https://acme.invalid",
        **changes,
    }
    return Destination(**told)


def plan(
    *actions: Action[Any],
    of: Destination[Any] | None = None,
    overrides: Mapping[tuple[str, str], Any] | None = None,
    **instance: Any,
) -> Plan:
    """The plan of an instance `crm` of the invented vendor."""
    told = Instance(vendor="acme", **instance)
    return Plan("crm", of or vendor(*actions), Told(), told, overrides or {})


def record(offset: int, who: str = "u", partition: int = 0, at: float = NOW, **body: Any) -> Record:
    """A record of an accepted event; a track named Bought, unless `body` says otherwise."""
    event = {
        "type": "track",
        "event": "Bought",
        "messageId": f"m{partition}-{offset}",
        "userId": who,
        "timestamp": iso(at),
        "context": {},
        **body,
    }
    entry = entry_of(body.get("source", "shop"), event, at)
    return Record(EVENTS, partition, offset, entry.key, entry.value, entry.headers, at)


def event(**body: Any) -> Event:
    """An accepted event, as in `record`."""
    return Event.of(record(0, **body))


def row(plan: Plan, **body: Any) -> Row:
    """The row of an event that boards."""
    verdict = plan.judge(event(**body), NOW)
    assert isinstance(verdict, Boarding)
    return verdict.row


def settings(**instance: Any) -> DestinationsSettings:
    """Settings with one webhook, `hook`."""
    told = {"url": "https://hook.invalid/", "secret": "whsec_" + "QUFB" * 10}
    made = {"vendor": "webhook", "settings": told, **instance}
    return DestinationsSettings.model_validate({"destinations": {"hook": made}})
