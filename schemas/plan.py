"""A tracking plan: a directory of rules, one JSON file each, that events have to meet."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from schemas.checker import DRAFT_07, DRAFT_2020_12, Checker, Shelf, check_schema
from schemas.documents import URN, documents
from schemas.violation import pointer

COMMON: Final = "common"

# Where a schema's keys are names of the author's, and where its value is data and no schema.
_NAMED: Final = frozenset(
    {"$defs", "definitions", "dependencies", "dependentSchemas", "patternProperties", "properties"}
)
_DATA: Final = frozenset({"const", "default", "enum", "examples"})


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with a plan: the file, the place in it as a JSON pointer, a sentence."""

    file: str
    path: str
    sentence: str


class PlanError(Exception):
    """A plan that cannot be used; it carries every fault, not the first."""

    def __init__(self, faults: list[Fault]) -> None:
        """Keep the faults, and say them all."""
        self.faults = faults
        super().__init__("\n".join(f"{f.file} {f.path or '/'}: {f.sentence}" for f in faults))


class Plan:
    """The rules of one plan, compiled, by type, event name and version."""

    __slots__ = ("_rules",)

    def __init__(self, rules: Mapping[tuple[str, str | None], Mapping[int, Checker]]) -> None:
        """Take rules that have been checked; `load` is the way here from files."""
        self._rules = rules

    @staticmethod
    def load(directory: Path) -> "Plan":
        """Read every .json file below the directory; PlanError tells all faults at once."""
        shelf = Shelf.of(documents())
        judge = Checker({"$ref": URN + "rule"}, shelf)
        files = sorted(directory.rglob("*.json"))
        faults: list[Fault] = []
        rules: dict[tuple[str, str | None], dict[int, Checker]] = {}
        owners: dict[tuple[str, str | None, int], str] = {}
        if not files:
            # A mistyped directory must not pass for a plan in which nothing is planned.
            raise PlanError([Fault(str(directory), "", "is no directory with .json rules in it")])
        for file in files:
            name = file.relative_to(directory).as_posix()
            rule, checker, found = _read(file, judge, shelf)
            faults += [Fault(name, path, sentence) for path, sentence in found]
            if rule is None:
                continue
            type_, event, version = rule.get("type", "track"), rule.get("event"), _version(rule)
            owner = owners.setdefault((type_, event, version), name)
            if owner != name:
                sentence = f"is the same type, event and version as {owner}"
                faults.append(Fault(name, "/version", sentence))
            elif checker:
                rules.setdefault((type_, event), {})[version] = checker
        if faults:
            raise PlanError(faults)
        return Plan(rules)

    def planned(self, type: str, event: str | None) -> bool:  # noqa: A002 -- the field's own name
        """Whether a rule is about this very call; a common rule is about none in particular."""
        return _key(type, event) in self._rules

    def find(self, type: str, event: str | None, version: Any) -> list[Checker]:  # noqa: A002 -- as above
        """The rules that a call has to meet: its own, then the common one.

        `version` is what the event says in context.protocols.event_version, whatever that is. A
        version that is missing or unknown means the oldest, as at Segment.
        """
        found = (self._rules.get(key) for key in (_key(type, event), (COMMON, None)))
        return [_choose(versions, version) for versions in found if versions]


def _key(type_: str, event: str | None) -> tuple[str, str | None]:
    return (type_, event if type_ == "track" else None)


def _choose(versions: Mapping[int, Checker], wanted: Any) -> Checker:
    known = isinstance(wanted, int | float) and not isinstance(wanted, bool) and wanted in versions
    return versions[int(wanted) if known else min(versions)]


def _version(rule: Mapping[str, Any]) -> int:
    return int(rule.get("version", 1))


def _read(
    file: Path, judge: Checker, shelf: Shelf
) -> tuple[dict[str, Any] | None, Checker | None, list[tuple[str, str]]]:
    """The rule in a file, if it can be told which it is, compiled, or what is wrong with it."""
    try:
        rule = orjson.loads(file.read_bytes())
    except OSError as error:
        return None, None, [("", f"cannot be read: {error.strerror}")]
    except orjson.JSONDecodeError as error:
        return None, None, [("", f"is not JSON: {error.msg} (line {error.lineno})")]
    broken = judge.violations(rule)
    if broken:
        return None, None, [(violation.path, violation.message) for violation in broken]
    schema = rule["schema"]
    try:
        faults = list(_faults_of(schema, shelf))
        if not faults:
            return rule, Checker(schema, shelf), []
    except RecursionError:  # jsonschema takes some ten calls of functions a level
        faults = [("/schema", "is nested too deeply; move parts of it to $defs")]
    except ValueError as error:  # what only the deciding engine finds, such as a lost "#..."
        faults = [("/schema", f"cannot be compiled: {str(error).splitlines()[0]}")]
    return rule, None, faults


def _faults_of(schema: Mapping[str, Any], shelf: Shelf) -> Iterator[tuple[str, str]]:
    dialect = schema.get("$schema", DRAFT_2020_12)
    if not isinstance(dialect, str) or dialect.rstrip("#") not in (DRAFT_2020_12, DRAFT_07):
        yield "/schema/$schema", f"must be {DRAFT_2020_12} or {DRAFT_07}#"
        return
    broken = [("/schema" + v.path, v.message) for v in check_schema(schema)]
    strays = [
        (pointer(place), f"refers to '{target}'; only '#...' and the shipped schemas are at hand")
        for place, target in _references(schema, ["schema"])
        if not target.startswith("#") and target.partition("#")[0] not in shelf.documents
    ]
    yield from broken
    yield from strays


def _references(schema: Any, place: list[str | int]) -> Iterator[tuple[list[str | int], str]]:
    if isinstance(schema, list):
        for index, part in enumerate(schema):
            yield from _references(part, [*place, index])
    elif isinstance(schema, dict):
        for key, part in schema.items():
            here = [*place, key]
            if key in ("$ref", "$dynamicRef") and isinstance(part, str):
                yield here, part
            elif key in _NAMED and isinstance(part, dict):
                for name, inner in part.items():
                    yield from _references(inner, [*here, name])
            elif key not in _DATA:
                yield from _references(part, here)
