"""What a head says is read with care: anybody can write one."""

import pytest
from multidict import CIMultiDict

from ingest.heads import call_of, cors, preflight, text_of
from ingest.paths import path_of


def of(*headers: tuple[str, str], path: str = "/v1/t"):  # type: ignore[no-untyped-def]
    known = path_of(path)
    assert known is not None
    return call_of(known, CIMultiDict(headers), "10.1.1.1")


def test_who_calls_is_told() -> None:
    """By path and headers, whatever their case."""
    call = of(
        ("user-agent", "sdk/1"), ("authorization", "Basic a"), ("ORIGIN", "https://shop.example")
    )

    assert ("track", "Basic a", "https://shop.example", 0) == (
        call.type,
        call.authorization,
        call.origin,
        call.retries,
    )
    assert ("10.1.1.1", "", "sdk/1", False) == tuple(call.connection)
    assert of(path="/v1/pixel/track").connection.client_side


def test_all_proxies_are_heard_in_their_order() -> None:
    """A chain may be one header or many."""
    call = of(("X-Forwarded-For", "1.1.1.1, 2.2.2.2"), ("X-Forwarded-For", "3.3.3.3"))

    assert "1.1.1.1, 2.2.2.2,3.3.3.3" == call.connection.forwarded


@pytest.mark.parametrize(
    ("said", "retries"), [("3", 3), ("", 0), ("-1", 0), ("x", 0), ("9" * 30, 0), ("²", 0)]
)
def test_a_count_of_retries_is_a_number(said: str, retries: int) -> None:
    """Of a sane size; anything else counts as none."""
    assert retries == of(("X-Retry-Count", said)).retries


def test_bytes_that_are_no_text_are_replaced() -> None:
    """As they come from a parser that kept them."""
    assert "a\ufffdb" == text_of(b"a\xffb".decode("utf-8", "surrogateescape"))
    assert "é" == text_of("é")


@pytest.mark.parametrize("origin", ["a b", "x" * 257, "é", "a\r\nSet-Cookie: b"])
def test_an_origin_that_is_none_is_not_repeated(origin: str) -> None:
    """Or a stranger would write our headers."""
    assert cors(CIMultiDict()) == cors(CIMultiDict(Origin=origin))
    assert ("Access-Control-Allow-Origin", "*") in cors(CIMultiDict())


def test_a_page_may_read_its_answer() -> None:
    """With its cookies, so its origin is named."""
    said = dict(cors(CIMultiDict(Origin="https://shop.example")))

    assert ("https://shop.example", "true", "Origin") == (
        said["Access-Control-Allow-Origin"],
        said["Access-Control-Allow-Credentials"],
        said["Vary"],
    )


def test_headers_that_are_asked_for_are_allowed_once() -> None:
    """And nothing that is no name."""
    asked = CIMultiDict({"Access-Control-Request-Headers": "X-Mine, authorization, a b, , x-mine"})
    allowed = dict(preflight(asked))["Access-Control-Allow-Headers"]

    assert "authorization, content-type, x-retry-count, cache-control, x-mine" == allowed
