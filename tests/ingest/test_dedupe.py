"""Which ids were promised lately."""

from ingest.dedupe import GENERATIONS, KNOWN, Seen, digest_of

DAY = 86_400.0


def ids(*names: object) -> list[int]:
    return [digest_of("shop", str(name)) for name in names]


def test_an_id_is_reserved_then_known() -> None:
    """Who comes in between is told whose promise it waits for."""
    seen: Seen[str] = Seen(1_000, DAY, 0.0)
    (one,) = ids("m")

    assert (None, "first", "first") == tuple(
        seen.reserve(one, who) for who in ("first", "second", "first")
    )
    seen.confirm([one], 1.0)
    assert KNOWN is seen.reserve(one, "third")


def test_a_released_id_is_free() -> None:
    """What failed may be tried again."""
    seen: Seen[str] = Seen(1_000, DAY, 0.0)
    (one,) = ids("m")
    seen.reserve(one, "first")
    seen.release([one])

    assert None is seen.reserve(one, "second")


def test_sources_do_not_share_ids() -> None:
    """The same id of another source is another."""
    assert digest_of("shop", "m") != digest_of("blog", "m")


def test_ids_are_remembered_for_the_time_that_is_set() -> None:
    """For a day at least, and not much more."""
    seen: Seen[str] = Seen(1_000_000, DAY, 0.0)
    for hour in range(60):
        seen.confirm(ids(hour), hour * 3_600.0)
    now = 59

    assert all(seen.reserve(one, "x") is KNOWN for one in ids(*range(now - 24, now + 1)))
    assert all(seen.reserve(one, "x") is None for one in ids(*range(now - 30)))


def test_memory_is_bounded() -> None:
    """However many ids come."""
    seen: Seen[str] = Seen(800, DAY, 0.0)
    for number in range(10_000):
        seen.confirm(ids(number), 1.0)

    assert len(seen) <= 800
    assert KNOWN is seen.reserve(*ids(9_999 - 100 * (GENERATIONS - 2)), "x")
