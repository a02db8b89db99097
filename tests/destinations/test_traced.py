"""A trace as a person reads it."""

from __future__ import annotations

from typing import Any

from destinations.traced import printed

EVENT: dict[str, Any] = {
    "source": "shop",
    "type": "track",
    "name": "Order Completed",
    "place": "3:17",
    "received_at": "2026-11-21T10:00:00.000Z",
    "appended_at": "2026-11-21T10:00:00.010Z",
    "twin_of": None,
    "destinations": {},
}
TOLD: dict[str, Any] = {
    "id": "m-1",
    "at": "2026-11-21T10:01:00.000Z",
    "looked": {"usable": True, "records_unread": 0},
    "events": [],
    "rejected": [],
}
FAILED: dict[str, Any] = {
    "outcome": "failed",
    "at": "2026-11-21T10:00:01.000Z",
    "action": "send",
    "code": "http_500",
    "status": 500,
    "wait": 2.0,
    "next_try": "2026-11-21T10:00:03.000Z",
    "page": "3:1",
}


def test_nothing_found_is_said() -> None:
    """And if the index has not read all of the log, that is said first."""
    behind = {**TOLD, "looked": {"usable": True, "records_unread": 1_500}}
    broken = {**TOLD, "looked": {"usable": False, "records_unread": 0}}

    assert "m-1: not found\n" == printed(TOLD)
    assert printed(behind).startswith("The index has not read 1,500 records of the log yet.\n")
    assert printed(broken).startswith("The index cannot be used now")


def test_a_rejection_is_a_line_or_two() -> None:
    """Why, when and from whom."""
    refusal = {
        "place": "0:4",
        "source": "shop",
        "code": "missing_type",
        "path": "/type",
        "received_at": "2026-11-21T10:00:00.000Z",
    }

    assert (
        "rejected at 2026-11-21T10:00:00.000Z: missing_type at /type\n"
        "  from shop, kept at 0:4 of rejected\n"
    ) == printed({**TOLD, "rejected": [refusal]})


def test_an_events_whole_story() -> None:
    """Acceptance, verdict, attempts, letters, what is parked, and who blocks it."""
    crm = {
        "outcome": "pending",
        "verdict": {"action": "send", "fields": {"em": "sha256…"}},
        "attempts": [FAILED],
        "dead_letters": [{"place": "3:2", "settled": False, "code": "invalid", "reason": "no"}],
        "parked": [{"place": "3:5", "parked_at": "2026-11-21T10:00:02.000Z"}],
        "waiting": {
            "before_in_lane": 1,
            "exact": False,
            "before_in_partition": 1_200,
            "blocked_by": {
                "id": "m-0",
                "place": "3:16",
                "parked": True,
                "since": "2026-11-21T09:00:00.000Z",
                "last": FAILED,
            },
        },
    }
    event = {**EVENT, "twin_of": "3:9", "destinations": {"crm": crm}}

    assert printed({**TOLD, "events": [event]}) == (
        "track 'Order Completed' from shop, accepted at 2026-11-21T10:00:00.000Z\n"
        "  appended at 2026-11-21T10:00:00.010Z, place 3:17\n"
        "  a twin of the event at 3:9, which is the one that is delivered\n"
        "  crm: pending\n"
        "    send: em=sha256…\n"
        "    2026-11-21T10:00:01.000Z failed, by send, http_500, status 500,"
        " again at 2026-11-21T10:00:03.000Z\n"
        "    dead letter 3:2 (open): invalid, no\n"
        "    parked at 2026-11-21T10:00:02.000Z, place 3:5 of parked\n"
        "    waits: at most 1 events of its key are before it, 1,200 records of its partition\n"
        "    blocked by m-0 at 3:16, parked, since 2026-11-21T09:00:00.000Z;"
        " 2026-11-21T10:00:01.000Z failed, by send, http_500, status 500,"
        " again at 2026-11-21T10:00:03.000Z\n"
    )


def test_each_verdict_has_its_words() -> None:
    """Left out, not sayable, broken, or of an instance that is gone."""
    verdicts = [
        {"filtered": "filtered_by_rules"},
        {"refused": "missing_field", "reason": "email: nothing found"},
        {"broke": "KeyError"},
        {"removed": True},
    ]
    parts = {"outcome": "filtered", "attempts": [], "dead_letters": [], "parked": []}
    found = {f"d{n}": {**parts, "verdict": verdict} for n, verdict in enumerate(verdicts)}
    lines = printed({**TOLD, "events": [{**EVENT, "destinations": found}]}).splitlines()

    assert [
        "    left out: filtered_by_rules",
        "    cannot be said: missing_field, email: nothing found",
        "    its mapping broke: KeyError",
        "    no instance of this name is set any more",
    ] == lines[3::2]
