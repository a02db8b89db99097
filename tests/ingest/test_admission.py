"""Room, and turns."""

from hypothesis import given
from hypothesis import strategies as st

from ingest.admission import Room, Turn


def test_a_room_is_left_as_it_was_entered() -> None:
    """Once, however often it is said."""
    room = Room(100, 2)
    stay, other = room.enter(), room.enter()
    assert stay is not None
    assert other is not None

    assert (True, True) == (stay.begin(), other.begin())
    assert None is room.enter()
    assert (True, False) == (stay.grow(100), other.grow(1))
    stay.leave()
    stay.leave()
    other.leave()
    assert (0, 0) == (room.bytes, room.requests)


def test_a_full_room_lets_nobody_in() -> None:
    """Bytes count as requests do."""
    room = Room(10, 10)
    stay = room.enter()
    assert stay is not None
    assert stay.grow(10)

    assert None is room.enter()


def test_a_body_that_is_there_counts_at_once() -> None:
    """Its bytes and its request; it finds no place where either does not fit."""
    room = Room(100, 2)
    stay = room.place(60)
    assert stay is not None

    assert (60, 1) == (room.bytes, room.requests)
    assert None is room.place(41)
    assert room.place(40) is not None
    assert None is Room(100, 0).place(0)
    assert None is room.place(0)  # not a byte is free
    stay.leave()
    assert (40, 1) == (room.bytes, room.requests)


@given(
    st.floats(0.01, 10_000),
    st.floats(1, 10_000),
    st.lists(st.tuples(st.integers(1, 2_500), st.floats(0, 100)), max_size=50),
)
def test_a_rate_holds_on_average(rate: float, burst: float, calls: list[tuple[int, float]]) -> None:
    """However calls are spread: the burst, the rate, and one batch more."""
    turn, now, passed = Turn(rate, burst, 0.0), 0.0, 0
    for events, later in calls:
        now += later
        if turn.take(events, now) == 0:
            passed += events

    assert passed <= burst + rate * now + 2_500 + 1


def test_the_wait_that_is_named_is_long_enough() -> None:
    """Up to the 300 s that SDKs listen to."""
    turn = Turn(10.0, 10.0, 0.0)
    assert 0 == turn.take(50, 0.0)
    wait = turn.take(1, 0.0)

    assert 5 == wait
    assert 0 == turn.take(1, float(wait))
    assert 300 == Turn(0.001, 1.0, 0.0).take(1, 0.0) + 300
