"""The scenarios, as a table: what breaks, by which script, under which load."""

from __future__ import annotations

from collections.abc import Mapping

from tests.faults import scripts
from tests.faults.load import Shape
from tests.faults.play import Scenario
from tests.faults.stage import DELIVERY, INGEST

HUBSPOT_EXPIRED = {
    "status": "error",
    "category": "EXPIRED_AUTHENTICATION",
    "message": "The OAuth token used to make this call expired 9 second(s) ago.",
}

SEVEN = ("ads", "mail", "crm", "rows", "copy", "feed", "log")
"""Destinations that take many events at once, so that vendors on this machine can keep up."""

MANY = Shape(users=4_000)
"""So many that batches are not small for want of people: a request has one seat for each."""

SCENARIOS: Mapping[str, Scenario] = {
    "calm": Scenario("Nothing breaks.", scripts.calm, once=True),
    # Processes
    "ingest-killed": Scenario(
        "SIGKILL of an ingest at work, again and again.", scripts.killing(INGEST), once=True
    ),
    "delivery-killed": Scenario(
        "SIGKILL of a worker at work, again and again.", scripts.killing(DELIVERY)
    ),
    "both-killed": Scenario(
        "SIGKILL of one of each at once, again and again.", scripts.killing(INGEST, DELIVERY)
    ),
    "all-killed": Scenario(
        "SIGKILL of all four at once, again and again.", scripts.everybody_killed
    ),
    "process-frozen": Scenario("A process hangs and goes on, again and again.", scripts.frozen),
    "rolling-restart": Scenario(
        "Each process is stopped and begun again, under load.", scripts.rolling_restart, once=True
    ),
    "rebalances": Scenario(
        "200 forced rebalances of every group (N= sets how many).",
        scripts.rebalances,
        shape=Shape(rate=60.0),
        patience=30.0,
    ),
    # The log
    "broker-killed": Scenario(
        "SIGKILL of the broker, again and again.", scripts.broker_killed, log=("kafka",)
    ),
    "broker-frozen": Scenario(
        "The broker hangs for 10 s, again and again.", scripts.broker_frozen, log=("kafka",)
    ),
    "cluster-minority": Scenario(
        "One of three brokers is killed or hangs, leaders and all; then another; then the third.",
        scripts.cluster_minority,
        log=("cluster",),
    ),
    "cluster-majority": Scenario(
        "Two of three brokers are killed, and come back.",
        scripts.cluster_majority,
        log=("cluster",),
    ),
    "kafka-away": Scenario(
        "Kafka is stopped for 60 s, under load.", scripts.kafka_away, log=("kafka",)
    ),
    "broker-disk-full": Scenario(
        "The broker's disk is full, and it ends; then there is room.",
        scripts.broker_disk_full,
        log=("kafka",),
        linux=True,
    ),
    "ingest-disk-full": Scenario(
        "The disk of both ingests is full, while Kafka is away.",
        scripts.ingest_disk_full,
        log=("kafka",),
        linux=True,
    ),
    "disk-full": Scenario(
        "The one disk of the embedded log is full, again and again.",
        scripts.disk_full,
        log=("sqlite",),
        linux=True,
    ),
    # Vendors
    "vendor-429": Scenario(
        "429 with Retry-After.", scripts.misbehaving(status=429, headers={"retry-after": "1"})
    ),
    "vendor-429-mute": Scenario("429 without Retry-After.", scripts.misbehaving(status=429)),
    "vendor-500": Scenario("500 and a page of HTML.", scripts.misbehaving(html=True, status=500)),
    "vendor-hangs": Scenario("No answer, and nothing taken.", scripts.misbehaving(hang=True)),
    "vendor-closes": Scenario("Taken, and hung up on.", scripts.misbehaving(close=True)),
    "vendor-cuts": Scenario("Taken, and the answer breaks off.", scripts.misbehaving(cut=True)),
    "vendor-truncates": Scenario(
        "Taken, and 200 with half a JSON.",
        scripts.misbehaving("ads", "crm", truncate=True),
        instances=("keyed", "ads", "crm"),
    ),
    "vendor-slow": Scenario("Ten times slower.", scripts.misbehaving(slow=0.5)),
    "vendor-late": Scenario(
        "Taken after we gave the request up.", scripts.misbehaving(slow=4.0, share=0.1)
    ),
    "in-doubt": Scenario(
        "Answers get lost, at an instance that sends at most once and at one that does not.",
        scripts.in_doubt,
        instances=("keyed", "crm", "careful"),
    ),
    "lanes-stuck": Scenario(
        "One user's events fail until they are parked, and then succeed.", scripts.lanes_stuck
    ),
    "lanes-moved": Scenario(
        "Some users' events are parked, while groups are rebalanced 200 times, by a weak broker.",
        scripts.lanes_moved,
        log=("kafka",),
        shape=Shape(rate=60.0),
    ),
    "token-revoked": Scenario(
        "Every credential is refused for a while, again and again.",
        scripts.token_revoked,
        instances=("keyed", "ads", "mail", "crm"),
        shape=MANY,
    ),
    "refresh-race": Scenario(
        "Access tokens end all the time, in both workers at once.",
        scripts.misbehaving("crm", status=401, body=HUBSPOT_EXPIRED, share=0.2),
        instances=("keyed", "crm"),
    ),
    "all-alive": Scenario(
        "Seven destinations, and nothing breaks: what the next line is measured against.",
        scripts.all_alive,
        instances=SEVEN,
        shape=MANY,
        once=True,
    ),
    "dead-destination": Scenario(
        "One of seven is dead for the whole run.", scripts.one_dead, instances=SEVEN, shape=MANY
    ),
    # Events, and time
    "clock-steps": Scenario(
        "The clock is set an hour ahead, an hour back, and right.", scripts.clock_steps, skewed=True
    ),
    "storm": Scenario(
        "The same ids over both ingests, again and again.",
        scripts.calm,
        shape=Shape(again=0.6),
        once=True,
    ),
    "poison": Scenario(
        "One event of a hundred is refused by every vendor.",
        scripts.poisoned,
        shape=Shape(poison=100),
        once=True,
    ),
    "hot-key": Scenario(
        "One user has half of all events, and workers are killed.",
        scripts.killing(DELIVERY),
        shape=Shape(hot=0.5),
    ),
    "chaos": Scenario(
        "Processes, the broker and vendors break at once, under a load that repeats itself.",
        scripts.chaos,
        log=("kafka",),
        shape=Shape(hot=0.1, again=0.2),
    ),
}
