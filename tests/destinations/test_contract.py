"""What every vendor promises, run over every folder of `destinations/`; no vendor writes tests."""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any, get_args

import orjson
import pytest
from aiohttp.test_utils import TestServer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from destinations import registry, sandbox
from destinations.describe import described
from destinations.outcome import Busy, Delivered, Failed, Outcome
from destinations.plan import Boarding
from destinations.sender import Sender
from destinations.spec import Idempotency
from destinations.talk import Reply, Request
from hub.clock import FakeClock
from tests.destinations.cases import (
    NOW,
    Case,
    all_cases,
    cases_of,
    event_of,
    plan_of,
    play,
    said_of,
)

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
CASES = all_cases()
VENDORS = registry.vendors()


@pytest.fixture
async def sender() -> AsyncIterator[Sender]:
    async with Sender() as made:
        yield made


@pytest.fixture
async def server() -> AsyncIterator[TestServer]:
    made = TestServer(sandbox.app(VENDORS, FakeClock(NOW)))
    await made.start_server()
    yield made
    await made.close()


def _base(server: TestServer, vendor: str) -> str:
    return str(server.make_url(f"/{vendor}")).rstrip("/")


@pytest.mark.parametrize("case", CASES, ids=str)
async def test_cases_come_true(case: Case, sender: Sender, server: TestServer) -> None:
    """This event becomes exactly this request, and the sandbox's answer is read so."""
    base = _base(server, case.vendor)
    played = await play(case, sender, base)
    if played.carried is not None and played.carried.error is not None:
        raise played.carried.error

    assert case.outcomes == said_of(played)
    for verdict in played.verdicts:
        if isinstance(verdict, Boarding):
            assert case.action == verdict.action.name
    if case.requests is not None:
        assert len(case.requests) == len(played.requests)
        for wanted, made in zip(case.requests, played.requests, strict=True):
            _assert_request(wanted, made, base)


def _assert_request(wanted: Mapping[str, Any], made: Request, base: str) -> None:
    assert wanted["method"] == made.method
    assert wanted["url"] == made.url.removeprefix(base)
    lower = {name.lower(): value for name, value in made.headers.items()}
    for name, value in wanted.get("headers", {}).items():
        assert value == lower.get(name.lower())
    if "json" in wanted:
        assert wanted["json"] == made.json()
    if "json_has" in wanted:
        assert wanted["json_has"] == _only(made.json(), wanted["json_has"])
    if "text" in wanted:
        assert wanted["text"] == made.body.decode()


def _only(found: Any, wanted: Any) -> Any:
    """`found` with no more keys than `wanted` has."""
    if isinstance(wanted, Mapping) and isinstance(found, Mapping):
        return {key: _only(found.get(key), value) for key, value in wanted.items()}
    if isinstance(wanted, list) and isinstance(found, list) and len(wanted) == len(found):
        return [_only(f, w) for f, w in zip(found, wanted, strict=True)]
    return found


def _delivered() -> Iterator[Case]:
    """One delivered case of each action of each vendor."""
    seen = set()
    for case in CASES:
        if "delivered" in case.outcomes and (case.vendor, case.action) not in seen:
            seen.add((case.vendor, case.action))
            yield case


