"""How partitions are shared out."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hub.log.sharing import share

MEMBERS = st.lists(st.sampled_from("abcdefgh"), unique=True, min_size=1, max_size=8)
OWNERS = st.dictionaries(st.integers(0, 15), st.sampled_from("abcdefgh") | st.none())


@given(MEMBERS, OWNERS)
def test_every_partition_has_one_reader(members: list[str], owners: dict[int, str | None]) -> None:
    """All partitions are given, to members only, and evenly but for one."""
    target = share(members, owners, 16)
    sizes = [list(target.values()).count(member) for member in members]

    assert set(range(16)) == set(target)
    assert set(target.values()) <= set(members)
    assert max(sizes) - min(sizes) <= 1


@given(MEMBERS, OWNERS)
def test_a_share_stays(members: list[str], owners: dict[int, str | None]) -> None:
    """Once shared out, nothing moves."""
    target = share(members, owners, 16)

    assert target == share(members, dict(target), 16)


@given(MEMBERS, OWNERS)
def test_no_more_moves_than_must(members: list[str], owners: dict[int, str | None]) -> None:
    """A member loses only what is above the largest share."""
    target = share(members, owners, 16)
    for member in members:
        held = {p for p in range(16) if owners.get(p) == member}
        kept = {p for p in held if target[p] == member}

        assert len(kept) >= min(len(held), 16 // len(members))


def test_nobody_shares_nothing() -> None:
    """Without members nothing is given."""
    assert {} == share([], {0: "gone"}, 4)
