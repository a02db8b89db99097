"""The laws of the house, each a test that says its law when it is broken."""

from __future__ import annotations

import ast
import re
import subprocess

import pytest

from tests.house.plan import HOUSE, Module, modules, vendor_of

ALL = modules()
ids = {"ids": lambda module: module.place}

WAITING = {
    "hub": {"process", "log"},
    "ingest": {
        "__main__",
        "app",
        "detour",
        "intake",
        "keeping",
        "receive",
        "rejected",
        "serving",
        "spool",
        "workers",
    },
    "destinations": {
        "__main__",
        "admin",
        "asking",
        "audit",
        "auditing",
        "balance",
        "claim",
        "conductor",
        "courier",
        "crew",
        "deadletters",
        "errand",
        "follower",
        "index",
        "letters",
        "opening",
        "lookup",
        "recovery",
        "rehearsal",
        "replay",
        "replaying",
        "retrial",
        "rides",
        "running",
        "sandbox",
        "scribe",
        "scroll",
        "sender",
        "stint",
        "tokens",
        "trace",
        "tracing",
        "vault",
        "verdicts",
        "worker",
    },
    "schemas": set(),
}

TOP = {"schemas", "hub", "ingest", "destinations", "deploy", "tests", ".ci"}


@pytest.mark.parametrize("module", ALL, **ids)
def test_layers(module: Module) -> None:
    """`schemas` and `hub` import nothing of the other rooms; the two wings never meet."""
    room = module.place.split("/")[0]
    may = {
        "schemas": {"schemas"},
        "hub": {"hub"},
        "ingest": {"ingest", "hub", "schemas"},
        "destinations": {"destinations", "hub"},
    }[room]
    strangers = {name for name in module.all_imports if name.partition(".")[0] not in may}

    assert set() == strangers, test_layers.__doc__


@pytest.mark.parametrize("module", [m for m in ALL if vendor_of(m)], **ids)
def test_a_vendor_imports_the_spec_only(module: Module) -> None:
    """A vendor's folder imports `destinations.spec`, itself, and nothing else of ours."""
    own = f"destinations.{vendor_of(module)}"
    strangers = {
        name
        for name in module.all_imports
        if name != "destinations.spec" and not name.startswith(own)
    }

    assert set() == strangers, test_a_vendor_imports_the_spec_only.__doc__


@pytest.mark.parametrize("module", [m for m in ALL if not vendor_of(m)], **ids)
def test_machinery_imports_no_vendor(module: Module) -> None:
    """Machinery never names a vendor in an import: the registry opens folders by name."""
    folders = {f"destinations.{v}" for v in {vendor_of(m) for m in ALL} - {None}}
    found = {n for n in module.all_imports if ".".join(n.split(".")[:2]) in folders}

    assert set() == found, test_machinery_imports_no_vendor.__doc__


def test_no_import_cycles() -> None:
    """No module imports itself by way of others."""
    graph = {m.name: {_known(n) for n in m.imports} - {m.name, ""} for m in ALL}
    cycles = []
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        if name in path:
            cycles.append(" -> ".join((*path[path.index(name) :], name)))
        elif name not in done:
            for other in sorted(graph.get(name, ())):
                visit(other, (*path, name))
            done.add(name)

    for name in sorted(graph):
        visit(name, ())

    assert [] == cycles, test_no_import_cycles.__doc__


def _known(name: str) -> str:
    names = {m.name for m in ALL}
    while name and name not in names:
        name = name.rpartition(".")[0]
    return name


@pytest.mark.parametrize("module", ALL, **ids)
def test_waiting_only_where_it_is_named(module: Module) -> None:
    """Policies decide and never wait; `await` lives in the rooms named for it."""
    room, _, rest = module.name.partition(".")
    if rest.partition(".")[0] in WAITING[room]:
        return

    assert not module.waits, test_waiting_only_where_it_is_named.__doc__


@pytest.mark.parametrize("module", ALL, **ids)
def test_every_module_opens_with_its_sentence(module: Module) -> None:
    """A module's docstring begins with one sentence on one line, ended by its stop."""
    said = ast.get_docstring(module.tree) or ""
    first = said.split("\n")[0]

    assert first.endswith((".", "?")), test_every_module_opens_with_its_sentence.__doc__


