"""Whether to stop and ask."""

from __future__ import annotations

import pytest

from destinations.brake import LOOKS_BACK, Brake, Policy


def test_a_run_of_refusals_is_enough() -> None:
    """The last of `run` refusals in a row; one event that is taken begins a new row."""
    brake = Brake(Policy(run=5, ratio=1.0))
    before = [brake.heard(4, 0), brake.heard(0, 1), brake.heard(4, 0)]

    assert [False] * 3 == before
    assert brake.heard(1, 0)
    assert brake.on


@pytest.mark.parametrize(("refused", "on"), [(5, False), (6, True)])
def test_a_ratio_needs_enough_answers(refused: int, on: bool) -> None:
    """More than half of at least 500 answers; of fewer it says nothing."""
    brake = Brake(Policy(run=1_000, ratio=0.5))
    early = [brake.heard(refused, 10 - refused) for _ in range(49)]
    brake.heard(refused, 10 - refused)

    assert not any(early)
    assert on == brake.on


def test_old_answers_are_forgotten() -> None:
    """A good morning does not outweigh a bad afternoon."""
    brake = Brake(Policy(run=10_000, ratio=0.5))
    for _ in range(100):
        brake.heard(0, 100)
    heard = [brake.heard(9, 1) for _ in range(LOOKS_BACK // 10)]

    assert any(heard)


def test_a_person_lets_go() -> None:
    """Until then it stays on and tells it once; afterwards it counts anew."""
    brake = Brake(Policy(run=2, ratio=1.0))
    news = [brake.heard(2, 0), brake.heard(2, 0)]
    brake.release()

    assert [True, False] == news
    assert not brake.on
    assert not brake.heard(1, 0)
