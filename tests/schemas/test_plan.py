"""A tracking plan: which rule an event has to meet, and what is wrong with a plan's files."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from schemas import Checker, Fault, Plan, PlanError
from schemas.checker import DRAFT_07


def wants(*fields: str, **more: Any) -> dict[str, Any]:
    """A schema whose properties must have these fields."""
    properties = {"type": "object", "required": list(fields)}
    return {"required": ["properties"], "properties": {"properties": properties}, **more}


def write(directory: Path, **files: Any) -> Path:
    for name, content in files.items():
        (directory / f"{name}.json").write_bytes(orjson.dumps(content))
    return directory


def faults(directory: Path) -> list[Fault]:
    with pytest.raises(PlanError) as raised:
        Plan.load(directory)
    return raised.value.faults


def missing(found: list[Checker]) -> list[list[str]]:
    """What each checker misses in an event with empty properties."""
    return [[v.message for v in checker.violations({"properties": {}})] for checker in found]


def test_find(tmp_path: Path) -> None:
    """An event meets the rule of its exact name, and the common one."""
    write(
        tmp_path,
        order={"event": "Order Completed", "schema": wants("order_id")},
        common={"type": "common", "schema": wants("tenant")},
    )

    plan = Plan.load(tmp_path)

    assert [["must have 'order_id'"], ["must have 'tenant'"]] == missing(
        plan.find("track", "Order Completed", None)
    )
    assert [["must have 'tenant'"]] == missing(plan.find("track", "order completed", None))
    assert [["must have 'tenant'"]] == missing(plan.find("page", "Order Completed", None))


def test_planned(tmp_path: Path) -> None:
    """What has a rule of its own is planned; a common rule plans nothing."""
    write(
        tmp_path,
        order={"event": "Order Completed", "schema": wants("order_id")},
        page={"type": "page", "schema": {}},
        common={"type": "common", "schema": {}},
    )

    plan = Plan.load(tmp_path)

    assert plan.planned("track", "Order Completed")
    assert not plan.planned("track", "Order completed")
    assert not plan.planned("track", None)
    assert plan.planned("page", None)
    assert plan.planned("page", "Home")
    assert not plan.planned("identify", None)


@pytest.mark.parametrize("type_", ["identify", "page", "screen", "group", "alias"])
def test_calls_without_an_event(tmp_path: Path, type_: str) -> None:
    """A rule about another call than track holds for every such call."""
    plan = Plan.load(write(tmp_path, rule={"type": type_, "schema": wants("a")}))

    assert [["must have 'a'"]] == missing(plan.find(type_, "whatever", None))
    assert [] == plan.find("track", "whatever", None)


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        (2, "two"),
        (3, "three"),
        (2.0, "two"),
        (None, "two"),
        (1, "two"),
        (7, "two"),
        ("3", "two"),
        (True, "two"),
        ([3], "two"),
        ({}, "two"),
    ],
)
def test_version(tmp_path: Path, asked: Any, field: str) -> None:
    """The event chooses its rule's version; a version missing or unknown is the oldest."""
    write(
        tmp_path,
        a={"event": "E", "version": 3, "schema": wants("three")},
        b={"event": "E", "version": 2, "schema": wants("two")},
    )

    found = Plan.load(tmp_path).find("track", "E", asked)

    assert [[f"must have '{field}'"]] == missing(found)


def test_drafts(tmp_path: Path) -> None:
    """A rule may be written in draft-07, as Segment's are."""
    schema = {"$schema": DRAFT_07 + "#", "properties": {"properties": {"$ref": "#/definitions/p"}}}
    schema["definitions"] = {"p": {"dependencies": {"a": ["b"]}}}
    (found,) = Plan.load(write(tmp_path, r={"event": "E", "schema": schema})).find("track", "E", 1)

    assert found.accepts({"properties": {}})
    assert ["/properties"] == [v.path for v in found.violations({"properties": {"a": 1}})]


def test_shipped_schemas_are_at_hand(tmp_path: Path) -> None:
    """A rule may refer to what is shipped, such as the type of a product."""
    product = {"$ref": "urn:event-hub:schema:semantic:ecommerce#/$defs/product"}
    rule = {"event": "E", "schema": {"properties": {"properties": product}}}
    (found,) = Plan.load(write(tmp_path, rule=rule)).find("track", "E", None)

    assert found.accepts({"properties": {"price": 5}})
    assert not found.accepts({"properties": {"price": "5"}})


def test_folders(tmp_path: Path) -> None:
    """Rules may lie in folders, and other files beside them."""
    (tmp_path / "checkout").mkdir()
    (tmp_path / "README.md").write_text("our plan")
    write(tmp_path / "checkout", rule={"event": "E", "schema": {}})

    assert Plan.load(tmp_path).planned("track", "E")


