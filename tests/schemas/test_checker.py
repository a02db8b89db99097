"""A checker: the engine that decides and the one that explains say the same of every schema."""

import copy
from typing import Any

import jsonschema_rs
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from referencing.exceptions import Unresolvable

import schemas
from schemas.checker import DRAFT_07, DRAFT_2020_12, Checker, Shelf, check_schema
from schemas.documents import URN, documents

DOCUMENTS = documents()
SHELF = Shelf.of(DOCUMENTS)


def shipped() -> dict[str, tuple[Checker, list[Any]]]:
    """Every schema that is shipped, with valid examples of it, by name."""
    found: dict[str, tuple[Checker, list[Any]]] = {}
    for urn, document in DOCUMENTS.items():
        name = urn.removeprefix(URN)
        found[name] = (Checker({"$ref": urn}, SHELF), document.get("examples", []))
        for part, schema in document.get("$defs", {}).items():
            if not part[0].isupper() and name != "typed":
                continue  # a part of events, and tried with them
            reference = f"{urn}#/$defs/{part.replace(' ', '%20')}"
            examples = schema.get("examples", document.get("examples", []))
            found[f"{name}#{part}"] = (Checker({"$ref": reference}, SHELF), examples)
    return found


SHIPPED = shipped()

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | st.sampled_from(
        ["", "track", "ada@example.com", "2026-11-21T09:30:00.000Z", "2026-11-21T09:30:00.000Z\n"]
    )
)
KEYS = st.text(max_size=4) | st.sampled_from(
    ["type", "event", "userId", "context", "properties", "traits", "email", "version", "batch"]
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) inside a JSON value."""
    found: list[tuple[Any, Any]] = []
    if isinstance(value, dict | list):
        for key in list(value) if isinstance(value, dict) else range(len(value)):
            found.append((value, key))
            found += places(value[key])
    return found


@st.composite
def mutated(draw: st.DrawFn, examples: list[Any]) -> Any:
    """A valid example, with nothing, one field or two of it taken out or replaced."""
    value = copy.deepcopy(draw(st.sampled_from(examples)))
    for _ in range(draw(st.integers(0, 2))):
        found = places(value)
        if not found:
            return draw(JSON)
        container, key = draw(st.sampled_from(found))
        if draw(st.booleans()) and isinstance(container, dict):
            del container[key]
        else:
            container[key] = draw(JSON)
    return value


@pytest.mark.parametrize("name", sorted(SHIPPED))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_engines_agree(name: str, data: st.DataObject) -> None:
    """jsonschema-rs and jsonschema accept the same events, for every schema that is shipped."""
    checker, examples = SHIPPED[name]
    event = data.draw(JSON | mutated(examples) if examples else JSON)
    event = orjson.loads(orjson.dumps(event))

    assert checker.explainer.is_valid(event) == checker.accepts(event)


@pytest.mark.parametrize("name", sorted(SHIPPED))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_violations(name: str, data: st.DataObject) -> None:
    """There is a violation exactly when the event is refused; its code is a bounded one, its path
    leads to a place in the event, and it says something."""
    checker, examples = SHIPPED[name]
    event = data.draw(JSON | mutated(examples) if examples else JSON)

    found = checker.violations(event)

    assert bool(found) is not checker.accepts(event)
    for violation in found:
        assert violation.code in schemas.CODES
        assert violation.message
        place: Any = event
        for key in violation.path.split("/")[1:]:
            key = key.replace("~1", "/").replace("~0", "~")
            place = place[int(key) if isinstance(place, list) else key]


@pytest.mark.parametrize(
    "name",
    sorted(n for n, (_, examples) in SHIPPED.items() if examples and n not in ("typed", "time")),
)
def test_mutation_breaks_examples(name: str) -> None:
    """Changing a field of a valid example yields events of both kinds, so that the agreement of
    the engines is shown on both sides."""
    checker, examples = SHIPPED[name]
    said = set()
    for example in examples:
        said.add(checker.accepts(example))
        for key in example:
            said.add(checker.accepts({k: v for k, v in example.items() if k != key}))
            said.add(checker.accepts({**example, key: [5]}))

    assert {True, False} == said


def test_limit() -> None:
    """No more reasons are given than were asked for."""
    checker = Checker({"additionalProperties": False}, SHELF)
    event = {str(n): n for n in range(50)}

    assert 10 == len(checker.violations(event))
    assert 3 == len(checker.violations(event, limit=3))


def test_both_drafts() -> None:
    """A schema is read as the draft it names, with or without the empty fragment."""
    tuple_of_seven = {"items": [{"type": "string"}]}

    for dialect in (DRAFT_07, DRAFT_07 + "#"):
        checker = Checker({"$schema": dialect, **tuple_of_seven}, SHELF)
        assert checker.accepts(["a", 5])
        assert not checker.accepts([5])
        assert [] == check_schema({"$schema": dialect, **tuple_of_seven})
    assert check_schema(tuple_of_seven)


@pytest.mark.parametrize(
    "reference", ["https://example.com/x.json", "urn:event-hub:schema:nothing", "#/$defs/nothing"]
)
def test_nothing_is_fetched(reference: str) -> None:
    """A reference to what is not at hand does not compile, and the other engine has it no more."""
    with pytest.raises(ValueError, match=r"does not exist|Retrieval is disabled"):
        Checker({"$ref": reference}, SHELF)
    with pytest.raises(Unresolvable):
        SHELF.explaining.resolver(URN + "track").lookup(reference)


def test_a_text_ends_where_it_ends() -> None:
    """The end of a pattern is not the end of a line for who explains, wherever it stands."""
    schema = {"$schema": DRAFT_2020_12, "items": {"$ref": "#"}, "pattern": "^a$"}

    assert [] == Checker(schema, SHELF).violations([["a"]])
    for broken in ("a\n", [["a\n"]]):
        (said,) = Checker(schema, SHELF).violations(broken)
        assert "must match the pattern ^a$" == said.message


def test_the_deciding_engine_is_right() -> None:
    """Where regular expressions differ, the engine that decides is followed, with a general
    explanation."""
    ascii_digits_in_one = {"pattern": "^\\d$"}
    arabic_five = "\u0665"
    assert Draft202012Validator(ascii_digits_in_one).is_valid(arabic_five)
    assert not jsonschema_rs.Draft202012Validator(ascii_digits_in_one).is_valid(arabic_five)

    found = Checker(ascii_digits_in_one, SHELF).violations(arabic_five)

    assert [schemas.Violation("schema_violation", "", "does not fit the schema")] == found


def test_what_no_json_yields_is_still_decided() -> None:
    """A value that the fast engine cannot read is decided by the other one."""
    assert SHIPPED["track"][0].accepts({"userId": "u", "event": "e", 5: 6})
    assert not Checker({"maxProperties": 0}, SHELF).accepts({5: 6})


def test_depth() -> None:
    """An event nested a thousand deep is decided and explained, by a recursive schema too."""
    tree = {"properties": {"n": {"$ref": "#"}}, "additionalProperties": False}
    checker = Checker(tree, SHELF)
    fits: dict[str, Any] = {}
    breaks: dict[str, Any] = {"x": 1}
    for _ in range(1000):
        fits, breaks = {"n": fits}, {"n": breaks}

    assert checker.accepts(fits)
    assert not checker.accepts(breaks)
    assert [schemas.Violation("schema_violation", "", "does not fit the schema")] == (
        checker.violations(breaks)
    )
