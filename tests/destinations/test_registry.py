"""Which vendors there are."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest

import destinations
from destinations import registry
from destinations.spec import Destination

HERE = Path(destinations.__file__).parent


def test_a_folder_with_a_file_of_its_name_is_a_vendor() -> None:
    """Sorted by name; machinery is none."""
    expected = sorted(p.parent.name for p in HERE.glob("*/*.py") if p.stem == p.parent.name)

    assert tuple(expected) == registry.vendors()
    assert "webhook" in registry.vendors()


@pytest.mark.parametrize("name", registry.vendors())
def test_each_opens_by_its_name(name: str) -> None:
    """A declaration of that name, a fresh sandbox each time, and a file of cases."""
    found = registry.vendor(name)
    one, two = registry.sandbox(name), registry.sandbox(name)

    assert isinstance(found, Destination)
    assert name == found.name
    assert one is not two
    assert [] == one.taken
    assert registry.cases(name) == HERE / name / "cases.json"


@pytest.mark.parametrize("name", ["", "worker", "webhooks", "../destinations", "webhook.sandbox"])
def test_a_name_without_a_folder_opens_nothing(name: str) -> None:
    """Neither machinery nor a path is imported."""
    with pytest.raises(KeyError):
        registry.vendor(name)
    with pytest.raises(KeyError):
        registry.sandbox(name)


def test_a_vendor_declares_a_destination(monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder whose `destination` is something else is a fault that names the file."""
    odd = ModuleType("odd")
    odd.destination = "odd"  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "destinations.webhook.webhook", odd)

    with pytest.raises(TypeError, match=r"destinations/webhook/webhook\.py: `destination` must"):
        registry.vendor("webhook")
