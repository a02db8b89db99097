"""The house as its tests see it: modules, what they import, and where they wait."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

HOUSE = Path(__file__).parents[2]
ROOMS = ("schemas", "hub", "ingest", "destinations")


@dataclass(frozen=True)
class Module:
    """One Python file of ours."""

    path: Path

    @property
    def place(self) -> str:
        """`destinations/worker.py`."""
        return self.path.relative_to(HOUSE).as_posix()

    @property
    def name(self) -> str:
        """`destinations.worker`; a package is called by its folder."""
        dotted = self.place.removesuffix(".py").replace("/", ".")
        return dotted.removesuffix(".__init__")

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.path.read_text("utf-8"))

    @cached_property
    def imports(self) -> frozenset[str]:
        """Names of ours that it imports when it is loaded (not for types, not inside functions)."""
        return frozenset(
            name for name in _imported(self.tree.body) if name.partition(".")[0] in ROOMS
        )

    @cached_property
    def all_imports(self) -> frozenset[str]:
        """Names of ours that it imports anywhere."""
        return frozenset(
            name for name in _imported(ast.walk(self.tree)) if name.partition(".")[0] in ROOMS
        )

    @property
    def waits(self) -> bool:
        """Whether anything in it awaits."""
        kinds = (ast.Await, ast.AsyncFor, ast.AsyncWith)
        return any(isinstance(node, kinds) for node in ast.walk(self.tree))


def _imported(nodes: Iterator[ast.AST] | list[ast.stmt]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            # `from destinations import registry` names a module, `from hub.log import Log` a thing.
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield whole if _is_module(whole) else node.module


def _is_module(name: str) -> bool:
    path = HOUSE / name.replace(".", "/")
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


def modules(*under: str) -> list[Module]:
    """All modules below the rooms, or below the folders named."""
    return [
        Module(path)
        for room in under or ROOMS
        for path in sorted((HOUSE / room).rglob("*.py"))
        if "__pycache__" not in path.parts and "node_modules" not in path.parts
    ]


def vendor_of(module: Module) -> str | None:
    """The vendor whose folder the module is in."""
    parts = module.place.split("/")
    return parts[1] if parts[0] == "destinations" and len(parts) > 2 else None
