"""Settings from one TOML file and the environment; every fault is told at once, with its place."""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

SECTIONS = ("log", "ingest", "sources", "delivery", "destinations")
"""The tables of `hub.toml`; each wing reads its own and leaves the others alone."""

_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong: where (`sources.shop.keys`), and a sentence that names the fix."""

    path: str
    sentence: str

    def __str__(self) -> str:
        return f"{self.path}: {self.sentence}"


class Misconfigured(Exception):
    """The settings cannot be used. Carries every fault; stands outside errors one may swallow."""

    def __init__(self, faults: list[Fault]) -> None:
        self.faults = faults
        super().__init__("\n".join(map(str, faults)))


class WingSettings(BaseSettings):
    """What a wing's settings derive from: `HUB_INGEST__PORT=9000` overrides `[ingest] port`."""

    model_config = SettingsConfigDict(
        env_prefix="HUB_", env_nested_delimiter="__", extra="ignore", frozen=True
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        del settings_cls, dotenv_settings, file_secret_settings
        return env_settings, init_settings


Wing = TypeVar("Wing", bound=WingSettings)


def path_of(argument: str | None) -> Path:
    """The settings file: the argument, else `HUB_CONFIG`, else `hub.toml`."""
    return Path(argument or os.environ.get("HUB_CONFIG") or "hub.toml")


def load(model: type[Wing], path: Path, environ: Mapping[str, str] | None = None) -> Wing:
    """Read `path`, fill in `${NAME}` from the environment, let the environment override, and check.

    Raises Misconfigured with every fault. A message never holds a value: it may be a secret.
    """
    environ = os.environ if environ is None else environ
    faults: list[Fault] = []
    tables = _tables(path)
    for name in sorted(tables.keys() - set(SECTIONS)):
        near = difflib.get_close_matches(name, SECTIONS, 1)
        hint = f"; did you mean [{near[0]}]?" if near else f"; the tables are {', '.join(SECTIONS)}"
        faults.append(Fault(name, f"is no table of the settings{hint}"))
    # Only what this wing reads: who tails the log or takes events in needs no vendor's secrets.
    own = {name: table for name, table in tables.items() if name in model.model_fields}
    own = _filled(own, environ, "", faults)
    try:
        wing = model(**own)
    except ValidationError as error:
        raise Misconfigured(faults + faults_of(error, model)) from None
    except SettingsError as error:
        raise Misconfigured([*faults, Fault("environment", str(error))]) from None
    if faults:
        raise Misconfigured(faults)
    return wing


def faults_of(error: ValidationError, model: type[BaseModel], prefix: str = "") -> list[Fault]:
    """Each fault that pydantic found, with the sentence of the field that it is about.

    What each kind of a union says of one value is one fault.
    """
    said: dict[tuple[str, str], list[str]] = {}
    for found in error.errors(include_url=False, include_input=False):
        kind = found["type"]
        steps, sentence = _walked(model, found["loc"])
        words = found["msg"].removeprefix("Value error, ")
        if kind == "extra_forbidden":
            words = "There is no such setting"
        elif kind == "missing":
            words = "Must be set"
        elif kind == "union_tag_not_found":
            steps.append(found["ctx"]["discriminator"].strip("'"))
            words = "Must be set"
        elif kind == "union_tag_invalid":
            steps.append(found["ctx"]["discriminator"].strip("'"))
            words = f"Must be one of {found['ctx']['expected_tags']}"
        path = ".".join([*filter(None, [prefix]), *steps]) or "settings"
        said.setdefault((path, sentence), []).append(words)
    return [
        Fault(path, f"{' or: '.join(dict.fromkeys(words))}. {sentence}".removesuffix(". "))
        for (path, sentence), words in said.items()
    ]


def _walked(model: type[BaseModel], place: tuple[int | str, ...]) -> tuple[list[str], str]:
    """`place` as the user wrote it, and the sentence of the last field on the way.

    Pydantic names the kind of a union among the steps, which no file does: the log's servers are
    at `log.bootstrap_servers`, not `log.kafka.bootstrap_servers`.
    """
    steps: list[str] = []
    sentence = ""
    kinds: list[Any] = [model]
    for number, step in enumerate(place):
        fields = (kind.model_fields.get(step) for kind in kinds if hasattr(kind, "model_fields"))
        field = next(filter(None, fields), None)
        held = [_last(kind) for kind in kinds if get_origin(kind) in _HOLDERS]
        if field is not None:
            sentence = field.description or ""
            kinds = list(_kinds_of(field.annotation))
        elif held:
            kinds = [kind for inner in held for kind in _kinds_of(inner)]
        elif number < len(place) - 1 or not any(hasattr(kind, "model_fields") for kind in kinds):
            kinds = [kind for kind in kinds if step in _tags(kind)] or kinds
            continue
        steps.append(str(step))
    return steps, sentence


def _tags(kind: Any) -> list[Any]:
    """By what a union may tell this kind from others."""
    fields = kind.model_fields.values() if hasattr(kind, "model_fields") else ()
    return [tag for field in fields for tag in get_args(field.annotation)]


def _last(holder: Any) -> Any:
    """What a list or a mapping holds: of `tuple[X, ...]`, X."""
    return [part for part in get_args(holder) if part is not ...][-1]


_HOLDERS = (dict, Mapping, list, Sequence, tuple, set, frozenset)


def _kinds_of(annotation: Any) -> Iterator[Any]:
    """What an annotation allows: the parts of a union, each without its Annotated."""
    if get_origin(annotation) is Annotated:
        yield from _kinds_of(get_args(annotation)[0])
    elif get_origin(annotation) in (Union, UnionType):
        for part in get_args(annotation):
            yield from _kinds_of(part)
    else:
        yield annotation


def _tables(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise Misconfigured(
            [Fault(str(path), "is not there; copy deploy/hub.example.toml or name one by --config")]
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured([Fault(str(path), f"cannot be read: {error}")]) from None
    except tomllib.TOMLDecodeError as error:
        raise Misconfigured([Fault(str(path), f"is not TOML: {error}")]) from None


def _filled(value: Any, environ: Mapping[str, str], path: str, faults: list[Fault]) -> Any:
    """`value` with each `${NAME}` replaced; a name that is not set is a fault."""
    if isinstance(value, dict):
        return {
            key: _filled(inner, environ, f"{path}.{key}" if path else key, faults)
            for key, inner in value.items()
        }
    if isinstance(value, list):
        return [_filled(inner, environ, f"{path}.{i}", faults) for i, inner in enumerate(value)]
    if not isinstance(value, str):
        return value

    def found(match: re.Match[str]) -> str:
        name = match[1]
        if name not in environ:
            faults.append(Fault(path, f"names ${{{name}}}, which the environment does not set"))
        return environ.get(name, "")

    return _REFERENCE.sub(found, value)
