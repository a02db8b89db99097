"""A head is known again by its bytes only where a request begins, and only if it is the same."""

import pytest

from ingest.enrich import Connection
from ingest.fast_path import Ask
from ingest.known_head import HEAD_BYTES, HEADS, NEW_HEADS, Framing, KnownHead, KnownHeads
from ingest.post import Call
from tests.ingest.lines import parsed

ASK = Ask("single", Call("track", Connection()), (), "")
HEAD = b"POST /v1/track HTTP/1.1\r\nContent-Length: 5\r\nHost: hub\r\n\r\n"
WHOLE = HEAD + b"12345"


@pytest.mark.parametrize("size", [1, 5, 99, 12_345])
def test_only_the_length_may_differ(size: int) -> None:
    """The body is what follows the head."""
    known = KnownHead.of(HEAD, ASK)
    body = b"x" * size

    assert known is not None
    assert body == known.body_of(HEAD.replace(b": 5", b": %d" % size) + body)
    assert ASK is known.ask


@pytest.mark.parametrize(
    "data",
    [
        b"",
        HEAD,
        WHOLE[:-1],
        WHOLE + b"6",
        WHOLE + WHOLE,
        WHOLE.replace(b"track", b"batch"),
        WHOLE.replace(b"hub", b"hut"),
        WHOLE.replace(b": 5", b": "),
        WHOLE.replace(b": 5", b": 05"),
        WHOLE.replace(b": 5", b": +5"),
        WHOLE.replace(b": 5", b":  5"),
        WHOLE.replace(b": 5", b": 5 "),
        WHOLE.replace(b": 5", b": 0x5"),
        WHOLE.replace(b": 5", b": 5, 5"),
        WHOLE.replace(b": 5", b": \xb2"),
        WHOLE.replace(b": 5", b": 5\r\nContent-Length: 5"),
        WHOLE.replace(b": 5", b": 5\r\nTransfer-Encoding: chunked"),
        HEAD.replace(b": 5", b": 0"),
        HEAD.replace(b": 5", b": %d" % 10**8) + b"x",
    ],
)
def test_nothing_else_may(data: bytes) -> None:
    """The parser is there for it."""
    known = KnownHead.of(HEAD, ASK)

    assert known is not None
    assert None is known.body_of(data)


@pytest.mark.parametrize(
    ("head", "has_one"),
    [
        (HEAD.replace(b"Content-Length: 5", b"content-length:5\t"), True),
        (HEAD.replace(b"Content-Length", b"X-Length"), False),
        (HEAD.replace(b"hub", b"hub\r\nContent-Length: 5"), False),
        (HEAD.replace(b": 5", b": 5\r\nContent-Length: 5"), False),
        (HEAD.replace(b": 5", b": 0"), False),
    ],
)
def test_a_head_has_one_length(head: bytes, has_one: bool) -> None:
    """However it is written."""
    assert has_one == (KnownHead.of(head, ASK) is not None)


def framing(*pieces: bytes, learns: bool = True) -> Framing:
    """One that followed these pieces; the first of them is a whole request, whose head is known
    from then on.
    """
    one = Framing(KnownHeads(), None)
    for piece in pieces:
        head, end, _ = piece.partition(b"\r\n\r\n")
        one.parsed(piece, parsed(head + end)[0] if end else None)
        if learns:
            one.learn(ASK)
            learns = False
    return one


async def test_between_two_requests_a_head_is_known() -> None:
    """Also when others came between, or one whose body came in pieces."""
    get = b"GET / HTTP/1.1\r\nHost: hub\r\n\r\n"
    for between in ([], [get], [WHOLE[:-3], b"3", b"45"], [HEAD, b"12345"], [HEAD, b"1234", b"5"]):
        assert (ASK, b"12345") == framing(WHOLE, *between).again(WHOLE)


@pytest.mark.parametrize(
    "piece",
    [
        WHOLE[:-1],
        HEAD,
        WHOLE + b"P",
        HEAD + b"1234567",
        WHOLE + WHOLE,
        b"4",
        HEAD.replace(b"Content-Length: 5", b"Transfer-Encoding: chunked"),
        HEAD.replace(b"hub", b"hub\r\nConnection: upgrade\r\nUpgrade: websocket") + b"12345",
        WHOLE.replace(b"hub", b"hub\r\nA: " + b"a" * HEAD_BYTES),
        b"CONNECT hub:80 HTTP/1.1\r\nHost: hub\r\n\r\n",
    ],
)
async def test_anywhere_else_it_is_not(piece: bytes) -> None:
    """In the middle of a body, behind the beginning of another head, after who knows what."""
    assert None is framing(WHOLE, piece).again(WHOLE)


