"""Members of a group, as the file has them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.log import EVENTS, Committed
from hub.log.sqlite.file import connect, prepare
from hub.log.sqlite.members import (
    Claim,
    Member,
    beat,
    commit,
    committed,
    join,
    leave,
    release,
    view,
)

ONE, TWO = (Member(name, f"process of {name}", EVENTS, "g") for name in ("one", "two"))


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """A log's file of four partitions."""
    prepare(tmp_path / "hub.db", 4)
    db = connect(tmp_path / "hub.db")
    yield db
    db.close()


def wanted(db: sqlite3.Connection, member: Member) -> set[int]:
    """What the member should let go of."""
    return {number for number, claim in (view(db, member) or {}).items() if claim.wanted}


def test_the_first_member_has_all(db: sqlite3.Connection) -> None:
    """Alone, a member owns every partition, and nobody waits for them."""
    join(db, ONE, 100.0)

    assert dict.fromkeys(range(4), Claim(0, wanted=False)) == view(db, ONE)


def test_a_partition_moves_when_its_owner_lets_go(db: sqlite3.Connection) -> None:
    """A new member is given nothing that another still reads; what is released is the heir's."""
    join(db, ONE, 100.0)
    join(db, TWO, 100.0)
    asked = wanted(db, ONE)

    assert 2 == len(asked)
    assert {} == view(db, TWO)

    release(db, ONE, asked)

    assert asked == set(view(db, TWO) or {})
    assert set(range(4)) - asked == set(view(db, ONE) or {})
    assert set() == wanted(db, ONE)


def test_nothing_is_wanted_once_the_heir_has_left(db: sqlite3.Connection) -> None:
    """When the new member leaves before it was given anything, nothing moves."""
    join(db, ONE, 100.0)
    join(db, TWO, 100.0)
    leave(db, TWO)

    assert set() == wanted(db, ONE)
    assert None is view(db, TWO)


def test_only_the_owner_commits(db: sqlite3.Connection) -> None:
    """A commit is skipped in the partitions that the member does not own, and done in the rest."""
    join(db, ONE, 100.0)
    join(db, TWO, 100.0)
    release(db, ONE, wanted(db, ONE))
    commit(db, ONE, dict.fromkeys(range(4), 7), {})

    assert {7} == {claim.place for claim in (view(db, ONE) or {}).values()}
    assert {0} == {claim.place for claim in (view(db, TWO) or {}).values()}


def test_a_member_without_a_sign_of_life_is_followed(db: sqlite3.Connection) -> None:
    """After its lease, what a silent member had is the other's, at its committed place."""
    join(db, ONE, 100.0)
    commit(db, ONE, {0: 5}, {0: "5-7"})
    join(db, TWO, 109.0)
    early = beat(db, [TWO.name], [], 109.9, 10.0)
    late = beat(db, [TWO.name], [], 110.1, 10.0)

    assert [[], [EVENTS]] == [early, late]
    assert None is view(db, ONE)
    assert {0: 5, 1: 0, 2: 0, 3: 0} == {n: c.place for n, c in (view(db, TWO) or {}).items()}
    assert {0: Committed(5, "5-7"), 1: Committed(None)} == committed(db, TWO, [0, 1])


def test_a_sign_of_life_keeps_a_member(db: sqlite3.Connection) -> None:
    """Who gives signs stays, however long."""
    join(db, ONE, 100.0)
    for now in range(105, 200, 5):
        beat(db, [ONE.name], [], float(now), 10.0)

    assert 4 == len(view(db, ONE) or {})


def test_a_sign_from_the_future_is_none(db: sqlite3.Connection) -> None:
    """When the machine's clock was set back, a dead member does not live on until then."""
    join(db, ONE, 9_000.0)
    join(db, TWO, 100.0)
    beat(db, [TWO.name], [], 100.0, 10.0)

    assert 4 == len(view(db, TWO) or {})


def test_a_killed_process_is_followed_at_once(db: sqlite3.Connection) -> None:
    """Members of a process that is known to be dead are removed within their lease."""
    join(db, ONE, 100.0)
    join(db, TWO, 100.0)
    beat(db, [TWO.name], [ONE.process], 100.0, 10.0)

    assert 4 == len(view(db, TWO) or {})


def test_groups_are_apart(db: sqlite3.Connection) -> None:
    """A member of another group takes nothing away."""
    join(db, ONE, 100.0)
    join(db, Member("three", "p", EVENTS, "other"), 100.0)

    assert set() == wanted(db, ONE)
