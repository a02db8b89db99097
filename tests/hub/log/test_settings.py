"""What can be set about the log, and how a fault in it is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError

from hub.log.settings import DAY, KafkaLog, LogSettings, MemoryLog, SqliteLog

ADAPTER: TypeAdapter[LogSettings] = TypeAdapter(LogSettings)
KINDS: list[type[BaseModel]] = [MemoryLog, SqliteLog, KafkaLog]


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"kind": "memory"}, MemoryLog()),
        ({"kind": "sqlite", "path": "x.db"}, SqliteLog(path=Path("x.db"))),
        ({"kind": "kafka", "bootstrap_servers": "b:1"}, KafkaLog(bootstrap_servers="b:1")),
    ],
)
def test_the_kind_decides(told: dict[str, Any], expected: LogSettings) -> None:
    """`kind` says which log is meant; all else has a default but Kafka's servers."""
    assert expected == ADAPTER.validate_python(told)


@pytest.mark.parametrize(
    ("told", "place", "says"),
    [
        ({}, (), "discriminator 'kind'"),
        ({"kind": "redis"}, (), "'memory', 'sqlite', 'kafka'"),
        ({"kind": "kafka"}, ("kafka", "bootstrap_servers"), "Field required"),
        ({"kind": "memory", "path": "x"}, ("memory", "path"), "not permitted"),
        ({"kind": "sqlite", "brokers": "b:1"}, ("sqlite", "brokers"), "not permitted"),
        ({"kind": "memory", "partitions": 0}, ("memory", "partitions"), "greater than 0"),
        ({"kind": "memory", "partitions": 1_025}, ("memory", "partitions"), "equal to 1024"),
        ({"kind": "sqlite", "retention_seconds": 0}, ("sqlite", "retention_seconds"), "than 0"),
        ({"kind": "sqlite", "retention_bytes": -1}, ("sqlite", "retention_bytes"), "than 0"),
    ],
)
def test_a_fault_is_told_with_its_place(
    told: dict[str, Any], place: tuple[str, ...], says: str
) -> None:
    """What cannot be is refused with the kind and the field that it is about."""
    with pytest.raises(ValidationError) as caught:
        ADAPTER.validate_python(told)

    (fault,) = caught.value.errors()
    assert place == fault["loc"]
    assert says in fault["msg"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("topic_prefix", "our events/"),
        ("security_protocol", "TLS"),
        ("sasl_mechanism", "GSSAPI"),
        ("compression", "brotli"),
        ("session_timeout", 0.5),
        ("append_timeout", 0),
        ("replication_factor", 0),
        ("min_insync_replicas", 0),
    ],
)
def test_what_kafka_does_not_know_is_refused(field: str, value: object) -> None:
    """A name that Kafka would refuse, or a number that cannot be, is a fault of its field."""
    told = {"kind": "kafka", "bootstrap_servers": "b:1", field: value}

    with pytest.raises(ValidationError) as caught:
        ADAPTER.validate_python(told)

    assert [("kafka", field)] == [fault["loc"] for fault in caught.value.errors()]


def test_all_faults_are_told_at_once() -> None:
    """Who set several things wrong hears of each."""
    told = {"kind": "kafka", "partitions": 0, "compression": "x", "path": "x"}

    with pytest.raises(ValidationError) as caught:
        ADAPTER.validate_python(told)

    places = {str(fault["loc"][-1]) for fault in caught.value.errors()}
    assert {"bootstrap_servers", "partitions", "compression", "path"} == places


def test_secrets_are_not_shown() -> None:
    """Neither text, nor a dump, nor a fault of the settings shows a password."""
    told = {
        "kind": "kafka",
        "bootstrap_servers": "b:1",
        "sasl_password": "hush-1",
        "ssl_password": "hush-2",
    }
    settings = ADAPTER.validate_python(told)

    assert isinstance(settings, KafkaLog)
    assert settings.sasl_password is not None
    assert "hush-1" == settings.sasl_password.get_secret_value()
    for shown in (repr(settings), str(settings), settings.model_dump_json()):
        assert "hush" not in shown


def test_what_is_not_set_is_meant_for_one_machine() -> None:
    """The defaults: eight partitions, a week, no bound of bytes; Kafka in plain text, one copy."""
    assert {(8, 7 * DAY, None)} == {
        (one.partitions, one.retention_seconds, one.retention_bytes)
        for one in (MemoryLog(), SqliteLog(), KafkaLog(bootstrap_servers="b:1"))
    }
    kafka = KafkaLog(bootstrap_servers="b:1")
    assert ("hub.", 1, 1, True) == (
        kafka.topic_prefix,
        kafka.replication_factor,
        kafka.min_insync_replicas,
        kafka.create_topics,
    )
    assert ("PLAINTEXT", "none") == (kafka.security_protocol, kafka.compression)
    assert Path("var/hub.db") == SqliteLog().path


def test_an_append_is_given_up_before_ingest_must_answer() -> None:
    """By default an append is answered within the 5 s that ingest has."""
    assert KafkaLog(bootstrap_servers="b:1").append_timeout < 5.0


@pytest.mark.parametrize("kind", KINDS)
def test_settings_do_not_change(kind: type[BaseModel]) -> None:
    """Settings are read once and then stand."""
    settings = kind.model_validate({"bootstrap_servers": "b:1"} if kind is KafkaLog else {})

    with pytest.raises(ValidationError, match="frozen"):
        settings.partitions = 9  # type: ignore[attr-defined]


@pytest.mark.parametrize("kind", KINDS)
def test_every_setting_has_its_sentence(kind: type[BaseModel]) -> None:
    """Each field is described by a sentence: faults and papers show it."""
    silent = [
        name
        for name, field in kind.model_fields.items()
        if not (field.description or "").endswith(".")
    ]

    assert [] == silent
