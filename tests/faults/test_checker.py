"""The judge of the fault suite finds what is planted, and nothing in a run without fault."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

import pytest

from tests.faults.checker import Sent, Took, Vendor, Verdict, judge, longest_stall

USERS, EACH = 3, 10

SENT = {
    f"u{user}-{number}": Sent(f"u{user}", number, accepted=float(number))
    for number in range(EACH)
    for user in range(USERS)
}
RECORDS = {(0, offset): one for offset, one in enumerate(SENT)}
TOOK = tuple(Took(one, event.number + 0.5) for one, event in SENT.items())
TOLD: Mapping[tuple[int, int], Collection[str]] = {place: {"delivered"} for place in RECORDS}
SOUND = Vendor("orders", True, TOOK, TOLD)


def place_of(one: str) -> tuple[int, int]:
    return next(place for place, found in RECORDS.items() if found == one)


def without(one: str) -> tuple[Took, ...]:
    return tuple(took for took in TOOK if took.id != one)


def told(one: str, *outcomes: str) -> dict[tuple[int, int], Collection[str]]:
    return {**TOLD, place_of(one): outcomes}


def verdict(vendor: Vendor, sent: Mapping[str, Sent] = SENT) -> Verdict:
    return judge(sent, RECORDS, vendor)


def test_a_run_without_fault_is_sound() -> None:
    """All is delivered once, in order, and the ledger balances."""
    found = verdict(SOUND)

    assert found.sound
    assert (USERS * EACH, USERS * EACH) == (found.accepted, found.delivered)
    assert 0.5 == found.stall


def test_a_planted_loss_is_found() -> None:
    """An accepted event that the vendor never took, and that the ledger is silent about."""
    found = verdict(replace(SOUND, took=without("u1-4"), told=told("u1-4")))

    assert (["u1-4"], [place_of("u1-4")]) == (found.lost, found.unbalanced)
    assert not found.sound


def test_a_lying_ledger_is_found() -> None:
    """What the ledger calls delivered and the vendor did not take is lost, accepted or not."""
    unanswered = {**SENT, "u1-4": replace(SENT["u1-4"], accepted=None)}
    lying = replace(SOUND, took=without("u1-4"))

    assert (["u1-4"], ["u1-4"]) == (verdict(lying).lost, verdict(lying, unanswered).lost)
    assert not verdict(lying, unanswered).sound


@pytest.mark.parametrize("outcome", ["refused", "expired", "filtered", "failed", "parked"])
def test_an_excuse_is_not_believed(outcome: str) -> None:
    """The ledger alone cannot explain an event away that nothing was wrong with."""
    found = verdict(replace(SOUND, took=without("u1-4"), told=told("u1-4", outcome)))

    assert ["u1-4"] == found.lost


def test_what_is_refused_rightly_is_not_lost() -> None:
    """A poisoned event may end as refused; one that ends nowhere is lost all the same."""
    sent = {**SENT, "u1-4": replace(SENT["u1-4"], poison=True)}
    refused = replace(SOUND, took=without("u1-4"), told=told("u1-4", "failed", "refused"))
    silent = replace(SOUND, took=without("u1-4"), told=told("u1-4", "failed"))

    assert verdict(refused, sent).sound
    assert ["u1-4"] == verdict(silent, sent).lost


def test_what_is_in_doubt_is_excused_where_that_is_wished() -> None:
    """An instance that sends at most once may give up what may have been taken; and then nothing
    may be taken twice.
    """
    doubtful = replace(SOUND, dedupes=False, took=without("u1-4"), told=told("u1-4", "in_doubt"))
    careful = replace(doubtful, at_most_once=True)

    assert (["u1-4"], []) == (verdict(doubtful).lost, verdict(careful).lost)
    assert verdict(careful).sound
    assert not verdict(replace(careful, took=(*TOOK, TOOK[-1]))).sound


def test_what_was_never_accepted_may_be_missing() -> None:
    """Without a 200 nothing is promised: no client waits for the event."""
    sent = {**SENT, "u1-9": replace(SENT["u1-9"], accepted=None)}
    kept = {place: one for place, one in RECORDS.items() if one != "u1-9"}
    silent = {place: outcomes for place, outcomes in TOLD.items() if place in kept}

    assert judge(sent, kept, replace(SOUND, took=without("u1-9"), told=silent)).sound


def test_a_planted_reorder_is_found() -> None:
    """The earlier of two events of one user, taken after the later one."""
    took = list(TOOK)
    one, other = took.index(Took("u1-4", 4.5)), took.index(Took("u1-5", 5.5))
    took[one], took[other] = took[other], took[one]
    found = verdict(replace(SOUND, took=took))

    assert ["u1-4"] == found.late
    assert not found.sound


def test_a_repetition_is_not_out_of_order() -> None:
    """Order is that of first deliveries: an event taken again, later, has its place already."""
    again = (*TOOK, Took("u1-4", 20.0))

    assert ([], ["u1-4"]) == (
        verdict(replace(SOUND, took=again)).late,
        verdict(replace(SOUND, took=again)).repeated,
    )


@pytest.mark.parametrize(("dedupes", "sound"), [(True, False), (False, True)])
def test_a_planted_duplicate_is_found(dedupes: bool, sound: bool) -> None:
    """An event taken twice is counted at each vendor, and wrong at one that knows our ids."""
    found = verdict(replace(SOUND, took=(*TOOK, TOOK[-1]), dedupes=dedupes))

    assert (["u2-9"], sound) == (found.repeated, found.sound)


def test_an_event_that_nobody_sent_is_found() -> None:
    """What the vendor took must have been sent."""
    found = verdict(replace(SOUND, took=(*TOOK, Took("ghost", 20.0))))

    assert ["ghost"] == found.strange
    assert not found.sound


@pytest.mark.parametrize(
    "outcomes", [(), ("failed",), ("delivered", "refused"), ("filtered", "delivered")]
)
def test_a_ledger_that_does_not_balance_is_found(outcomes: Collection[str]) -> None:
    """Each record ends, and in one way only."""
    found = verdict(replace(SOUND, told=told("u1-4", *outcomes)))

    assert [place_of("u1-4")] == found.unbalanced
    assert not found.sound


def test_a_ledger_that_tells_of_nothing_is_found() -> None:
    """An outcome belongs to a record that is there."""
    found = verdict(replace(SOUND, told={**TOLD, (7, 7): {"delivered"}}))

    assert [(7, 7)] == found.unbalanced


def test_a_stall_is_time_in_which_something_waited() -> None:
    """A gap begins with the last delivery, or with the first event that was there to deliver."""
    sent = {
        "a": Sent("u", 0, accepted=10.0),
        "b": Sent("u", 1, accepted=100.0),
        "c": Sent("u", 2, accepted=104.0),
    }

    assert 7.0 == longest_stall(sent, {"a": 11.0, "b": 101.0, "c": 111.0}, [])
    assert 11.0 == longest_stall(sent, {"a": 11.0, "b": 111.0, "c": 111.5}, [])


def test_what_was_broken_on_purpose_is_no_stall() -> None:
    """Only the pieces outside of an outage count."""
    sent = {"a": Sent("u", 0, accepted=10.0), "b": Sent("u", 1, accepted=10.0)}
    first = {"a": 11.0, "b": 31.0}

    assert 20.0 == longest_stall(sent, first, [(40.0, 50.0), (1.0, 9.0)])
    assert 14.0 == longest_stall(sent, first, [(12.0, 17.0)])
    assert 6.0 == longest_stall(sent, first, [(17.0, 40.0)])
    assert 3.0 == longest_stall(sent, first, [(14.0, 20.0), (18.0, 29.0)])
