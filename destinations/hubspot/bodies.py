"""The bodies that the practice account reads and writes, and what it finds wrong with a value."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from destinations.spec import Request, Unreadable

EMAIL = re.compile(r"[^@\s,]+@[^@\s,]+\.[a-zA-Z]{2,}")


class Bad(Exception):
    """A request, or one row of it, that HubSpot refuses."""

    def __init__(self, message: str, category: str = "VALIDATION_ERROR", status: int = 400) -> None:
        super().__init__(message)
        self.message, self.category, self.status = message, category, status

    def body(self, **more: Any) -> dict[str, Any]:
        return {
            "status": "error",
            "message": self.message,
            "correlationId": "c0ffee00-0000-4000-8000-000000000001",
            "category": self.category,
            **more,
        }


def object_of(request: Request) -> dict[str, Any]:
    try:
        body = request.json()
    except Unreadable:
        body = None
    if not isinstance(body, dict):
        raise Bad("Invalid input JSON on line 1, column 1: Cannot deserialize value")
    return body


def inputs_of(body: dict[str, Any], most: int) -> list[dict[str, Any]]:
    inputs = body.get("inputs")
    if not isinstance(inputs, list) or not all(isinstance(one, dict) for one in inputs):
        raise Bad("Invalid input JSON on line 1, column 12: Cannot deserialize value")
    if not 1 <= len(inputs) <= most:
        raise Bad(f"The batch has {len(inputs)} inputs; the limit is {most}")
    return inputs


def only(said: Mapping[str, Any], known: set[str]) -> None:
    for name in said.keys() - known:
        raise Bad(f'Invalid input JSON on line 1, column 1: Unrecognized field "{name}"')


def flat(properties: Any) -> bool:
    return isinstance(properties, dict) and all(isinstance(v, str) for v in properties.values())


def batch(results: list[dict[str, Any]], now: float) -> dict[str, Any]:
    times = {"startedAt": iso(now), "completedAt": iso(now + 0.2)}
    return {"status": "COMPLETE", "results": results, **times}


def record_of(id: str, properties: Mapping[str, str], now: float) -> dict[str, Any]:  # noqa: A002
    return {
        "id": id,
        "properties": {**properties, "hs_object_id": id},
        "createdAt": iso(now),
        "updatedAt": iso(now),
        "archived": False,
    }


def iso(now: float) -> str:
    return datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


def moment(value: Any) -> None:
    try:
        datetime.fromisoformat(str(value).replace("Z", "+00:00"))
    except ValueError:
        raise Bad(
            "Invalid input JSON on line 1: Cannot deserialize value of type Instant"
        ) from None


def fault_in(entry: Mapping[str, Any] | None, name: str, value: str) -> tuple[str, str] | None:
    """What is wrong with a value, and HubSpot's code for it."""
    if entry is None or entry.get("deleted"):
        return f'Property \\"{name}\\" does not exist', "PROPERTY_DOESNT_EXIST"
    if entry.get("modificationMetadata", {}).get("readOnlyValue"):
        return f'\\"{name}\\" is a read only property', "READ_ONLY_VALUE"
    if value == "":
        return None
    if name == "email" and not EMAIL.fullmatch(value):
        return f"Email address {value} is invalid", "INVALID_EMAIL"
    if entry["type"] == "enumeration":
        options = {option["value"] for option in entry["options"]}
        if not set(value.split(";")) <= options:
            return f"{value} was not one of the allowed options", "INVALID_OPTION"
    if entry["type"] == "bool" and value not in ("true", "false"):
        return f"{value} was not one of the allowed options", "INVALID_OPTION"
    if entry["type"] == "number" and not re.fullmatch(r"-?\d+(\.\d+)?([eE][+-]?\d+)?", value):
        return f"{value} was not a valid long", "INVALID_LONG"
    midnight = value.isdecimal() and int(value) % 86_400_000 == 0
    if entry["type"] == "date" and not (re.fullmatch(r"\d{4}-\d{2}-\d{2}", value) or midnight):
        return f"{value} was not a valid date", "INVALID_DATE"
    return None
