"""A vendor's declaration as text for a person."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from destinations import describe, registry
from destinations.describe import described
from destinations.settings import plans
from destinations.spec import At, Batch, Bucket, Destination, Field, On, Rate, Window
from tests.destinations.invented import action, plan, settings, vendor

TOLD = """\
Acme (acme), API v1, which ends on 2027-03-01
https://acme.invalid

Settings
  secret                   A secret that stays one. (default SecretStr('**********'))
  region                   Where it is. (default 'eu')

Action send: Sends it.
  for     track, page named Bought, Home; from the web
  batch   up to 9 events and 1,000 bytes, all or none
  rate    10 requests in 1 s, 900 requests in a day of Europe/Berlin, 4 requests at once, \
100 points and 5 more a second (2 a request)
  again   saying it twice counts twice
  age     at most 168 h
  needs   one of email, phone
  email                    The address. Required. From properties.email.

Action plain: Sends it.
  for     track, identify, page, screen, group, alias
  batch   up to 1 events and 1,000,000 bytes
  rate    no limit of the vendor's
  again   saying it twice counts twice
  age     at most depends on the event
  email                    The address. From properties.email.
"""


@pytest.fixture
def acme(monkeypatch: pytest.MonkeyPatch) -> Destination[Any]:
    """The registry knows an invented vendor."""
    full = action(
        on=On(("track", "page"), ("Bought", "Home"), sentence="from the web"),
        batch=Batch(rows=9, bytes=1_000, atomic=True),
        rate=Rate(
            "all", (Window(10, 1.0), Window(900, 86_400.0, "Europe/Berlin")), 4, Bucket(100, 5.0)
        ),
        cost=2.0,
        max_age=604_800.0,
        one_of=("email", "phone"),
        fields={"email": Field("The address.", At("properties.email"), required=True)},
    )
    made = vendor(full, action("plain", max_age=lambda _: 1.0), sunset=date(2027, 3, 1))
    monkeypatch.setattr(describe, "registry", _Registry(made))
    return made


class _Registry:
    def __init__(self, made: Destination[Any]) -> None:
        self.made = made

    def vendor(self, name: str) -> Destination[Any]:
        assert name == self.made.name
        return self.made


def test_a_page_says_it_all(acme: Destination[Any]) -> None:
    """Version and its end, settings, triggers, batch, rate, repetition, age and fields."""
    assert TOLD == described(acme.name)


def test_an_instances_page_has_its_own_mapping(acme: Destination[Any]) -> None:
    """With a plan: what this instance changed, and not what it switched off."""
    changed = plan(
        of=acme,
        overrides={("send", "email"): At("traits.mail")},
        actions={"plain": {"enabled": False}, "send": {"events": ["Sold"]}},
    )
    page = described(acme.name, changed)

    assert "  email                    The address. Required. From traits.mail.\n" in page
    assert "  for     track, page named Sold; from the web\n" in page
    assert "Action plain" not in page


def test_no_value_of_a_setting_is_shown() -> None:
    """A page of an instance names settings, and holds none of their values."""
    page = described("webhook", plans(settings())["hook"])

    assert "hook.invalid" not in page
    assert "QUFB" not in page
    assert "(required)" in page
    assert "(default empty)" in page


@pytest.mark.parametrize("name", registry.vendors())
def test_no_line_is_blank_by_mistake(name: str) -> None:
    """Every line of every vendor says something to the end."""
    for line in described(name).splitlines():
        assert line == line.rstrip()
        assert "None" not in line or "default None" in line
