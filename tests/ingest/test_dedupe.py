"""Which ids were promised lately."""

from ingest.dedupe import KNOWN, SHELVES, Known, Seen, digests_of

DAY = 86_400.0


def ids(*names: object) -> list[int]:
    return digests_of(("shop", str(name)) for name in names)


def reserved(seen: Seen[str], digest: int, promise: str) -> Known | str | None:
    (held,) = seen.reserve([digest], promise)
    return held


def test_an_id_is_reserved_then_known() -> None:
    """Who comes in between is told whose promise it waits for."""
    seen: Seen[str] = Seen(1_000, DAY, 0.0)
    (one,) = ids("m")

    assert (None, "first", "first") == tuple(
        reserved(seen, one, who) for who in ("first", "second", "first")
    )
    seen.confirm([one], 1.0)
    assert KNOWN is reserved(seen, one, "third")


def test_a_released_id_is_free() -> None:
    """What failed may be tried again."""
    seen: Seen[str] = Seen(1_000, DAY, 0.0)
    (one,) = ids("m")
    reserved(seen, one, "first")
    seen.release([one])

    assert None is reserved(seen, one, "second")


def test_sources_do_not_share_ids() -> None:
    """The same id of another source is another."""
    assert 1 < len(set(digests_of([("shop", "m"), ("blog", "m")])))


def test_ids_are_remembered_for_the_time_that_is_set() -> None:
    """For a day at least, and not much more."""
    seen: Seen[str] = Seen(1_000_000, DAY, 0.0)
    for hour in range(60):
        seen.confirm(ids(hour), hour * 3_600.0)
    now = 59

    assert all(reserved(seen, one, "x") is KNOWN for one in ids(*range(now - 24, now + 1)))
    assert all(reserved(seen, one, "x") is None for one in ids(*range(now - 30)))


def test_an_id_that_comes_again_is_remembered_anew() -> None:
    """From its last time on, wherever it lies."""
    seen: Seen[str] = Seen(1_000_000, DAY, 0.0)
    (one,) = ids("m")
    for hour in (0, 30, 50):
        seen.confirm([one], hour * 3_600.0)

    assert KNOWN is reserved(seen, one, "x")


def test_memory_is_bounded() -> None:
    """However many ids come, the latest half of so many is remembered, and no more than all."""
    limit = 1_000 * SHELVES
    seen: Seen[str] = Seen(limit, DAY, 0.0)
    everything = ids(*range(3 * limit))
    for digest in everything:
        seen.confirm([digest], 1.0)
    known = [reserved(seen, digest, "x") is KNOWN for digest in everything]

    assert limit // 2 < len(seen) <= limit
    # Shelves are filled by chance: 10 times the standard deviation below a half of all.
    assert all(known[-limit * 3 // 10 :])
    assert not any(known[:limit])


def test_the_least_memory_holds_the_last_id() -> None:
    """A limit of one is no fault."""
    seen: Seen[str] = Seen(1, DAY, 0.0)
    last = ids(*range(100))[-1]
    seen.confirm(ids(*range(100)), 1.0)

    assert KNOWN is reserved(seen, last, "x")
