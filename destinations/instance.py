"""What can be set about one instance of a vendor: what it hears, how patient it is, its words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt


class Table(BaseModel):
    """A table of `hub.toml`: an unknown name in it is a fault."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Where(Table):
    """A condition on one property; all that are given must hold."""

    path: str = Field(description="A dotted path into the event, such as `properties.plan`.")
    equals: str | int | float | bool | None = Field(None, description="The value must be this.")
    one_of: tuple[str | int | float | bool, ...] | None = Field(
        None, description="The value must be one of these."
    )
    exists: bool | None = Field(None, description="The value must be there, or must not.")


class Filter(Table):
    """Which events an instance hears; what does not fit is counted as filtered."""

    types: tuple[str, ...] | None = Field(None, description="Only these types; all if unset.")
    events: tuple[str, ...] | None = Field(
        None, description="Only events (pages, screens) of these exact names; all if unset."
    )
    except_events: tuple[str, ...] = Field((), description="Never events of these exact names.")
    where: tuple[Where, ...] = Field((), description="Conditions on properties; all must hold.")


class ActionTable(Table):
    """What an instance changes about one of its vendor's actions."""

    enabled: bool = Field(True, description="Whether events may take this action.")
    events: tuple[str, ...] | None = Field(
        None, description="The event names that take this action, instead of the vendor's default."
    )
    fields: Mapping[str, Any] = Field(
        default_factory=dict,
        description="Where a field comes from: a path, a list of paths, or {const = value}.",
    )


class Instance(Table):
    """One configured destination; its name is the reader group and the label of its metrics."""

    vendor: str = Field(description="The vendor's folder: see `python -m destinations list`.")
    enabled: bool = Field(True, description="Whether it reads the log at all.")
    sources: tuple[str, ...] = Field(("*",), description="The sources it listens to; `*` is all.")
    filter: Filter = Field(Filter(), description="Which events it hears.")
    consent: tuple[str, ...] = Field(
        (), description="Consent categories that must all be true when the event carries consent."
    )
    integrations_name: str | None = Field(
        None, description="Its name in the `integrations` object; the vendor's names if unset."
    )
    skip_bundled: bool = Field(
        False, description="Leave out events that the browser has delivered in device mode."
    )
    max_in_flight: PositiveInt = Field(
        16, le=1_000, description="Requests to the vendor that may be open at once."
    )
    max_backlog: PositiveInt = Field(
        10_000, description="Events held in memory; the log is not read further beyond."
    )
    linger: float = Field(
        0.05, ge=0, le=60, description="Seconds a batch that is not full waits for company."
    )
    patience: PositiveFloat = Field(
        86_400.0, description="Seconds after acceptance for which a failing event is tried again."
    )
    breaker_failures: PositiveInt = Field(
        10, description="Failures in a row after which the vendor is left in peace for a while."
    )
    breaker_seconds: PositiveFloat = Field(
        5.0, description="Seconds that it is first left in peace; doubled each time, up to 60."
    )
    barred_seconds: PositiveFloat = Field(
        300.0, description="Seconds between probes while the vendor does not let us in."
    )
    park_seconds: PositiveFloat = Field(
        900.0,
        description="Seconds that a key may wait while others are taken, before it is set aside.",
    )
    brake_run: PositiveInt = Field(
        100, description="Refusals by the vendor in a row after which to stop and ask a person."
    )
    brake_ratio: PositiveFloat = Field(
        0.5, le=1, description="The part of the last 1,000 answers that may be refusals; 1 is all."
    )
    in_doubt: Literal["at_least_once", "at_most_once"] = Field(
        "at_least_once",
        description="When a call may have got through and its repetition would count twice:"
        " send again, or make it a dead letter.",
    )
    retry_seconds: PositiveFloat = Field(
        1.0, description="Seconds of the first backoff; doubled each attempt, with full jitter."
    )
    retry_most_seconds: PositiveFloat = Field(300.0, description="The longest backoff, in seconds.")
    actions: Mapping[str, ActionTable] = Field(
        default_factory=dict, description="Changes to the vendor's actions, by the action's name."
    )
    settings: Mapping[str, Any] = Field(
        default_factory=dict, description="What the vendor is told: see `describe`."
    )
