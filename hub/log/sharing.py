"""How a group's members share a stream's partitions: evenly, and moving as few as can be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def share(
    members: Sequence[str], owners: Mapping[int, str | None], partitions: int
) -> dict[int, str]:
    """Who should read each partition, given who reads it now.

    Where it does not come out even, those who hold most get one more. A member keeps what it has up
    to its share, so nothing moves without a reason. What is free goes round in the order of
    `members`.
    """
    if not members:
        return {}
    least, extra = divmod(partitions, len(members))
    held: dict[str, list[int]] = {member: [] for member in members}
    for partition in range(partitions):
        owner = owners.get(partition)
        if owner in held:
            held[owner].append(partition)
    # Those who hold most get the larger shares: a partition less moves.
    by_holding = sorted(members, key=lambda member: -len(held[member]))
    quota = {member: least + (rank < extra) for rank, member in enumerate(by_holding)}
    target = {p: member for member in members for p in held[member][: quota[member]]}
    free = (partition for partition in range(partitions) if partition not in target)
    for member in members:
        for _ in range(quota[member] - len(held[member][: quota[member]])):
            target[next(free)] = member
    return target
