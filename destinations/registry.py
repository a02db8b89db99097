"""Which vendors there are: the folders that hold a file of their own name, opened by that name."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

from destinations.spec import Destination, Sandbox

_HERE = Path(__file__).parent


def vendors() -> tuple[str, ...]:
    """The names of all vendors, sorted."""
    return tuple(sorted(f.name for f in _HERE.iterdir() if (f / f"{f.name}.py").is_file()))


def vendor(name: str) -> Destination[Any]:
    """The vendor's declaration. Raises KeyError for a name that has no folder."""
    if name not in vendors():
        raise KeyError(name)
    found = import_module(f"destinations.{name}.{name}").destination
    if not isinstance(found, Destination):
        raise TypeError(f"destinations/{name}/{name}.py: `destination` must be a Destination")
    return found


def sandbox(name: str) -> Sandbox:
    """A fresh sandbox of the vendor. Raises KeyError for a name that has no folder."""
    if name not in vendors():
        raise KeyError(name)
    made: Sandbox = import_module(f"destinations.{name}.sandbox").Sandbox()
    return made


def cases(name: str) -> Path:
    """The file of the vendor's cases."""
    return _HERE / name / "cases.json"
