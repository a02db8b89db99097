"""Carries a talk to its end, whatever the vendor or the talk does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from destinations.courier import MAX_REASON, MAX_REQUESTS, Carried, carry, redact
from destinations.outcome import Barred, Busy, Delivered, Failed, Refused
from destinations.sender import ForbiddenAddress, Unsent
from destinations.spec import Account, Row, Talk
from destinations.talk import Reply, Request, all_rows
from hub.clock import FakeClock
from tests.destinations.invented import Told, action, row
from tests.destinations.invented import plan as plan_of

ROWS = [row(plan_of())] * 2
SAID = Request("GET", "http://vendor.invalid/")


class Line:
    """Answers in turn; an exception is raised instead. The last answer stays."""

    def __init__(self, *answers: Reply | Exception) -> None:
        self.answers = list(answers)
        self.heard: list[Request] = []

    async def send(self, request: Request) -> Reply:
        self.heard.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


async def carried(talk: Any, *answers: Reply | Exception) -> tuple[Carried, Line]:
    """What a talk comes to."""
    line = Line(*(answers or [Reply(200)]))
    account: Account[Any] = Account(Told(), FakeClock().now)
    return await carry(action(talk=talk), ROWS, account, line), line


def ending(outcomes: Any) -> Any:
    """A talk that asks once and ends with this."""

    def talk(rows: Sequence[Row], account: Account[Any]) -> Talk:
        del rows, account
        yield SAID
        return outcomes  # type: ignore[no-any-return]

    return talk


async def test_outcomes_come_home() -> None:
    """One for each row, with the last reply that was heard."""
    outcomes = [Delivered("note"), Busy(3.0)]
    found, line = await carried(ending(outcomes), Reply(207))

    assert (outcomes, Reply(207), None) == (found.outcomes, found.reply, found.error)
    assert [SAID] == line.heard


async def test_a_talk_of_several_requests() -> None:
    """Each reply is told before the next request is made; the last one is kept."""

    def talk(rows: Sequence[Row], account: Account[Any]) -> Talk:
        del account
        first = yield Request("GET", "http://vendor.invalid/1")
        second = yield Request("GET", f"http://vendor.invalid/{first.status}")
        return all_rows(Failed(f"{first.status} {second.status}"), rows)

    found, line = await carried(talk, Reply(201), Reply(202))

    assert [Failed("201 202")] * 2 == found.outcomes
    assert ["http://vendor.invalid/1", "http://vendor.invalid/201"] == [r.url for r in line.heard]
    assert Reply(202) == found.reply


async def test_a_talk_without_a_request() -> None:
    """A talk may have nothing to ask; there is then no reply."""

    def talk(rows: Sequence[Row], account: Account[Any]) -> Talk:
        del account
        if not rows:
            yield SAID
        return all_rows(Delivered(), rows)

    found, line = await carried(talk)

    assert ([Delivered()] * 2, None, []) == (found.outcomes, found.reply, line.heard)


@pytest.mark.parametrize(
    "outcomes",
    [
        [],
        [Delivered()],
        [Delivered()] * 3,
        [Delivered(), None],
        [Delivered(), "delivered"],
        [Delivered, Delivered],
        None,
        Delivered(),
        {0: Delivered(), 1: Delivered()},
        "ok",
    ],
)
async def test_anything_but_an_outcome_a_row_is_a_failure(outcomes: Any) -> None:
    """Too few, too many, or no outcomes: nothing is delivered by mistake, and no row is lost."""
    found, _ = await carried(ending(outcomes))

    assert [Failed("wrong_outcomes")] * 2 == found.outcomes
    assert Reply(200) == found.reply


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (Unsent("timeout"), Failed("timeout")),
        (ForbiddenAddress("is private"), Barred("forbidden_address", "is private")),
    ],
)
async def test_what_was_not_sent(error: Exception, expected: Any) -> None:
    """No reply is a failure with its bounded code; a private address bars."""
    found, _ = await carried(ending([Delivered()] * 2), error)

    assert ([expected] * 2, None) == (found.outcomes, found.reply)


async def test_what_cannot_be_read_is_a_failure() -> None:
    """A talk that stumbles over a reply has not delivered; the reply is kept."""

    def talk(rows: Sequence[Row], account: Account[Any]) -> Talk:
        del account
        reply = yield SAID
        return all_rows(Delivered(reply.json()), rows)

    found, _ = await carried(talk, Reply(200, {}, b"<html>"))

    assert [Failed("unreadable_reply")] * 2 == found.outcomes
    assert Reply(200, {}, b"<html>") == found.reply
    assert None is found.error


async def test_a_bug_in_a_talk_is_a_failure_and_told() -> None:
    """Whatever a talk raises, and whenever: rows come home, and the error with them."""

    def late(rows: Sequence[Row], account: Account[Any]) -> Talk:
        del rows, account
        yield SAID
        raise ZeroDivisionError

    def early(rows: Sequence[Row], account: Account[Any]) -> Talk:
        del rows, account
        raise ZeroDivisionError

    for talk in (late, early):
        found, _ = await carried(talk)

        assert [Failed("bug_in_talk")] * 2 == found.outcomes
        assert ZeroDivisionError is type(found.error)


async def test_an_endless_talk_is_ended() -> None:
    """After twenty requests it is a failure, and the talk is closed."""
    closed = []

    def talk(rows: Sequence[Row], account: Account[Any]) -> Talk:
        del rows, account
        try:
            while True:
                yield SAID
        finally:
            closed.append(True)

    found, line = await carried(talk)

    assert [Failed("endless_talk")] * 2 == found.outcomes
    assert (MAX_REQUESTS, [True]) == (len(line.heard), closed)


async def test_twenty_requests_are_no_circle() -> None:
    """As many as are allowed may be made."""

    def talk(rows: Sequence[Row], account: Account[Any]) -> Talk:
        del account
        for _ in range(MAX_REQUESTS - 1):
            yield SAID
        return all_rows(Delivered(), rows)

    found, line = await carried(talk)

    assert ([Delivered()] * 2, MAX_REQUESTS - 1) == (found.outcomes, len(line.heard))


async def test_reasons_come_home_redacted() -> None:
    """What a vendor echoes of a person or of our secret is masked in refusals and bars."""
    said = "a@b.example is bad"
    found, _ = await carried(ending([Refused("bad", said), Barred("no", said, True)]))

    assert [Refused("bad", "*** is bad"), Barred("no", "*** is bad", True)] == found.outcomes


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("Property 'email' is not valid", "Property 'email' is not valid"),
        ('value "jane.doe+x@mail.example.org" exists', 'value "***" exists'),
        ("email=jane@mail.example.org", "email=***"),
        ("call +49 30 901820-12 now", "call *** now"),
        ("error 100, code 2804", "error 100, code 2804"),
        ("token EAABsbCS1iHgBAKZCxyz0123456789abcdef is bad", "token *** is bad"),
        ("id 123e4567-e89b-12d3-a456-426614174000", "id ***"),
        ("", ""),
    ],
)
def test_redacting(said: str, expected: str) -> None:
    """Addresses, numbers and tokens are masked; codes and words stay."""
    assert expected == redact(said)


@given(st.text(max_size=3_000))
def test_a_reason_is_bounded(said: str) -> None:
    """However much a vendor says, little is kept."""
    assert len(redact(said)) <= MAX_REASON


@pytest.mark.timeout(5)
@pytest.mark.parametrize("said", ["a" * 1_000_000, "a@" * 500_000, "1" * 999_999, "1 " * 500_000])
def test_redacting_takes_no_time(said: str) -> None:
    """A megabyte that fits a pattern badly is cut before it is searched."""
    assert len(redact(said)) <= MAX_REASON
