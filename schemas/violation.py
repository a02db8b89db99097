"""Why one event breaks a schema, told without showing the event.

The law: a message is made of the schema's words and of the names of types. What the event holds at
the place is personal data and never part of it; jsonschema's own messages print it, so none of
them is used here. A path names keys of the event, as it must to be of use.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from jsonschema.exceptions import ValidationError

SCHEMA_VIOLATION: Final = "schema_violation"

# Segment's reason codes for what fails on ingest, as far as a schema can see them, and the one
# that stands for all else. They are metric labels: a schema cannot add to them.
CODES: Final = frozenset(
    {
        "consent_categorypreferences_fields_should_be_bool",
        "consent_categorypreferences_fields_should_be_object",
        "consent_categorypreferences_should_exist",
        "category_not_string",
        "consent_version_should_be_number",
        "device_advertisingid_should_be_string",
        "empty_batch",
        "event_not_defined",
        "event_not_string",
        "id_not_string",
        "id_required",
        "name_not_string",
        "no_user_anon_id",
        "properties_not_object",
        SCHEMA_VIOLATION,
        "traits_not_object",
    }
)


@dataclass(frozen=True, slots=True)
class Violation:
    """Why one event breaks a schema: a bounded code, a JSON pointer, one sentence."""

    code: str
    path: str
    message: str


def pointer(keys: Iterable[str | int]) -> str:
    """The JSON pointer that these keys spell."""
    return "".join("/" + str(key).replace("~", "~0").replace("/", "~1") for key in keys)


def explain(error: ValidationError) -> Iterator[Violation]:
    """What one error of jsonschema means, as the reader of a rejection needs it."""
    schema = error.schema if isinstance(error.schema, Mapping) else {}
    code = schema.get("x-code")
    code = code if isinstance(code, str) and code in CODES else SCHEMA_VIOLATION
    path = pointer(list(error.absolute_path))
    said = schema.get("x-message")
    keyword = "false" if error.schema is False else str(error.validator)
    event: Any = error.instance
    wanted: Any = error.validator_value
    if isinstance(said, str):
        yield Violation(code, path, said)
    elif keyword == "additionalProperties" and wanted is False:
        for key in _unnamed(event, schema):
            yield Violation(code, path + pointer([key]), "is a field that the schema does not name")
    elif keyword in ("required", "dependentRequired"):
        yield from (Violation(code, path, f"must have '{n}'") for n in _missing(wanted, event))
    else:
        say = _SENTENCES.get(keyword)
        message = say(wanted, event) if say else f"breaks the schema's '{keyword}'"
        yield Violation(code, path, message)


def _unnamed(event: Mapping[str, Any], schema: Mapping[str, Any]) -> list[str]:
    patterns = schema.get("patternProperties", {})
    return [
        key
        for key in event
        if key not in schema.get("properties", {}) and not any(re.search(p, key) for p in patterns)
    ]


def _missing(wanted: Any, event: Mapping[str, Any]) -> list[str]:
    if isinstance(wanted, Mapping):
        wanted = [name for key, names in wanted.items() if key in event for name in names]
    return [name for name in wanted if name not in event]


_A: Final = MappingProxyType(
    {
        "string": "a string",
        "number": "a number",
        "integer": "a whole number",
        "boolean": "true or false",
        "object": "an object",
        "array": "a list",
        "null": "null",
    }
)


def _kind(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case str():
            return "a string"
        case int() | float():
            return "a number"
        case dict():
            return "an object"
        case _:
            return "a list"


def _type(types: Any, value: Any) -> str:
    names = [types] if isinstance(types, str) else types
    return f"must be {' or '.join(_A.get(n, n) for n in names)}, and is {_kind(value)}"


def _words(values: Any) -> str:
    shown = ", ".join(repr(v) if isinstance(v, str) else str(v) for v in values[:10])
    return shown if len(values) <= 10 else f"{shown} or {len(values) - 10} others"


def _at_least(noun: str) -> Callable[[Any, Any], str]:
    return lambda n, _: "must not be empty" if n == 1 else f"must have at least {n} {noun}"


def _limit(words: str) -> Callable[[Any, Any], str]:
    return lambda limit, _: words.format(limit)


_SENTENCES: Final[Mapping[str, Callable[[Any, Any], str]]] = MappingProxyType(
    {
        "type": _type,
        "enum": lambda values, _: f"must be one of {_words(values)}",
        "const": lambda value, _: f"must be {_words([value])}",
        "minLength": _at_least("characters"),
        "minItems": _at_least("items"),
        "minProperties": _at_least("fields"),
        "maxLength": _limit("must have at most {} characters"),
        "maxItems": _limit("must have at most {} items"),
        "maxProperties": _limit("must have at most {} fields"),
        "minimum": _limit("must be at least {}"),
        "maximum": _limit("must be at most {}"),
        "exclusiveMinimum": _limit("must be above {}"),
        "exclusiveMaximum": _limit("must be below {}"),
        "multipleOf": _limit("must be a multiple of {}"),
        "pattern": _limit("must match the pattern {}"),
        "format": _limit("must be in the format '{}'"),
        "uniqueItems": _limit("must not have an item twice"),
        "additionalProperties": _limit("has a field that the schema does not name"),
        "unevaluatedProperties": _limit("has a field that the schema does not name"),
        "items": _limit("has more items than the schema names"),
        "contains": _limit("must have an item that the schema asks for"),
        "anyOf": _limit("fits none of the shapes allowed here"),
        "oneOf": _limit("must fit exactly one of the shapes allowed here"),
        "false": _limit("is not allowed here"),
        "not": _limit("has a shape that is not allowed here"),
    }
)
