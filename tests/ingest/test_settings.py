"""What can be set, and what is said when it is wrong."""

from pathlib import Path

import pytest
from pydantic import BaseModel

from hub.settings import Misconfigured, load
from ingest.keys import hash_of
from ingest.settings import Ingest, IngestSettings, SourceSettings
from tests.ingest.scenes import KEY


def read(tmp_path: Path, text: str) -> IngestSettings:
    (tmp_path / "hub.toml").write_text(text)
    return load(IngestSettings, tmp_path / "hub.toml", {})


def test_the_least_that_must_be_said(tmp_path: Path) -> None:
    """One source with one key; all else has a default that works."""
    found = read(tmp_path, f'[sources.shop]\nkeys = ["{hash_of(KEY)}"]\n')

    assert ("sqlite", 8080, "strict") == (found.log.kind, found.ingest.port, found.ingest.compat)
    assert (True, ("*",), "report") == (
        found.sources["shop"].enabled,
        found.sources["shop"].origins,
        found.sources["shop"].semantic,
    )


def test_all_faults_are_told_and_no_value(tmp_path: Path) -> None:
    """With the path and the sentence of the field; a value may be a secret."""
    with pytest.raises(Misconfigured) as raised:
        read(
            tmp_path,
            '[ingest]\nport = 99999\npublic_url = "hub"\ntrusted_proxies = ["x"]\nextra = 1\n'
            '[sources.shop]\nkeys = ["plain-secret"]\nplan_mode = "maybe"\n[sources.blog]\n',
        )

    assert {
        "ingest.port",
        "ingest.public_url",
        "ingest.trusted_proxies",
        "ingest.extra",
        "sources.shop.keys.0",
        "sources.shop.plan_mode",
        "sources.blog.keys",
    } <= {fault.path for fault in raised.value.faults}
    assert "plain-secret" not in str(raised.value)


@pytest.mark.parametrize("model", [Ingest, SourceSettings, IngestSettings])
def test_every_setting_has_a_sentence(model: type[BaseModel]) -> None:
    """For the reference, and for messages."""
    assert all(field.description for field in model.model_fields.values())
    assert all(field.description.endswith(".") for field in model.model_fields.values())


@pytest.mark.parametrize("name", ["a b", "", "x" * 65, "a.b", "ä/"])
def test_names_of_sources_are_labels(name: str) -> None:
    """They stand in metrics, headers and keys."""
    with pytest.raises(ValueError, match="letters"):
        IngestSettings(sources={name: SourceSettings(keys=(hash_of(KEY),))})