ANSWERS = {
    "200 empty": Reply(200),
    "200 html": Reply(200, {"content-type": "text/html"}, b"<html>hello</html>"),
    "200 null": Reply.of(200, None),
    "200 list": Reply.of(200, []),
    "200 number": Reply.of(200, 7),
    "200 object": Reply.of(200, {}),
    "200 truncated": Reply(200, {"content-type": "application/json"}, b'{"results": [{"id'),
    "207 odd": Reply.of(207, {"results": None, "errors": 3}),
    "302": Reply(302, {"location": "http://127.0.0.1/"}),
    "400 not UTF-8": Reply(400, {}, b"\xff\xfe\x00"),
    "400 odd": Reply.of(400, {"errors": {"a": 1}, "error": "x", "message": 3}),
    "400 list": Reply.of(400, [[]]),
    "401": Reply(401),
    "403": Reply(403, {}, b"<html>"),
    "404": Reply(404),
    "408": Reply(408),
    "409": Reply.of(409, {"message": None}),
    "413": Reply(413),
    "418": Reply(418),
    "429": Reply(429),
    "429 seconds": Reply(429, {"retry-after": "7"}),
    "429 date": Reply(429, {"retry-after": "Sat, 21 Nov 2026 10:00:09 GMT"}),
    "429 odd": Reply(429, {"retry-after": "soon"}),
    "500 html": Reply(500, {"content-type": "text/html"}, b"<html>oops</html>"),
    "502": Reply(502),
    "503": Reply.of(503, {"error": {"message": "later"}}),
    "599": Reply(599),
}


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("case", list(_delivered()), ids=str)
async def test_no_answer_surprises_it(case: Case, answer: str) -> None:
    """Whatever is answered, every row gets an outcome and nothing but a 2xx is a delivery."""
    reply = ANSWERS[answer]
    played = await play(case, None, "http://sandbox.invalid", [reply])

    assert played.carried is not None
    assert played.carried.error is None
    boarded = [v for v in played.verdicts if isinstance(v, Boarding)]
    assert len(boarded) == len(played.outcomes)
    for outcome in played.outcomes:
        assert isinstance(outcome, get_args(Outcome))
        if not reply.ok:
            assert not isinstance(outcome, Delivered)
        if reply.status >= 500:
            assert isinstance(outcome, Failed | Busy)
        if reply.status == 429:
            assert isinstance(outcome, Busy)
    if answer == "429 seconds":
        assert {7.0} == {o.after for o in played.outcomes if isinstance(o, Busy)}


NOT_GOOD = [
    case
    for case in CASES
    if any(
        {"refused", "failed", "busy", "barred"} & set(o) for o in case.outcomes if o != "delivered"
    )
]


@pytest.mark.parametrize("case", NOT_GOOD, ids=str)
async def test_spoilt_answers_are_no_good_news(
    case: Case, sender: Sender, server: TestServer
) -> None:
    """No damage to an answer turns what was not delivered into a delivery."""
    played = await play(case, sender, _base(server, case.vendor))
    assert not all(isinstance(o, Delivered) for o in played.outcomes)
    if not played.replies:
        return  # refused or barred before a word was said: there is no answer to spoil
    heard, last = played.replies[:-1], played.replies[-1]
    for body in _gnawed(last.body):
        spoilt = Reply(last.status, last.headers, body)
        again = await play(case, None, "http://sandbox.invalid", [*heard, spoilt])
        for before, after in zip(played.outcomes, again.outcomes, strict=True):
            if not isinstance(before, Delivered):
                assert not isinstance(after, Delivered), body


