"""What can be set about the log: where it is, how it is split, and how long it keeps."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, SecretStr

DAY = 86_400.0


class _Common(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    partitions: PositiveInt = Field(
        8, le=1_024, description="Partitions of a stream that is created; more allow more workers."
    )
    retention_seconds: PositiveFloat = Field(
        7 * DAY, description="Records older than this, in seconds, may be deleted."
    )
    retention_bytes: PositiveInt | None = Field(
        None,
        description="Oldest records are deleted when a stream's partition exceeds this, in bytes.",
    )


class MemoryLog(_Common):
    """A log in this process's memory, for tests: nothing survives the process."""

    kind: Literal["memory"] = Field("memory", description="The log lives in memory.")


class SqliteLog(_Common):
    """The embedded log: one SQLite file that the processes of one machine share."""

    kind: Literal["sqlite"] = Field("sqlite", description="The log is one SQLite file.")
    path: Path = Field(
        Path("var/hub.db"), description="The file; on a local disk, since WAL needs shared memory."
    )


class KafkaLog(_Common):
    """Apache Kafka, where one machine is not enough."""

    kind: Literal["kafka"] = Field("kafka", description="The log is an Apache Kafka cluster.")
    bootstrap_servers: str = Field(
        description="Brokers to begin with, as `host:port`, separated by commas."
    )
    topic_prefix: str = Field(
        "hub.",
        pattern=r"^[a-zA-Z0-9._-]*$",
        description="Put before a stream's name and a group's.",
    )
    replication_factor: PositiveInt = Field(
        1, description="Copies of each partition of a topic that is created; 3 in production."
    )
    min_insync_replicas: PositiveInt = Field(
        1,
        description="Copies that must have a record before it counts as durable; 2 in production.",
    )
    create_topics: bool = Field(
        True, description="Create missing topics at the start; else a missing topic is an error."
    )
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="How brokers are spoken to."
    )
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        "PLAIN", description="How we prove who we are, with SASL."
    )
    sasl_username: str | None = Field(None, description="The name for SASL.")
    sasl_password: SecretStr | None = Field(None, description="The password for SASL.")
    ssl_cafile: Path | None = Field(
        None, description="Certificates we trust, PEM; system's if unset."
    )
    ssl_certfile: Path | None = Field(None, description="Our certificate, PEM, for mutual TLS.")
    ssl_keyfile: Path | None = Field(None, description="The key of our certificate, PEM.")
    ssl_password: SecretStr | None = Field(None, description="The password of our key.")
    append_timeout: PositiveFloat = Field(
        4.0, description="Seconds until an append that brokers do not confirm is given up."
    )
    session_timeout: PositiveFloat = Field(
        10.0,
        ge=1.0,
        description="Seconds until a group gives away the partitions of a reader that went silent.",
    )
    compression: Literal["none", "gzip", "lz4", "zstd", "snappy"] = Field(
        "none", description="Compression of produced batches; all but gzip need their library."
    )


LogSettings = Annotated[MemoryLog | SqliteLog | KafkaLog, Field(discriminator="kind")]
