"""A vendor's declaration as text for a person: settings, actions, fields, limits."""

from __future__ import annotations

from typing import Any

from destinations import registry
from destinations.plan import Plan
from destinations.spec import Action, Batch


def described(name: str, plan: Plan | None = None) -> str:
    """The vendor's page; with a plan, that instance's mapping. Shows no setting's value."""
    vendor = registry.vendor(name)
    lines = [
        f"{vendor.titles[0]} ({name}), API {vendor.version}"
        + (f", which ends on {vendor.sunset:%Y-%m-%d}" if vendor.sunset else ""),
        vendor.docs,
        "",
        "Settings",
    ]
    for setting, field in vendor.settings.model_fields.items():
        default = "required" if field.is_required() else f"default {field.get_default()!r}"
        if field.default_factory is not None:
            default = "default empty"
        lines.append(f"  {setting:<24} {field.description} ({default})")
    actions = plan.actions if plan else vendor.actions
    for action in actions:
        lines += ["", *_action(action)]
    return "\n".join(lines) + "\n"


def _action(action: Action[Any]) -> list[str]:
    on = action.on
    names = "" if on.names is None else f" named {', '.join(on.names)}"
    lines = [
        f"Action {action.name}: {action.sentence}",
        f"  for     {', '.join(on.types)}{names}{f'; {on.sentence}' if on.sentence else ''}",
        f"  batch   {_batch(action.batch)}",
        f"  rate    {_rate(action)}",
        f"  again   {action.idempotency.value}",
    ]
    if action.max_age is not None:
        age = "depends on the event" if callable(action.max_age) else f"{action.max_age / 3600:g} h"
        lines.append(f"  age     at most {age}")
    if action.one_of:
        lines.append(f"  needs   one of {', '.join(action.one_of)}")
    for name, field in action.fields.items():
        required = " Required." if field.required else ""
        lines.append(f"  {name:<24} {field.sentence}{required} From {field.source}.")
    return lines


def _batch(batch: Batch) -> str:
    kind = ", all or none" if batch.atomic else ""
    return f"up to {batch.rows} events and {batch.bytes:,} bytes{kind}"


def _rate(action: Action[Any]) -> str:
    rate = action.rate
    said = [
        f"{w.limit} requests in {w.seconds:g} s"
        if w.resets is None
        else f"{w.limit} requests in a day of {w.resets}"
        for w in rate.windows
    ]
    if rate.concurrency is not None:
        said.append(f"{rate.concurrency} requests at once")
    if rate.bucket is not None:
        points = f"{rate.bucket.points:g} points and {rate.bucket.restore:g} more a second"
        said.append(f"{points} ({action.cost:g} a request)")
    return ", ".join(said) or "no limit of the vendor's"