def test_nothing_there(tmp_path: Path) -> None:
    """A directory without rules, or none at all, is a fault: it is most likely misspelt."""
    for directory in (tmp_path, tmp_path / "absent"):
        (found,) = faults(directory)
        assert "is no directory with .json rules in it" == found.sentence


def test_all_faults_at_once(tmp_path: Path) -> None:
    """Every fault of every file is told, each with its file, its place and a sentence."""
    (tmp_path / "broken.json").write_text('{"event": ')
    write(
        tmp_path,
        good={"event": "E", "schema": {}},
        list=[],
        nameless={"schema": {}},
        named={"type": "page", "event": "E", "schema": {}},
        typo={"event": "F", "scheme": {}},
        types={"event": "G", "schema": {"properties": {"a/b": {"type": "text", "minLength": -1}}}},
        twin={"event": "E", "version": 1, "schema": {}},
        dialect={
            "event": "H",
            "schema": {"$schema": "https://json-schema.org/draft/2019-09/schema"},
        },
        remote={"event": "I", "schema": {"allOf": [{"$ref": "https://example.com/x.json"}]}},
        lost={"event": "J", "schema": {"$ref": "#/$defs/lost"}},
        regex={"event": "K", "schema": {"pattern": "["}},
    )

    found = {(fault.file, fault.path): fault.sentence for fault in faults(tmp_path)}

    assert {
        ("broken.json", ""): "is not JSON: unexpected end of data (line 1)",
        ("dialect.json", "/schema/$schema"): (
            "must be https://json-schema.org/draft/2020-12/schema"
            " or http://json-schema.org/draft-07/schema#"
        ),
        ("list.json", ""): "must be an object, and is a list",
        ("lost.json", "/schema"): "cannot be compiled: Pointer '/$defs/lost' does not exist",
        ("named.json", "/event"): "belongs to track rules only",
        ("nameless.json", ""): "must have 'event'",
        ("regex.json", "/schema/pattern"): "must be in the format 'regex'",
        ("remote.json", "/schema/allOf/0/$ref"): (
            "refers to 'https://example.com/x.json';"
            " only '#...' and the shipped schemas are at hand"
        ),
        ("twin.json", "/version"): "is the same type, event and version as good.json",
        ("types.json", "/schema/properties/a~1b/minLength"): "must be at least 0",
        ("types.json", "/schema/properties/a~1b/type"): "fits none of the shapes allowed here",
        ("typo.json", ""): "must have 'schema'",
        ("typo.json", "/scheme"): "is a field that the schema does not name",
    } == found


def test_error_says_it_all(tmp_path: Path) -> None:
    """The error's own text has a line for each fault."""
    write(tmp_path, a={"schema": {}}, b={"event": "E", "schema": {"type": 5}})

    with pytest.raises(PlanError) as raised:
        Plan.load(tmp_path)

    assert [
        "a.json /: must have 'event'",
        "b.json /schema/type: fits none of the shapes allowed here",
    ] == str(raised.value).splitlines()


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": {"$ref": {"type": "string"}}},
        {"enum": [{"$ref": "https://example.com/x"}]},
        {"const": {"$ref": "https://example.com/x"}},
        {"examples": [{"$ref": "https://example.com/x"}], "default": {"$ref": "x"}},
        {"$id": "https://example.com/rule", "$ref": "#/$defs/a", "$defs": {"a": {}}},
        {"$ref": "#"},
    ],
)
def test_what_only_looks_like_a_reference(tmp_path: Path, schema: dict[str, Any]) -> None:
    """A field called $ref, data with a $ref in it, and references within the rule are no fault."""
    assert Plan.load(write(tmp_path, rule={"event": "E", "schema": schema})).planned("track", "E")


@pytest.mark.parametrize(
    ("schema", "place"),
    [
        ({"properties": {"properties": {"$ref": "other.json"}}}, "/properties/properties/$ref"),
        ({"$defs": {"a": {"items": {"$ref": "file:///x"}}}}, "/$defs/a/items/$ref"),
        ({"$dynamicRef": "https://example.com/x#y"}, "/$dynamicRef"),
        ({"if": {"$ref": "urn:event-hub:schema:nothing"}}, "/if/$ref"),
    ],
)
def test_remote_references(tmp_path: Path, schema: dict[str, Any], place: str) -> None:
    """A reference to elsewhere is refused where it stands; nothing is fetched."""
    (found,) = faults(write(tmp_path, rule={"event": "E", "schema": schema}))

    assert ("rule.json", "/schema" + place) == (found.file, found.path)


def test_too_deep(tmp_path: Path) -> None:
    """A schema that is nested beyond what can be checked is told by its place, too."""
    schema: dict[str, Any] = {}
    for _ in range(110):
        schema = {"properties": {"a": schema}}
    write(tmp_path, deep={"event": "E", "schema": schema})

    found = [(fault.file, fault.path, fault.sentence) for fault in faults(tmp_path)]

    assert [("deep.json", "/schema", "is nested too deeply; move parts of it to $defs")] == found
