"""What can be set about ingest: where it listens, what it may hold, and who may send."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    StringConstraints,
    field_validator,
)

from hub.log.settings import LogSettings, SqliteLog
from hub.settings import WingSettings

Compat = Literal["strict", "segment"]
KeyHash = Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]


class SpoolSettings(BaseModel):
    """What is done with events while Kafka is away."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    enabled: bool = Field(
        True, description="Keep events on this machine while Kafka is away; else they get a 503."
    )
    path: Path = Field(
        Path("var/spool"),
        description="Folder on a local disk, from the settings file on; processes share it.",
    )
    after_seconds: PositiveFloat = Field(
        1.0,
        description="Seconds for which Kafka may take nothing that it is asked, before the spool"
        " does; below `answer_seconds`.",
    )
    max_bytes: PositiveInt = Field(
        1_073_741_824, description="Bytes of events spooled; beyond them the answer is 429."
    )
    max_seconds: PositiveFloat = Field(
        86_400.0, description="Seconds since the oldest spooled event; beyond them it is 429."
    )


class Ingest(BaseModel):
    """The process: its socket, its limits, its deadlines."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str = Field("0.0.0.0", description="The address to listen on.")  # noqa: S104 - a server
    port: int = Field(8080, ge=0, le=65_535, description="The port to listen on; 0 takes any.")
    workers: PositiveInt = Field(
        1, le=256, description="Processes that share the port; more need a log of several writers."
    )
    public_url: str | None = Field(
        None,
        description="How SDKs reach us, as `https://hub.example.com`; else the request's Host.",
    )
    compat: Compat = Field(
        "strict",
        description='Unknown write keys are answered 400, or 200 as Segment does with "segment".',
    )
    trusted_proxies: tuple[str, ...] = Field(
        (), description="Networks (CIDR) of proxies whose X-Forwarded-For is believed."
    )
    max_bytes_in_flight: PositiveInt = Field(
        67_108_864, description="Bytes of bodies worked on at once; beyond it the answer is 429."
    )
    max_requests_in_flight: PositiveInt = Field(
        1_000, description="Requests worked on at once; beyond it the answer is 429."
    )
    max_connections: PositiveInt = Field(
        10_000, description="Open connections of one process; beyond it new ones get a 429."
    )
    head_seconds: PositiveFloat = Field(
        10.0, description="Seconds that the head of a request may take to arrive."
    )
    body_seconds: PositiveFloat = Field(
        30.0, description="Seconds that the body of a request may take to arrive."
    )
    body_gap_seconds: PositiveFloat = Field(
        5.0, description="Seconds that a body may pause between two pieces."
    )
    idle_seconds: PositiveFloat = Field(
        75.0, description="Seconds that an idle connection is kept; longer than the proxy's."
    )
    answer_seconds: PositiveFloat = Field(
        4.5, description="Seconds from the end of the body to the answer, at most; then 503."
    )
    grace_seconds: NonNegativeFloat = Field(
        3.0, description="Seconds of serving on, not ready, after being asked to stop."
    )
    stop_seconds: PositiveFloat = Field(
        10.0, description="Seconds that requests in flight have to finish when stopping."
    )
    dedupe_ids: PositiveInt = Field(
        1_000_000,
        description="Message ids remembered by one process, at least the latest half of so many;"
        " about 100 bytes each.",
    )
    dedupe_seconds: PositiveFloat = Field(
        86_400.0, description="Seconds for which a message id is remembered."
    )
    dedupe_recall_seconds: NonNegativeFloat = Field(
        600.0, description="Seconds of the log whose message ids are read at the start."
    )
    spool: SpoolSettings = Field(
        default_factory=lambda: SpoolSettings(), description="While Kafka is away."
    )

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, networks: tuple[str, ...]) -> tuple[str, ...]:
        for network in networks:
            ipaddress.ip_network(network)
        return networks

    @field_validator("public_url")
    @classmethod
    def _origin(cls, url: str | None) -> str | None:
        if url is not None:
            parts = urlsplit(url)
            if parts.scheme not in ("http", "https") or not parts.netloc or parts.query:
                raise ValueError("Must be a URL as https://hub.example.com")
        return url


class SourceSettings(BaseModel):
    """Who sends: its keys, and what is asked of its events."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    keys: tuple[KeyHash, ...] = Field(
        min_length=1,
        description="Hashes of the write keys, as `python -m ingest keys new` prints them.",
    )
    enabled: bool = Field(
        True, description="A disabled source is answered 200, and its events are not delivered."
    )
    compat: Compat = Field(
        "strict",
        description='Refused events are told to the client; with "segment" it is answered 200.',
    )
    origins: tuple[str, ...] = Field(
        ("*",), description="Origins of pages that may send, as `https://shop.example`; * is any."
    )
    events_per_second: PositiveFloat | None = Field(
        None, description="Events a second, on average, of one process; unset is no limit."
    )
    burst: PositiveInt | None = Field(
        None, description="Events at once above the rate; ten seconds' worth if unset."
    )
    correct_clocks: bool = Field(
        True, description="Correct timestamps by what sentAt says of the sender's clock."
    )
    semantic: Literal["ignore", "report", "enforce"] = Field(
        "report", description="What is done about events that break their public specification."
    )
    plan: Path | None = Field(
        None, description="Directory of a tracking plan, from the settings file on."
    )
    plan_mode: Literal["report", "enforce"] = Field(
        "report", description="What is done about events that break the tracking plan."
    )
    unplanned: Literal["allow", "report", "refuse"] = Field(
        "allow", description="What is done about events that the tracking plan does not name."
    )


class IngestSettings(WingSettings):
    """All that ingest reads of `hub.toml`."""

    log: LogSettings = Field(default_factory=lambda: SqliteLog(), description="The log.")
    ingest: Ingest = Field(default_factory=lambda: Ingest(), description="The process.")
    sources: dict[str, SourceSettings] = Field(
        default_factory=dict, description="Who may send, by name."
    )

    @field_validator("sources")
    @classmethod
    def _names(cls, sources: dict[str, SourceSettings]) -> dict[str, SourceSettings]:
        for name in sources:
            if not name or len(name) > 64 or not name.replace("-", "").replace("_", "").isalnum():
                raise ValueError(
                    "A source's name is up to 64 letters, digits, hyphens and underscores"
                )
        return sources
