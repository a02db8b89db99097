"""One compiled schema: jsonschema-rs decides, jsonschema explains.

The two read the same documents and ask the same functions about formats. Should they ever differ
(regular expressions have dialects), the one that decides is right, and the explanation is general.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from types import MappingProxyType
from typing import Any, Final

import jsonschema_rs
import orjson
from jsonschema import Draft7Validator, Draft202012Validator, FormatChecker
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from schemas.formats import CHECKED, REMARKS
from schemas.pattern import in_python
from schemas.violation import SCHEMA_VIOLATION, Violation, explain

DRAFT_2020_12: Final = "https://json-schema.org/draft/2020-12/schema"
DRAFT_07: Final = "http://json-schema.org/draft-07/schema"


def _remark(_: str) -> bool:
    return True


def _properties(
    validator: Any, properties: Mapping[str, Any], event: Any, _: Any
) -> Iterator[ValidationError]:
    """The keyword as jsonschema has it, but that a field forbidden by `false` is told by its path.

    jsonschema 4.26 returns from `descend` before it has added the path when the schema is false.
    """
    if not validator.is_type(event, "object"):
        return
    for name, schema in properties.items():
        if name in event and schema is False:
            yield ValidationError("", path=[name], validator="false", schema=False)
        elif name in event:
            yield from validator.descend(event[name], schema, path=name, schema_path=name)


def _pattern(validator: Any, pattern: str, event: Any, _: Any) -> Iterator[ValidationError]:
    """The keyword as jsonschema has it, but that a text ends where it ends."""
    if validator.is_type(event, "string") and not re.search(in_python(pattern), event):
        yield ValidationError("")


_KEYWORDS: Final = MappingProxyType({"pattern": _pattern, "properties": _properties})
# The stubs leave `extend` without types.
_EXPLAINING: Final = extend(Draft202012Validator, _KEYWORDS)  # type: ignore[no-untyped-call]
_EXPLAINING_07: Final = extend(Draft7Validator, _KEYWORDS)  # type: ignore[no-untyped-call]


@dataclass(frozen=True, slots=True)
class Shelf:
    """The schemas that a schema may refer to by $id: the same documents for both engines."""

    documents: Mapping[str, Any]
    deciding: jsonschema_rs.Registry
    explaining: Registry[Any]

    @classmethod
    def of(cls, documents: Mapping[str, Any]) -> "Shelf":
        """A shelf of these documents; what is not on it does not exist."""
        return cls(
            documents,
            jsonschema_rs.Registry(list(documents.items())),
            Registry[Any]().with_resources(
                (name, DRAFT202012.create_resource(_draftless(document)))
                for name, document in documents.items()
            ),
        )


class Checker:
    """One compiled schema; `asks_functions` when it may ask those of `schemas.formats`."""

    __slots__ = ("_decide", "asks_functions", "explainer", "schema")

    def __init__(self, schema: Mapping[str, Any], shelf: Shelf) -> None:
        """Compile; a schema that refers to what does not exist is a ValueError."""
        seven = str(schema.get("$schema", DRAFT_2020_12)).rstrip("#") == DRAFT_07
        explaining = _EXPLAINING_07 if seven else _EXPLAINING
        deciding = jsonschema_rs.Draft7Validator if seven else jsonschema_rs.Draft202012Validator
        self.schema = schema
        self.explainer = explaining(
            _draftless(schema), registry=shelf.explaining, format_checker=_format_checker()
        )
        # With functions of ours, called or not, the engine takes twice as long for an event.
        self.asks_functions = _has_formats(schema, shelf)
        formats: dict[str, Callable[[str], bool]] = {
            **dict.fromkeys(REMARKS, _remark),
            **CHECKED,
        }
        self._decide = deciding(
            dict(schema),
            registry=shelf.deciding,
            formats=formats if self.asks_functions else None,
            validate_formats=True,
            ignore_unknown_formats=True,
            offline=True,
        ).is_valid

    def accepts(self, event: Any) -> bool:
        """Whether the event fits. This is the hot path."""
        try:
            return self._decide(event)
        except ValueError:  # a value that no JSON text yields, or text that is not UTF-8
            return bool(self.explainer.is_valid(event))

    def violations(self, event: Any, limit: int = 10) -> list[Violation]:
        """Why it does not fit, at most `limit` reasons; none exactly when it is accepted."""
        if self.accepts(event):
            return []
        found: dict[Violation, None] = {}
        try:
            for violation in self._explained(event):
                found[violation] = None
                if len(found) == limit:
                    break
        except RecursionError:  # a schema that refers to itself, and an event nested as deeply
            pass
        return list(found) or [Violation(SCHEMA_VIOLATION, "", "does not fit the schema")]

    def _explained(self, event: Any) -> Iterator[Violation]:
        errors: Iterator[ValidationError] = self.explainer.iter_errors(event)
        for error in errors:
            yield from explain(error)


def _draftless(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """Without its draft: where jsonschema meets one, it goes on with its own idea of keywords."""
    return {name: said for name, said in schema.items() if name != "$schema"}


def _has_formats(schema: Mapping[str, Any], shelf: Shelf) -> bool:
    """Whether `format` is said in the schema, or in a document that it names, or that names."""
    named: set[str] = set()
    left = [dict(schema)]
    while left:
        text = orjson.dumps(left.pop()).decode()
        if '"format"' in text:
            return True
        more = {name for name in shelf.documents if name in text} - named
        named |= more
        left += [shelf.documents[name] for name in more]
    return False


def check_schema(schema: Mapping[str, Any], limit: int = 10) -> list[Violation]:
    """What is wrong with a schema itself, judged by jsonschema against its meta-schema."""
    seven = str(schema.get("$schema", DRAFT_2020_12)).rstrip("#") == DRAFT_07
    meta = Draft7Validator if seven else Draft202012Validator
    # Only `regex`: which other formats are known depends on what happens to be installed.
    judge = meta(meta.META_SCHEMA, format_checker=FormatChecker(formats=["regex"]))
    return list(
        islice(dict.fromkeys(v for e in judge.iter_errors(schema) for v in explain(e)), limit)
    )


def _format_checker() -> FormatChecker:
    checker = FormatChecker(formats=())
    for name, check in CHECKED.items():
        checker.checks(name)(lambda value, check=check: not isinstance(value, str) or check(value))
    return checker