@pytest.mark.parametrize("module", [*ALL, *modules("tests", "deploy")], **ids)
def test_no_module_is_long(module: Module) -> None:
    """No module has more than 400 lines: it would have two subjects."""
    assert len(module.path.read_text("utf-8").splitlines()) <= 400, test_no_module_is_long.__doc__


@pytest.mark.parametrize("module", ALL, **ids)
def test_every_module_has_a_namesake_test(module: Module) -> None:
    """`x/y.py` is promised by `tests/x/test_y.py`; a vendor's folder by the contract."""
    if module.path.name == "__init__.py" or vendor_of(module):
        return
    folder = HOUSE / "tests" / module.path.relative_to(HOUSE).parent
    namesake = folder / f"test_{module.path.stem.strip('_')}.py"

    assert namesake.is_file(), f"{test_every_module_has_a_namesake_test.__doc__} No {namesake.name}"


def test_every_vendor_has_its_three_files() -> None:
    """A destination is its namesake, `sandbox.py` and `cases.json`."""
    for vendor in {vendor_of(m) for m in ALL} - {None}:
        names = {path.name for path in (HOUSE / "destinations" / str(vendor)).iterdir()}
        missing = {f"{vendor}.py", "sandbox.py", "cases.json", "__init__.py"} - names

        assert set() == missing, f"{vendor}: {test_every_vendor_has_its_three_files.__doc__}"


def test_hub_is_for_both_wings() -> None:
    """A module lives in `hub/` only if both wings import it, or one that they import does; the log
    counts as one."""
    used = {
        wing: {name for m in modules(wing) for name in m.all_imports}
        for wing in ("ingest", "destinations")
    }
    for names in used.values():
        names |= {n for m in modules("hub") if m.name in names for n in m.all_imports}
    for module in modules("hub"):
        name = "hub.log" if module.name.startswith("hub.log") else module.name
        if name == "hub":
            continue
        for wing, names in used.items():
            wanted = any(n == name or n.startswith(f"{name}.") for n in names)
            assert wanted, f"{wing} does not import {name}. {test_hub_is_for_both_wings.__doc__}"


@pytest.mark.parametrize("module", ALL, **ids)
def test_no_global_state(module: Module) -> None:
    """Nothing at the top of a module changes: no `global`, no list or dict that is written to."""
    tops = {
        target.id
        for node in module.tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name)
    }
    changed = {name for node in ast.walk(module.tree) for name in _written(node)} & tops
    declared = [
        n for node in ast.walk(module.tree) if isinstance(node, ast.Global) for n in node.names
    ]

    assert set() == changed | set(declared), test_no_global_state.__doc__


WRITES = {"append", "add", "update", "setdefault", "pop", "clear", "extend", "insert", "remove"}


def _written(node: ast.AST) -> list[str]:
    """Names that `node` writes into: `x[...] = `, `x.append(...)`, `del x[...]`."""
    if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store | ast.Del):
        return [node.value.id] if isinstance(node.value, ast.Name) else []
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        on = node.func.value
        if node.func.attr in WRITES and isinstance(on, ast.Name):
            return [on.id]
    return []


def test_the_front_page_is_small() -> None:
    """No top-level folder without a reason in CONTRIBUTING.md."""
    listed = subprocess.run(
        ["git", "ls-files"], cwd=HOUSE, capture_output=True, text=True, check=True
    ).stdout.split()
    folders = {path.partition("/")[0] for path in listed if "/" in path}

    assert set() == folders - TOP, test_the_front_page_is_small.__doc__


@pytest.mark.parametrize("module", modules("tests"), **ids)
def test_every_test_promises(module: Module) -> None:
    """A test's docstring is the promise that it proves."""
    silent = [
        node.name
        for node in ast.walk(module.tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
        and not ast.get_docstring(node)
    ]

    assert [] == silent, test_every_test_promises.__doc__


def test_no_word_for_a_room_of_odds_and_ends() -> None:
    """There is no utils, common, core, manager, helpers or base."""
    odd = re.compile(r"(^|_)(utils?|common|core|managers?|helpers?|base|misc)(_|$)")
    found = [m.place for m in ALL if any(odd.search(part) for part in m.name.split("."))]

    assert [] == found, test_no_word_for_a_room_of_odds_and_ends.__doc__
