"""Each instance's plan, or every fault of every instance."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from destinations.mapping import At, Const, First
from destinations.settings import DestinationsSettings, plans
from hub.log.settings import SqliteLog
from hub.settings import Misconfigured, load
from tests.destinations.invented import settings

URL = {"url": "https://hook.invalid/", "secret": "whsec_" + "QUFB" * 10}


def faults(**destinations: Any) -> list[str]:
    """What is wrong with these instances."""
    with pytest.raises(Misconfigured) as caught:
        plans(DestinationsSettings.model_validate({"destinations": destinations}))
    return [str(fault) for fault in caught.value.faults]


def test_an_instance_becomes_a_plan() -> None:
    """By its name, with its vendor's declaration and its own settings."""
    made = plans(settings(patience=7.0))

    assert ["hook"] == list(made)
    assert ("hook", "webhook", "https://hook.invalid/", 7.0) == (
        made["hook"].name,
        made["hook"].vendor.name,
        made["hook"].settings.url,
        made["hook"].instance.patience,
    )


def test_no_instances_are_no_fault() -> None:
    """A hub without destinations keeps its log, in SQLite unless told otherwise."""
    told = DestinationsSettings()

    assert {} == plans(told)
    assert SqliteLog() == told.log


def test_all_faults_are_told_at_once() -> None:
    """Names, vendors, settings, actions and fields of all instances, each at its place."""
    found = faults(
        **{
            "a b": {"vendor": "weebhook"},
            "x" * 65: {"vendor": "webhook", "settings": URL},
            "bad": {
                "vendor": "webhook",
                "settings": {"url": "https://hook.invalid/", "batch": 0, "typo": 1},
                "actions": {
                    "sell": {},
                    "deliver": {"fields": {"colour": "properties.colour"}},
                },
            },
        }
    )

    expected = [
        "destinations.a b: an instance's name is letters",
        "destinations.a b.vendor: There is no such vendor; there are ",
        f"destinations.{'x' * 65}: an instance's name is letters",
        "destinations.bad.settings.secret: Must be set. Signs every request",
        "destinations.bad.settings.batch: Input should be greater than or equal to 1. Most events",
        "destinations.bad.settings.typo: There is no such setting",
        "destinations.bad.actions.sell: No such action; there are deliver",
        "destinations.bad.actions.deliver.fields.colour: No such field; there are ",
    ]

    assert len(expected) == len(found)
    assert expected == [f[: len(e)] for f, e in zip(found, expected, strict=True)]


@pytest.mark.parametrize("name", ["crm", "crm-eu_2", "x" * 64])
def test_names(name: str) -> None:
    """Letters, digits, - and _, up to 64."""
    told = {"destinations": {name: {"vendor": "webhook", "settings": URL}}}

    assert [name] == list(plans(DestinationsSettings.model_validate(told)))


@pytest.mark.parametrize("name", ["", "-", "a.b", "a/b", "a b", "x" * 65])
def test_what_is_no_name(name: str) -> None:
    """A name is a reader group and a label, and must be fit for both."""
    sentence = "an instance's name is letters, digits, - and _, at most 64"

    assert [f"destinations.{name}: {sentence}"] == faults(
        **{name: {"vendor": "webhook", "settings": URL}}
    )


def test_no_fault_repeats_a_secret() -> None:
    """A wrong secret is named by its place."""
    found = faults(bad={"vendor": "webhook", "settings": {**URL, "secret": "whsec_hush!"}})

    assert 1 == len(found)
    assert found[0].startswith("destinations.bad.settings.secret: ")
    assert "hush" not in found[0]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ('"properties.mail"', At("properties.mail")),
        ('["a", "b"]', First("a", "b")),
        ("{const = 3}", Const(3)),
    ],
)
def test_a_file_changes_a_field(said: str, expected: Any, tmp_path: Path) -> None:
    """From the TOML to the action: where a field comes from."""
    file = tmp_path / "hub.toml"
    file.write_text(
        '[destinations.k]\nvendor = "klaviyo"\nsettings = {private_key = "pk_0123456789"}\n'
        f"[destinations.k.actions.event.fields]\nemail = {said}\n"
    )
    (made,) = (a for a in plans(load(DestinationsSettings, file))["k"].actions if a.name == "event")

    assert expected == made.fields["email"].source


def test_a_source_that_is_none_is_a_fault() -> None:
    """The sentence says what a source may be."""
    found = faults(
        k={
            "vendor": "klaviyo",
            "settings": {"private_key": "pk_0123456789"},
            "actions": {"event": {"fields": {"email": {"path": "x"}}}},
        }
    )

    assert [
        (
            "destinations.k.actions.event.fields.email: "
            "must be a path, a list of paths, or {const = value}"
        )
    ] == found
