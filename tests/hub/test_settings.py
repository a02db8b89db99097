"""Settings from one file and the environment, and every fault at once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from hub.settings import Fault, Misconfigured, WingSettings, load, path_of


class Table(BaseModel):
    """A table that knows its names."""

    model_config = ConfigDict(extra="forbid")


class Near(Table):
    """A log that is near."""

    kind: Literal["near"] = Field("near", description="It is near.")
    path: str = Field("x.db", description="The file.")


class Far(Table):
    """A log that is far."""

    kind: Literal["far"] = Field("far", description="It is far.")
    servers: str = Field(description="Where they are.")


class Source(Table):
    """Who sends."""

    keys: tuple[SecretStr, ...] = Field(description="The write keys.")
    equals: str | int | None = Field(None, description="The value.")

    @field_validator("keys")
    @classmethod
    def _are_long(cls, keys: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        if any(len(key.get_secret_value()) < 8 for key in keys):
            raise ValueError("a key has at least 8 characters")
        return keys


class Ingest(Table):
    """The process that takes events in."""

    port: int = Field(8080, ge=0, le=65_535, description="Where it listens.")
    hosts: tuple[str, ...] = Field((), description="Their names.")


class Wing(WingSettings):
    """A wing of the house."""

    log: Annotated[Near | Far, Field(discriminator="kind")] = Field(
        Near(), description="Where events wait."
    )
    ingest: Ingest = Field(Ingest(), description="The process.")
    sources: Mapping[str, Source] = Field(default_factory=dict, description="Who sends.")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "hub.toml"


def loaded(file: Path, text: str, **environ: str) -> Wing:
    """The wing that a file's text makes."""
    file.write_text(text, encoding="utf-8")
    return load(Wing, file, environ)


def faults(file: Path, text: str, **environ: str) -> list[str]:
    """What is wrong with a file's text."""
    with pytest.raises(Misconfigured) as caught:
        loaded(file, text, **environ)
    assert str(caught.value) == "\n".join(map(str, caught.value.faults))
    return [str(fault) for fault in caught.value.faults]


def test_a_file_is_read(file: Path) -> None:
    """Tables become settings; what is not named has its default."""
    wing = loaded(file, '[log]\nkind = "far"\nservers = "a:1"\n[ingest]\nport = 9\n')

    assert Far(servers="a:1") == wing.log
    assert (9, (), {}) == (wing.ingest.port, wing.ingest.hosts, wing.sources)
    assert Near() == loaded(file, "").log


def test_names_are_filled_in_from_the_environment(file: Path) -> None:
    """In texts, lists and tables, wherever they stand in a text."""
    text = '[sources.shop]\nkeys = ["${KEY}", "x-${KEY}-${OTHER}", "$KEY {OTHER}"]\n'
    wing = loaded(file, text, KEY="abcdefgh", OTHER="")

    assert ["abcdefgh", "x-abcdefgh-", "$KEY {OTHER}"] == [
        key.get_secret_value() for key in wing.sources["shop"].keys
    ]


def test_names_that_are_not_set_are_faults(file: Path) -> None:
    """Each with its place, also inside lists."""
    text = '[log]\npath = "${HOME_OF}/x"\nkind = "near"\n'
    text += '[sources.shop]\nkeys = ["abcdefgh", "${K}-key-of-eight"]\n'

    assert [
        "log.path: names ${HOME_OF}, which the environment does not set",
        "sources.shop.keys.1: names ${K}, which the environment does not set",
    ] == faults(file, text)


def test_another_wings_names_need_not_be_set(file: Path) -> None:
    """Who takes events in needs no vendor's secrets."""
    assert Wing() == loaded(file, '[destinations.x]\nkey = "${NOT_SET}"\n')


