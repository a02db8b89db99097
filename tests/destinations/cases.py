"""A vendor's cases.json, read: example events, the requests they become, and what comes of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from destinations import registry
from destinations.courier import Carried, carry
from destinations.instance import Instance
from destinations.outcome import Barred, Busy, Delivered, Failed, Outcome, Refused
from destinations.plan import Boarding, Filtered, Plan
from destinations.sender import Sender
from destinations.settings import DestinationsSettings, plans
from destinations.spec import Account
from destinations.talk import Reply, Request, Token
from hub.clock import FakeClock, iso
from hub.event import Event, entry_of
from hub.log import Record

NOW = 1_795_255_200.0
"""2026-11-21T10:00:00Z: when every case happens, unless it says `now`."""


@dataclass(frozen=True, slots=True)
class Case:
    """One example; see `destinations/webhook/cases.json` for the words."""

    vendor: str
    says: str
    action: str
    settings: Mapping[str, Any]
    instance: Mapping[str, Any]
    events: Sequence[Mapping[str, Any]]
    requests: Sequence[Mapping[str, Any]] | None
    replies: Sequence[Mapping[str, Any]] | None
    outcomes: Sequence[Any]
    token: str
    now: float

    def __str__(self) -> str:
        return f"{self.vendor}: {self.says}"


def cases_of(vendor: str) -> list[Case]:
    """All cases of a vendor."""
    told = orjson.loads(registry.cases(vendor).read_bytes())
    return [
        Case(
            vendor=vendor,
            says=case["says"],
            action=case["action"],
            settings={**told["settings"], **case.get("settings", {})},
            instance=case.get("instance", {}),
            events=case["events"] if "events" in case else [case["event"]],
            requests=case.get("requests"),
            replies=case.get("replies"),
            outcomes=case["outcomes"],
            token=case.get("token", told.get("token", "")),
            now=case.get("now", NOW),
        )
        for case in told["cases"]
    ]


def all_cases() -> list[Case]:
    """All cases of all vendors."""
    return [case for vendor in registry.vendors() for case in cases_of(vendor)]


def event_of(said: Mapping[str, Any], number: int = 0, now: float = NOW) -> Event:
    """A whole event of a case's partial one: accepted a minute before `now`."""
    body = {
        "messageId": f"m-{number + 1:03d}",
        "timestamp": iso(now - 60),
        "receivedAt": iso(now - 60),
        "source": "shop",
        "version": 2,
        "context": {},
        **said,
    }
    entry = entry_of("shop", body, now - 60)
    return Event.of(Record("events", 0, number, entry.key, entry.value, entry.headers, now - 60))


def plan_of(case: Case, sandbox_url: str) -> Plan:
    """The plan of an instance with the case's settings, `{sandbox}` filled in."""
    told = orjson.loads(orjson.dumps(case.settings).replace(b"{sandbox}", sandbox_url.encode()))
    instance = Instance(vendor=case.vendor, settings=told, **case.instance)
    return plans(DestinationsSettings(destinations={"crm": instance}))["crm"]


class Recorder:
    """Sends for real, or answers with a case's replies; keeps both sides."""

    def __init__(self, sender: Sender | None, replies: Sequence[Reply] | None) -> None:
        self.sender = sender
        self.left = None if replies is None else list(replies)
        self.requests: list[Request] = []
        self.replies: list[Reply] = []

    async def send(self, request: Request) -> Reply:
        self.requests.append(request)
        if self.left is not None:
            reply = self.left.pop(0) if len(self.left) > 1 else self.left[0]
        else:
            assert self.sender is not None
            reply = await self.sender.send(request)
        self.replies.append(reply)
        return reply


@dataclass
class Played:
    """What came of a case."""

    plan: Plan
    verdicts: list[Filtered | Refused | Boarding]
    requests: list[Request]
    replies: list[Reply]
    outcomes: list[Outcome]
    carried: Carried | None


async def play(
    case: Case, sender: Sender | None, sandbox_url: str, replies: Sequence[Reply] | None = None
) -> Played:
    """Judge the case's events and carry those that board, in one request."""
    plan = plan_of(case, sandbox_url)
    clock = FakeClock(case.now)
    events = [event_of(said, n, case.now) for n, said in enumerate(case.events)]
    verdicts = [plan.judge(event, clock.now()) for event in events]
    boarding = [verdict for verdict in verdicts if isinstance(verdict, Boarding)]
    if replies is None and case.replies is not None:
        replies = [reply_of(said) for said in case.replies]
    recorder = Recorder(sender, replies)
    carried = None
    if boarding:
        account: Account[Any] = Account(plan.settings, clock.now, token=case.token)
        carried = await carry(boarding[0].action, [b.row for b in boarding], account, recorder)
    return Played(
        plan,
        verdicts,
        recorder.requests,
        recorder.replies,
        list(carried.outcomes) if carried else [],
        carried,
    )


def reply_of(said: Mapping[str, Any]) -> Reply:
    """A reply as a case says it: status, headers, and `json` or `text`."""
    made = Reply.of(said["status"], said.get("json"))
    body = said["text"].encode() if "text" in said else made.body
    return Reply(made.status, {**made.headers, **said.get("headers", {})}, body)


def spelled(verdict: Outcome | Filtered | Token) -> Any:
    """An outcome as cases spell it."""
    match verdict:
        case Delivered():
            return "delivered"
        case Busy(after):
            return {"busy": after}
        case Failed(reason):
            return {"failed": reason}
        case Refused(code):
            return {"refused": code}
        case Barred(code):
            return {"barred": code}
        case Filtered(reason):
            return {"filtered": reason}
        case _:
            raise TypeError(type(verdict))


def said_of(played: Played) -> list[Any]:
    """One word per event: what the plan said, or what came of the talk."""
    outcomes = iter(played.outcomes)
    return [
        spelled(next(outcomes))
        if isinstance(verdict, Boarding)
        else {"unsendable": verdict.code}
        if isinstance(verdict, Refused)
        else spelled(verdict)
        for verdict in played.verdicts
    ]
