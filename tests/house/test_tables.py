"""What is declared once is declared well, and used: metrics, settings, refusals."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Any, get_args

import pytest
from prometheus_client import CollectorRegistry
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from destinations.settings import DestinationsSettings
from hub.metrics import Metrics
from ingest.settings import IngestSettings
from tests.house.plan import HOUSE, modules

WINGS = modules("ingest", "destinations")


def _metrics() -> dict[str, Any]:
    return {
        name: value
        for name, value in vars(Metrics()).items()
        if not isinstance(value, CollectorRegistry) and not name.startswith("_")
    }


@pytest.mark.parametrize("name", _metrics())
def test_every_metric_has_a_sentence_and_is_used(name: str) -> None:
    """A metric says what it counts, in a sentence, and some wing writes it."""
    metric = _metrics()[name]
    used = any(
        isinstance(node, ast.Attribute) and node.attr == name
        for module in WINGS
        for node in ast.walk(module.tree)
    )

    assert metric._documentation.endswith(".")
    assert name == metric._name.removesuffix("_total")
    assert used, f"{name} is declared and never written"


def test_metric_names_end_in_their_unit() -> None:
    """Times are in seconds and sizes in bytes, never in thousandths or thousands of them."""
    for family in Metrics().registry.collect():
        assert not re.search(r"_(ms|milliseconds|kb|mb)(_|$)", family.name), family.name


def _fields(model: type[BaseModel], path: str = "") -> Iterator[tuple[str, FieldInfo]]:
    for name, field in model.model_fields.items():
        yield f"{path}{name}", field
        for inner in _models(field.annotation):
            yield from _fields(inner, f"{path}{name}.")


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models(part)


SETTINGS = {
    path: field for wing in (IngestSettings, DestinationsSettings) for path, field in _fields(wing)
}


@pytest.mark.parametrize("path", SETTINGS)
def test_every_setting_has_a_sentence_and_is_used(path: str) -> None:
    """A setting says what it does, in a sentence, and some module reads it."""
    description = SETTINGS[path].description or ""
    name = path.rpartition(".")[2]
    # `kind` picks the class of a log, and is read by pydantic.
    read = name == "kind" or any(
        isinstance(node, ast.Attribute) and node.attr == name
        for module in modules("hub", "ingest", "destinations")
        for node in ast.walk(module.tree)
    )

    assert description.endswith("."), path
    assert read, f"{path} is declared and never read"


def test_every_setting_is_in_the_example() -> None:
    """`deploy/hub.example.toml` shows every setting, so that nobody must read code to find one."""
    example = (HOUSE / "deploy" / "hub.example.toml").read_text("utf-8")
    named = set(re.findall(r"(?:^#?\s*|[{,]\s*)([a-z_]+) *=", example, re.MULTILINE))
    tables = set(re.findall(r"[\w]+", " ".join(re.findall(r"^#?\s*\[+(.+?)\]+", example, re.M))))
    missing = {path for path in SETTINGS if path.rpartition(".")[2] not in named | tables}

    assert set() == missing


def test_every_refusal_is_in_the_readme() -> None:
    """Each code of ingest's table of refusals is explained in the README."""
    from ingest import errors

    readme = (HOUSE / "README.md").read_text("utf-8")
    missing = {code for code in errors.REFUSALS if f"`{code}`" not in readme}

    assert set() == missing