def test_the_environment_overrides(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`HUB_INGEST__PORT` wins over `[ingest] port`, and leaves its neighbours."""
    monkeypatch.setenv("HUB_INGEST__PORT", "7")
    monkeypatch.setenv("HUB_LOG__PATH", "y.db")
    monkeypatch.setenv("HUB_CONFIG", "somewhere.toml")
    wing = loaded(file, '[ingest]\nport = 9\nhosts = ["h"]\n[log]\nkind = "near"\n')

    assert (7, ("h",), Near(path="y.db")) == (wing.ingest.port, wing.ingest.hosts, wing.log)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("HUB_INGEST__PORT", "70000", "ingest.port: Input should be less than or equal to 65535"),
        ("HUB_INGEST__PROT", "7", "ingest.prot: There is no such setting. The process."),
        ("HUB_INGEST", "{", "environment: error parsing value for field"),
    ],
)
def test_the_environments_faults_are_faults(
    file: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, expected: str
) -> None:
    """With the place that the file would have, and the file's own faults beside them."""
    monkeypatch.setenv(name, value)
    first, second = faults(file, "[zoo]\n")

    assert first.startswith("zoo: is no table of the settings")
    assert second.startswith(expected)


def test_all_faults_are_told_at_once(file: Path) -> None:
    """Unknown tables and names, missing and wrong values, each with its place and its sentence."""
    text = """
        [ingset]
        [zoo]
        [ingest]
        port = -1
        hosts = ["a", 7]
        [sources.shop]
        keys = ["short"]
        equals = [1]
        typo = 1
        [sources.app]
        [log]
        kind = "near"
        path = "${GONE}"
    """

    assert [
        "ingset: is no table of the settings; did you mean [ingest]?",
        (
            "zoo: is no table of the settings; "
            "the tables are log, ingest, sources, delivery, destinations"
        ),
        "log.path: names ${GONE}, which the environment does not set",
        "ingest.port: Input should be greater than or equal to 0. Where it listens.",
        "ingest.hosts.1: Input should be a valid string. Their names.",
        "sources.shop.keys: a key has at least 8 characters. The write keys.",
        (
            "sources.shop.equals: "
            "Input should be a valid string or: Input should be a valid integer. The value."
        ),
        "sources.shop.typo: There is no such setting. Who sends.",
        "sources.app.keys: Must be set. The write keys.",
    ] == faults(file, text)


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ('kind = "far"', ["log.servers: Must be set. Where they are."]),
        ('kind = "far"\nservers = 7', ["log.servers: Input should be a valid string. Where they"]),
        ('kind = "near"\nservers = 7', ["log.servers: There is no such setting. Where events"]),
        ('kind = "faar"', ["log.kind: Must be one of 'near', 'far'. Where events wait."]),
        ('path = "x"', ["log.kind: Must be set. Where events wait."]),
    ],
)
def test_a_path_reads_as_the_user_wrote_it(file: Path, table: str, expected: list[str]) -> None:
    """The kind of a union is no step of a path: no file has a table `log.far`."""
    found = faults(file, f"[log]\n{table}\n")

    assert len(expected) == len(found)
    assert expected == [f[: len(e)] for f, e in zip(found, expected, strict=True)]


def test_no_message_holds_a_value(file: Path) -> None:
    """A wrong value may be a secret, wherever it stands."""
    secret = "hush-hu"
    found = faults(
        file,
        f'[log]\nkind = "{secret}"\n[ingest]\nport = "{secret}"\nhosts = {{a = "{secret}"}}\n'
        f'[sources.shop]\nkeys = ["{secret}"]\nequals = ["{secret}"]\ntypo = "${{S}}"\n',
        S=secret,
    )

    assert 6 == len(found)
    assert secret not in "".join(found)


def test_a_file_that_is_not_there(file: Path) -> None:
    """It says how to get one."""
    with pytest.raises(Misconfigured, match=r"is not there; copy deploy/hub\.example\.toml"):
        load(Wing, file)


@pytest.mark.parametrize(
    ("body", "expected"),
    [(b"[ingest", "is not TOML: "), (b"\xff\xfe", "cannot be read: ")],
)
def test_a_file_that_cannot_be_read(file: Path, body: bytes, expected: str) -> None:
    """Neither half a table nor bytes that are no text; the message names the file."""
    file.write_bytes(body)
    with pytest.raises(Misconfigured) as caught:
        load(Wing, file)
    (fault,) = caught.value.faults

    assert str(file) == fault.path
    assert fault.sentence.startswith(expected)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    """What cannot be opened is a fault and no traceback."""
    with pytest.raises(Misconfigured, match="cannot be read"):
        load(Wing, tmp_path)


def test_which_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """The argument, else HUB_CONFIG, else hub.toml."""
    monkeypatch.delenv("HUB_CONFIG", raising=False)
    found = [path_of(None)]
    monkeypatch.setenv("HUB_CONFIG", "b.toml")
    found += [path_of(None), path_of("a.toml")]

    assert [Path("hub.toml"), Path("b.toml"), Path("a.toml")] == found


def test_settings_do_not_change(file: Path) -> None:
    """What was read stays as it was read."""
    with pytest.raises(ValueError, match="frozen"):
        setattr(loaded(file, ""), "log", Near())  # noqa: B010 - mypy knows it is frozen, too


def test_a_fault_is_a_place_and_a_sentence() -> None:
    """As it is printed."""
    assert "a.b: is wrong" == str(Fault("a.b", "is wrong"))