def _gnawed(body: bytes) -> Iterator[bytes]:
    """The body with each key taken out, each value replaced, and itself cut in half."""
    if not body:
        return
    yield body[: len(body) // 2]
    try:
        whole = orjson.loads(body)
    except orjson.JSONDecodeError:
        return
    for path in _paths(whole):
        for bite in (None, 0, "", [], {}, "nonsense", _GONE):
            bitten = copy.deepcopy(whole)
            place = bitten
            for step in path[:-1]:
                place = place[step]
            if bite is _GONE:
                del place[path[-1]]
            else:
                place[path[-1]] = bite
            yield orjson.dumps(bitten)


_GONE = object()


def _paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _paths(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _paths(inner, (*path, index))


@pytest.mark.parametrize("vendor", VENDORS)
def test_every_setting_has_a_sentence(vendor: str) -> None:
    """Each setting of a vendor says in a sentence what it is, and secrets cannot be printed."""
    for name, field in registry.vendor(vendor).settings.model_fields.items():
        assert field.description, name
        assert field.description.endswith("."), name
        if any(word in name for word in ("secret", "token", "password", "api_key")):
            assert SecretStr in (field.annotation, *get_args(field.annotation)), name


@pytest.mark.parametrize("vendor", VENDORS)
def test_no_secret_is_ever_printed(vendor: str) -> None:
    """Neither the settings, nor an account, nor `describe` shows a secret."""
    case = cases_of(vendor)[0]
    plan = plan_of(case, "http://127.0.0.1:1")
    shown = repr(plan.settings) + repr(plan) + described(vendor, plan)
    secrets = list(_secrets(plan.settings))

    assert secrets
    for secret in secrets:
        assert secret not in shown


def _secrets(model: Any) -> Iterator[str]:
    for name in type(model).model_fields:
        value = getattr(model, name)
        if isinstance(value, SecretStr):
            yield value.get_secret_value()


@pytest.mark.parametrize("vendor", VENDORS)
def test_every_action_has_cases(vendor: str) -> None:
    """Each action has an example that is delivered and one that is not; each field a sentence."""
    told = cases_of(vendor)
    for action in registry.vendor(vendor).actions:
        of_action = [case for case in told if case.action == action.name]
        assert any("delivered" in case.outcomes for case in of_action), action.name
        assert any("delivered" not in case.outcomes for case in of_action), action.name
        for name, field in action.fields.items():
            assert field.sentence.endswith("."), name


def _deduped() -> Iterator[Case]:
    """One delivered case of each action whose vendor knows our ids."""
    for case in _delivered():
        action = next(a for a in registry.vendor(case.vendor).actions if a.name == case.action)
        if action.idempotency is Idempotency.NATIVE:
            yield case


@pytest.mark.parametrize("case", list(_deduped()), ids=str)
async def test_the_message_id_travels(case: Case, sender: Sender, server: TestServer) -> None:
    """Where the vendor dedupes by our id, the id is in what we send."""
    played = await play(case, sender, _base(server, case.vendor))
    boarding = [v for v in played.verdicts if isinstance(v, Boarding)]
    said = b"".join(r.body + orjson.dumps(dict(r.headers)) for r in played.requests)

    assert boarding
    for board in boarding:
        assert board.row.id.encode() in said


@pytest.mark.parametrize("case", list(_delivered()), ids=str)
async def test_a_talk_is_pure(case: Case, sender: Sender, server: TestServer) -> None:
    """The same rows at the same time make the same first request, and leave the event untouched."""
    base = _base(server, case.vendor)
    first, second = await play(case, sender, base), await play(case, sender, base)

    assert first.requests[0] == second.requests[0]
    for number, said in enumerate(case.events):
        event = event_of(said, number, case.now)
        kept = [orjson.loads(v.row.json) for v in first.verdicts if isinstance(v, Boarding)]
        whole = {k: v for k, v in event.body.items() if k != "_metadata"}
        assert whole in kept or not isinstance(first.verdicts[number], Boarding)


@pytest.mark.parametrize("vendor", VENDORS)
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_a_sandbox_answers_anything(vendor: str, data: st.DataObject) -> None:
    """No request, however odd, breaks a sandbox or is taken as a delivery."""
    practice = registry.sandbox(vendor)
    json = st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=10,
    )
    body = data.draw(st.binary(max_size=50) | json.map(_dumped))
    urls = ["/", "/x", *_urls(vendor)]
    request = Request(
        data.draw(st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE"])),
        data.draw(st.sampled_from(urls) | st.text(max_size=20).map(lambda t: "/" + t)),
        data.draw(st.dictionaries(st.sampled_from(["authorization", "revision"]), st.text())),
        body,
    )
    reply = practice.answer(request, NOW)

    assert 200 <= reply.status < 600
    assert [] == practice.taken


def _dumped(value: Any) -> bytes:
    try:
        return orjson.dumps(value)
    except (TypeError, orjson.JSONEncodeError):
        return b"null"


def _urls(vendor: str) -> list[str]:
    return [r["url"] for case in cases_of(vendor) for r in case.requests or []]


@pytest.mark.parametrize("vendor", VENDORS)
def test_it_can_be_described(vendor: str) -> None:
    """`describe` names every action, setting and field with its sentence, from the declaration."""
    text = described(vendor)
    declared = registry.vendor(vendor)

    for action in declared.actions:
        assert action.name in text
        assert action.sentence in text
        for field in action.fields.values():
            assert field.sentence in text
    for field_info in declared.settings.model_fields.values():
        assert (field_info.description or "") in text


@pytest.mark.parametrize("case", list(_delivered()), ids=str)
def test_every_field_can_be_overridden(case: Case) -> None:
    """`hub.toml` may give each field another source."""
    told = registry.vendor(case.vendor)
    action = next(a for a in told.actions if a.name == case.action)
    plan = plan_of(case, "http://127.0.0.1:1")
    fields = action.fields_of(plan.settings)
    table = {"actions": {action.name: {"fields": dict.fromkeys(fields, "properties.elsewhere")}}}
    changed = plan_of(
        Case(**{**{s: getattr(case, s) for s in Case.__slots__}, "instance": table}),
        "http://127.0.0.1:1",
    )
    of_action = next(a for a in changed.actions if a.name == action.name)

    assert dict.fromkeys(fields, "properties.elsewhere") == {
        name: str(field.source) for name, field in of_action.fields.items()
    }
