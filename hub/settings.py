"""Settings from one TOML file and the environment; every fault is told at once, with its place."""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, get_args

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
    for name in tables.keys() - set(SECTIONS):
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
    """Each of pydantic's errors as a fault, with the sentence of the field that it is about."""
    faults = []
    for found in error.errors(include_url=False, include_context=False, include_input=False):
        path = ".".join([*filter(None, [prefix]), *map(str, found["loc"])]) or "settings"
        words = description_of(model, found["loc"])
        said = found["msg"].removeprefix("Value error, ")
        if found["type"] == "extra_forbidden":
            said = "There is no such setting"
        elif found["type"] == "missing":
            said = "Must be set"
        faults.append(Fault(path, f"{said}. {words}".rstrip() if words else said))
    return faults


def description_of(model: type[BaseModel], place: tuple[int | str, ...]) -> str:
    """The sentence of the field at `place`, as far down as fields have sentences."""
    sentence = ""
    models: list[type[BaseModel]] = [model]
    for step in place:
        field = next((m.model_fields[step] for m in models if step in m.model_fields), None)
        if field is not None:
            sentence = field.description or ""
            models = list(_models_in(field.annotation))
    return sentence


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models_in(part)


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
