"""The settings of the process that delivers, and each instance's plan made of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import Field, PositiveFloat, SecretStr, ValidationError

from destinations import registry
from destinations.instance import Instance, Table
from destinations.mapping import source_of
from destinations.plan import Plan
from hub.log.settings import LogSettings, SqliteLog
from hub.settings import Fault, Misconfigured, WingSettings, faults_of


class Delivery(Table):
    """The process that delivers."""

    host: str = Field("127.0.0.1", description="Where /healthz, /readyz and /metrics listen.")
    port: int = Field(8081, ge=0, le=65_535, description="Their port; 0 takes a free one.")
    stop_seconds: PositiveFloat = Field(
        15.0, description="Seconds that requests in flight are heard out when asked to stop."
    )
    commit_seconds: PositiveFloat = Field(
        1.0, description="Seconds between commits of what is finished."
    )
    dedupe_seconds: float = Field(
        86_400.0,
        ge=0,
        description="Seconds after which a messageId that was accepted counts as a new event.",
    )
    index_path: Path = Field(
        Path("var/index"),
        description="A folder for what is known of the log; it can be deleted, and is made again.",
    )
    admin_token: SecretStr | None = Field(
        None,
        min_length=16,
        description="Who shows it as a Bearer may ask under /admin; nobody if unset.",
    )


class DestinationsSettings(WingSettings):
    """`[log]`, `[delivery]` and `[destinations.*]` of `hub.toml`."""

    log: LogSettings = Field(SqliteLog(), description="Where events wait.", discriminator="kind")
    delivery: Delivery = Field(Delivery(), description="The process that delivers.")
    destinations: Mapping[str, Instance] = Field(
        default_factory=dict, description="The instances, by name."
    )


def plans(settings: DestinationsSettings) -> dict[str, Plan]:
    """Each instance's plan. Raises Misconfigured with every fault of every instance."""
    faults: list[Fault] = []
    made = {}
    for name, instance in settings.destinations.items():
        plan = _plan(name, instance, faults)
        if plan is not None:
            made[name] = plan
    if faults:
        raise Misconfigured(faults)
    return made


def _plan(name: str, instance: Instance, faults: list[Fault]) -> Plan | None:
    place = f"destinations.{name}"
    if not name.replace("-", "").replace("_", "").isalnum() or len(name) > 64:
        faults.append(Fault(place, "an instance's name is letters, digits, - and _, at most 64"))
    if instance.vendor not in registry.vendors():
        known = ", ".join(registry.vendors())
        faults.append(Fault(f"{place}.vendor", f"There is no such vendor; there are {known}"))
        return None
    vendor = registry.vendor(instance.vendor)
    before = len(faults)
    told = None
    try:
        told = vendor.settings.model_validate(dict(instance.settings))
    except ValidationError as error:
        faults += faults_of(error, vendor.settings, f"{place}.settings")
    actions = {action.name: action for action in vendor.actions}
    sources = {}
    for action, table in instance.actions.items():
        if action not in actions:
            known = ", ".join(actions)
            faults.append(Fault(f"{place}.actions.{action}", f"No such action; there are {known}"))
            continue
        fields = actions[action].fields if told is None else actions[action].fields_of(told)
        for field, said in table.fields.items():
            path = f"{place}.actions.{action}.fields.{field}"
            if field not in fields:
                faults.append(Fault(path, f"No such field; there are {', '.join(fields)}"))
                continue
            try:
                sources[action, field] = source_of(said)
            except ValueError as error:
                faults.append(Fault(path, str(error)))
    if len(faults) > before:
        return None
    return Plan(name, vendor, told, instance, sources)
