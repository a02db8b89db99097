"""The parked lanes of one instance."""

from __future__ import annotations

from destinations.progress import Progress
from destinations.yard import MOST, Yard

HERE = Progress(0)


def parked(*keys: bytes, due: float = 10.0) -> Yard:
    """A yard to which an event of each key has gone, one after the other."""
    yard = Yard()
    for offset, key in enumerate(keys):
        yard.leaves(HERE, key, due)
        yard.arrived(HERE, key, offset)
    return yard


def test_a_lane_comes_when_it_is_due_the_oldest_first() -> None:
    """Not before, and each once."""
    yard = parked(b"a", b"b", b"a")
    early = yard.take(9.9)
    lanes = [yard.take(10.0), yard.take(10.0), yard.take(10.0)]

    assert (None, 10.0) == (early, 10.0)
    assert [b"a", b"b", None] == [lane and lane.key for lane in lanes]
    assert [[0, 2], [1]] == [list(lane.offsets) for lane in lanes if lane]
    assert (3, 2, 2, None) == (len(yard), yard.lanes, yard.out, yard.next_due())


def test_what_follows_waits_behind_it() -> None:
    """A key is parked as long as anything of it is in `parked`, or on its way there."""
    yard = parked(b"a")
    yard.leaves(HERE, b"a", 0.0)
    lane = yard.take(10.0)
    assert lane is not None
    lane.out = 1
    yard.finished(lane)
    on_its_way = yard.find(HERE, b"a"), yard.next_due()
    yard.arrived(HERE, b"a", 7)

    assert (lane, None) == on_its_way
    assert lane is yard.take(10.0)
    lane.out = 1
    yard.finished(lane)
    assert (None, 0, 0) == (yard.find(HERE, b"a"), len(yard), yard.out)


def test_a_lane_that_fails_goes_back() -> None:
    """It comes again when it is due, with all that it has."""
    yard = parked(b"a", b"a")
    lane = yard.take(10.0)
    assert lane is not None
    lane.out = 2
    yard.again(lane, 20.0)

    assert (20.0, 0, 2) == (yard.next_due(), yard.out, len(yard))


def test_what_moves_away_is_forgotten() -> None:
    """Neither is it counted, nor does it come, nor does a late answer bring it back."""
    yard = parked(b"a", b"b")
    there = Progress(1)
    yard.leaves(there, b"c", 10.0)
    yard.arrived(there, b"c", 0)
    lane = yard.take(10.0)
    assert lane is not None
    yard.drop({HERE})
    yard.finished(lane)
    yard.again(lane, 11.0)
    left = yard.take(10.0)

    assert b"c" == (left and left.key)
    assert (1, 1, 1) == (len(yard), yard.lanes, yard.out)


def test_it_is_bounded() -> None:
    """So many events, and no more lanes are parked."""
    yard = Yard()
    yard.found(HERE, [(b"a", offset) for offset in range(MOST)])

    assert yard.full
    assert 0.0 == yard.next_due()