async def test_more_than_a_body_lacked_is_something_else() -> None:
    """And nothing that follows is sure any more."""
    one = framing(WHOLE, HEAD, b"123456")

    assert one.lost
    assert None is one.again(WHOLE)


async def test_no_request_begins_in_a_body() -> None:
    """When the parser sees one there, the two do not mean the same."""
    one = framing(WHOLE, HEAD)
    one.parsed(b"12345", parsed(WHOLE)[0])

    assert one.lost


async def test_a_head_that_parsers_may_read_in_two_ways_is_not_known() -> None:
    """Some see its end where an empty line has no carriage return."""
    message, _ = parsed(WHOLE)
    one = Framing(KnownHeads(), None)
    one.parsed(WHOLE.replace(b"hub", b"hub\n"), message)
    one.learn(ASK)

    assert None is one.again(WHOLE)
    assert one.lost


async def test_a_head_is_known_only_when_it_went_fast() -> None:
    """And when its body came with it."""
    assert None is framing(WHOLE, learns=False).again(WHOLE)
    other = framing(WHOLE.replace(b"track", b"m"), HEAD, b"12345", learns=False)
    other.learn(ASK)

    assert None is other.again(WHOLE)
    assert None is other.again(WHOLE.replace(b"track", b"m"))


async def test_who_has_a_new_head_each_time_is_not_followed() -> None:
    """A proxy that sends the requests of many people; who comes back in time is."""
    one = Framing(KnownHeads(), None)
    for number in range(3 * NEW_HEADS):
        assert not one.lost
        other = WHOLE.replace(b"hub", b"hub%d" % number)
        one.parsed(other, parsed(other)[0])
        one.learn(ASK)
        if number % NEW_HEADS == NEW_HEADS - 1 and number < 2 * NEW_HEADS:
            assert one.again(other)
    other = WHOLE.replace(b"hub", b"last")
    one.parsed(other, parsed(other)[0])
    one.learn(ASK)

    assert one.lost
    assert None is one.again(other)


def test_what_one_connection_learnt_others_know() -> None:
    """Those from the same address: another's head says the same, and is somebody else's."""
    heads = KnownHeads()
    learnt = KnownHead.of(HEAD, ASK)
    assert learnt
    heads.add("192.0.2.1", learnt)
    longer = WHOLE.replace(b": 5", b": 12") + b"6789012"

    for data, remote, known in [
        (WHOLE, "192.0.2.1", (ASK, b"12345")),
        (longer, "192.0.2.1", (ASK, b"123456789012")),
        (WHOLE, "192.0.2.2", None),
        (WHOLE, None, None),
        (WHOLE[:-1], "192.0.2.1", None),
        (WHOLE.replace(b"hub", b"hub\r\nContent-Length: 5"), "192.0.2.1", None),
        (b"GET / HTTP/1.1\r\nHost: hub\r\n\r\n", "192.0.2.1", None),
    ]:
        assert known == Framing(heads, remote).again(data)


async def test_many_people_by_turns_on_one_connection_are_known() -> None:
    """A proxy's: more than one connection learns in a row, when others have learnt them."""
    heads = KnownHeads()
    people = [WHOLE.replace(b"hub", b"hub%d" % number) for number in range(3 * NEW_HEADS)]
    for start in range(0, len(people), NEW_HEADS):
        another = Framing(heads, None)
        for other in people[start : start + NEW_HEADS]:
            another.parsed(other, parsed(other)[0])
            another.learn(ASK)

    one = Framing(heads, None)
    for _ in range(2):
        for other in people:
            assert (ASK, b"12345") == one.again(other)
    assert not one.lost


def test_no_more_heads_are_remembered_than_told() -> None:
    """Whoever sends new ones without end takes no more room than that."""
    heads = KnownHeads()
    for number in range(3 * HEADS):
        known = KnownHead.of(HEAD.replace(b"hub", b"hub%d" % number), ASK)
        assert known
        heads.add(None, known)

    found = [heads.find(None, WHOLE.replace(b"hub", b"hub%d" % n)) for n in range(3 * HEADS)]
    assert 0 < len([one for one in found if one is not None]) <= HEADS
