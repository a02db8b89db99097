"""Who belongs to a group and reads which partition, as the file has it.

Each function is done within a write transaction, but for `view` and `committed`. A claim is one
partition of one group: its committed place and note, its owner, and its heir while the owner has
yet to let go.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from hub.log import Committed
from hub.log.sharing import share
from hub.log.sqlite.file import one

# A member whose process gave no sign for so long is taken for dead, in seconds. A killed process
# is found out sooner, by its bell; this is for one that hangs, or whose bell is silent.
LEASE = 10.0

# Seconds between signs: three may be late before a live member is taken for dead.
BEAT = 2.5


@dataclass(frozen=True, slots=True)
class Claim:
    """A partition that a member owns: where it begins, and whether another waits for it."""

    place: int
    wanted: bool


@dataclass(frozen=True, slots=True)
class Member:
    """One reader of a group; its name is never used twice."""

    name: str
    process: str
    stream: str
    group: str

    def args(self) -> dict[str, str]:
        return {"name": self.name, "stream": self.stream, "grp": self.group}


def join(db: sqlite3.Connection, member: Member, now: float) -> None:
    """Add a member, and give it what is free."""
    args = {**member.args(), "process": member.process, "now": now}
    db.execute(
        "INSERT OR IGNORE INTO members SELECT :name, :process, :stream, :grp,"
        " coalesce(max(joined), 0) + 1, :now FROM members WHERE stream = :stream AND grp = :grp",
        args,
    )
    db.execute(
        "INSERT OR IGNORE INTO claims (stream, grp, number)"
        " SELECT stream, :grp, number FROM partitions WHERE stream = :stream",
        args,
    )
    _share(db, member.stream, member.group)


def leave(db: sqlite3.Connection, member: Member) -> None:
    """Remove a member; what it had goes to the others."""
    db.execute("DELETE FROM members WHERE name = :name", member.args())
    _share(db, member.stream, member.group)


def release(db: sqlite3.Connection, member: Member, numbers: Collection[int]) -> None:
    """Let go of partitions, so that their heirs have them."""
    db.executemany(
        "UPDATE claims SET owner = NULL"
        " WHERE stream = :stream AND grp = :grp AND number = :number AND owner = :name",
        [{**member.args(), "number": number} for number in numbers],
    )
    _share(db, member.stream, member.group)


def commit(
    db: sqlite3.Connection, member: Member, places: Mapping[int, int], notes: Mapping[int, str]
) -> None:
    """Remember where to read on, with a note, in those partitions that the member owns."""
    rows = [(number, place, notes.get(number, "")) for number, place in places.items()]
    db.execute(
        "UPDATE claims SET place = new.place, note = new.note FROM ("
        " SELECT json_extract(value, '$[0]') AS number, json_extract(value, '$[1]') AS place,"
        " json_extract(value, '$[2]') AS note FROM json_each(:rows)) AS new"
        " WHERE stream = :stream AND grp = :grp AND owner = :name AND claims.number = new.number",
        {**member.args(), "rows": json.dumps(rows)},
    )


def committed(
    db: sqlite3.Connection, member: Member, numbers: Collection[int]
) -> dict[int, Committed]:
    """What the member's group last committed of these partitions."""
    found = one(
        db,
        "SELECT json_group_array(json_array(number, place, note)) FROM claims"
        " WHERE stream = :stream AND grp = :grp",
        member.args(),
    )
    last = {number: Committed(place, note) for number, place, note in json.loads(found)}
    return {number: last.get(number, Committed(None)) for number in numbers}


def beat(
    db: sqlite3.Connection, names: Collection[str], dead: Collection[str], now: float, lease: float
) -> list[str]:
    """A sign of life of these members, and the removal of those who give none or whose process is
    `dead`. Returns the streams in whose groups something moved.
    """
    db.execute(
        "UPDATE members SET seen = ? WHERE name IN (SELECT value FROM json_each(?))",
        (now, json.dumps(list(names))),
    )
    # A sign from the future is as good as none: the machine's clock was set back meanwhile.
    lost = db.execute(
        "SELECT name, stream, grp FROM members WHERE seen < ? OR seen > ?"
        " OR process IN (SELECT value FROM json_each(?))",
        (now - lease, now + lease, json.dumps(list(dead))),
    ).fetchall()
    db.executemany("DELETE FROM members WHERE name = ?", [(name,) for name, _, _ in lost])
    for stream, group in {(stream, group) for _, stream, group in lost}:
        _share(db, stream, group)
    return [stream for _, stream, _ in lost]


def view(db: sqlite3.Connection, member: Member) -> dict[int, Claim] | None:
    """What a member owns; None when it is a member no more."""
    found = one(
        db,
        "SELECT CASE WHEN EXISTS (SELECT 1 FROM members WHERE name = :name) THEN ("
        " SELECT json_group_array(json_array(number, coalesce(place, 0), heir IS NOT NULL))"
        " FROM claims WHERE stream = :stream AND grp = :grp AND owner = :name) END",
        member.args(),
    )
    if found is None:
        return None
    return {number: Claim(place, bool(wanted)) for number, place, wanted in json.loads(found)}


def _share(db: sqlite3.Connection, stream: str, group: str) -> None:
    args = {"stream": stream, "grp": group}
    members = [
        name
        for (name,) in db.execute(
            "SELECT name FROM members WHERE stream = :stream AND grp = :grp ORDER BY joined", args
        )
    ]
    found = db.execute(
        "SELECT number, owner, heir FROM claims"
        " WHERE stream = :stream AND grp = :grp ORDER BY number",
        args,
    ).fetchall()
    live = {number: (owner if owner in members else None, heir) for number, owner, heir in found}
    target = share(members, {number: owner for number, (owner, _) in live.items()}, len(live))
    changes = []
    for number, stood, stood_heir in found:
        owner = live[number][0] or target.get(number)
        heir = None if owner == target.get(number) else target.get(number)
        if (owner, heir) != (stood, stood_heir):
            changes.append({**args, "number": number, "owner": owner, "heir": heir})
    db.executemany(
        "UPDATE claims SET owner = :owner, heir = :heir"
        " WHERE stream = :stream AND grp = :grp AND number = :number",
        changes,
    )
