"""The access token of an instance: one asks, all others hear the answer."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from destinations.outcome import Barred, Failed
from destinations.sender import ForbiddenAddress, Unsent
from destinations.spec import Account
from destinations.talk import Reply, Request, Token, TokenTalk
from destinations.tokens import AGAIN_SECONDS, Tokens
from destinations.vault import EARLY
from hub.clock import FakeClock
from hub.log import Log, LogUnavailable
from hub.log.memory import MemoryLog
from tests.destinations.invented import Told, vendor
from tests.destinations.scene import until


class Door:
    """Where tokens are given: counts who asks, and answers when it is let."""

    def __init__(self, *answers: Reply | Exception, patient: bool = False) -> None:
        self.answers = list(answers)
        self.asked = 0
        self.open = asyncio.Event()
        if not patient:
            self.open.set()

    async def send(self, request: Request) -> Reply:
        del request
        self.asked += 1
        await self.open.wait()
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def asks(account: Account[Any]) -> TokenTalk:
    """A vendor that reads a token, or the error, from one reply."""
    assert account.grant
    reply = yield Request("POST", "http://vendor.invalid/token")
    said = reply.object()
    if reply.status == 401:
        return Barred("invalid_client", f"no: {said['echo']}")
    if not reply.ok:
        return Failed("http_5xx")
    return Token(said["token"], said["expires_in"], said["refresh_token"])


def made(door: Door, log: Log | None = None, **changes: Any) -> Any:
    """Tokens of an instance that needs them, its account and its clock."""
    clock = FakeClock()
    account: Account[Any] = Account(Told(), clock.now)
    of = vendor(**{"token": asks, "grant": lambda told: told.secret, **changes})
    log = log or MemoryLog()
    return Tokens("crm", of, account, door, log, clock), account, clock


def good(name: str = "t1", seconds: float = 100.0, refresh_token: str = "") -> Reply:
    """A token that lasts."""
    said = {"token": name, "expires_in": seconds, "refresh_token": refresh_token}
    return Reply.of(200, said)


async def test_a_token_is_asked_for_once_and_kept() -> None:
    """It is good until most of its life is over, and then renewed."""
    door = Door(good("t1"), good("t2"))
    tokens, account, clock = made(door)
    heard = [await tokens.fresh(), await tokens.fresh()]
    clock.advance(100.0 * EARLY - 1)
    heard.append(await tokens.fresh())
    before = account.token, door.asked
    clock.advance(1)
    heard.append(await tokens.fresh())

    assert [None] * 4 == heard
    assert (("t1", 1), ("t2", 2)) == (before, (account.token, door.asked))


async def test_who_needs_none_asks_for_none() -> None:
    """Settings with a lasting token never ask."""
    door = Door(good())
    tokens, account, _ = made(door, grant=lambda _: None)

    assert None is await tokens.fresh()
    assert (False, 0, "") == (tokens.needed, door.asked, account.token)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (good(), None),
        (Reply.of(503, {}), Failed("http_5xx")),
        (Unsent("timeout"), Failed("timeout")),
    ],
)
async def test_all_hear_the_answer_of_the_one_who_asks(answer: Any, expected: Any) -> None:
    """Sixteen who wait make one request, also when it fails: they do not ask in turn."""
    door = Door(answer, patient=True)
    tokens, _, _ = made(door)
    waiting = [asyncio.create_task(tokens.fresh()) for _ in range(16)]
    await asyncio.sleep(0)
    door.open.set()

    assert [expected] * 16 == await asyncio.gather(*waiting)
    assert 1 == door.asked


async def test_who_comes_after_a_failure_asks_again() -> None:
    """A failure is not kept: the next one knocks."""
    door = Door(Unsent("dns"), good())
    tokens, account, _ = made(door)

    assert [Failed("dns"), None] == [await tokens.fresh(), await tokens.fresh()]
    assert "t1" == account.token


async def test_a_spoilt_token_is_replaced_once() -> None:
    """All whose token was not accepted get the same new one."""
    door = Door(good("t1"), good("t2"), good("t3"))
    tokens, account, _ = made(door)
    await tokens.fresh()
    heard = await asyncio.gather(*(tokens.spoilt("t1") for _ in range(8)))
    later = await tokens.spoilt("t1")

    assert ([None] * 8, None) == (heard, later)
    assert ("t2", 2) == (account.token, door.asked)
    await tokens.spoilt("t2")
    assert "t3" == account.token


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Reply.of(401, {"echo": "x@y.example"}), Barred("invalid_client", "no: ***")),
        (Reply(200, {}, b"<html>"), Failed("unreadable_reply")),
        (ForbiddenAddress("is private"), Barred("forbidden_address", "is private")),
    ],
)
async def test_what_stands_in_the_way_is_told(answer: Any, expected: Any) -> None:
    """A refusal bars, without what it echoes; what cannot be read has failed."""
    tokens, account, _ = made(Door(answer))

    assert expected == await tokens.fresh()
    assert "" == account.token


async def test_a_talk_that_ends_oddly_has_failed() -> None:
    """Anything but a token, a failure or a bar is none of them; a circle is ended."""

    def odd(account: Account[Any]) -> Any:
        yield Request("POST", account.settings.region)
        return "token"

    def endless(account: Account[Any]) -> Any:
        while True:
            yield Request("POST", account.settings.region)

    odd_tokens, _, _ = made(Door(good()), token=odd)
    endless_tokens, _, _ = made(Door(good()), token=endless)

    assert Failed("wrong_outcomes") == await odd_tokens.fresh()
    assert Failed("endless_talk") == await endless_tokens.fresh()


async def test_no_way_to_renew_is_a_bar() -> None:
    """A vendor without a token talk, and settings without a grant, cannot replace a token."""
    no_talk, _, _ = made(Door(good()), token=None)
    no_grant, _, _ = made(Door(good()), grant=lambda _: None)
    heard = [await no_talk.spoilt(""), await no_grant.spoilt("")]

    assert ["unauthorised"] * 2 == [bar.code for bar in heard]


async def test_an_early_renewal_that_fails_does_no_harm() -> None:
    """The old token is good until its end; the next try is a while later."""
    door = Door(good("t1"), Unsent("timeout"), good("t2"))
    tokens, account, clock = made(door)
    await tokens.fresh()
    clock.advance(100.0 * EARLY)
    heard = [await tokens.fresh(), await tokens.fresh()]
    before = account.token, door.asked
    clock.advance(AGAIN_SECONDS)

    assert [None, None, None] == [*heard, await tokens.fresh()]
    assert (("t1", 2), ("t2", 3)) == (before, (account.token, door.asked))


async def test_nobody_waits_for_an_early_renewal() -> None:
    """While one asks, the others go on with the token that is still good."""
    door = Door(good("t1"), good("t2"))
    tokens, account, clock = made(door)
    await tokens.fresh()
    clock.advance(100.0 * EARLY)
    door.open.clear()
    asking = asyncio.create_task(tokens.fresh())
    await until(lambda: door.asked == 2)
    heard = await tokens.fresh(), account.token
    door.open.set()

    assert (None, "t1") == heard
    assert (None, "t2") == (await asking, account.token)


async def test_the_next_process_finds_the_token() -> None:
    """After a restart the token that is kept is used while it is fresh."""
    log = MemoryLog()
    door = Door(good("t1"), good("t2"))
    first, _, _ = made(door, log)
    await first.fresh()
    second, account, _ = made(door, log)

    assert None is await second.fresh()
    assert ("t1", 1) == (account.token, door.asked)


async def test_a_rotated_refresh_token_is_asked_with_next() -> None:
    """What the vendor gave in its place is the account's grant from then on, in every process."""
    log = MemoryLog()
    door = Door(good("t1", refresh_token="r1"), good("t2"))
    first, one, clock = made(door, log)
    await first.fresh()
    second, two, clock = made(door, log)
    clock.advance(100.0)
    await second.fresh()

    assert ("hush-hush", "r1") == (one.grant, two.grant)


class Away(MemoryLog):
    """A log that cannot be read."""

    async def status(self) -> Any:
        raise LogUnavailable("away")


async def test_without_the_log_there_is_no_token() -> None:
    """Nobody asks alone: with the log away it has failed, and is tried again."""
    door = Door(good())
    tokens, _, _ = made(door, Away())

    assert (Failed("log_unavailable"), 0) == (await tokens.fresh(), door.asked)


async def test_a_bug_does_not_lock_the_door() -> None:
    """What a token talk raises is raised, and the next one may ask."""
    door = Door(Reply.of(200, {"no": "token"}), good())
    tokens, account, _ = made(door)
    with pytest.raises(KeyError):
        await tokens.fresh()

    assert None is await tokens.fresh()
    assert "t1" == account.token
