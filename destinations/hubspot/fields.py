"""The fields of a contact, a company and a custom event, and where their values come from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from destinations.hubspot.properties import address, others
from destinations.hubspot.settings import Settings
from destinations.spec import At, Field, First, Made, forms


def _word(place: int) -> Callable[[Mapping[str, Any]], Any]:
    """The first word of a name, or the rest, where nobody told the two apart."""

    def part(event: Mapping[str, Any]) -> Any:
        traits = event.get("traits")
        if not isinstance(traits, Mapping) or not isinstance(traits.get("name"), str):
            return None
        if any(traits.get(n) for n in ("firstName", "first_name", "lastName", "last_name")):
            return None
        words = traits["name"].split(maxsplit=1)
        return words[place] if place < len(words) else None

    return part


def _own(paths: Mapping[str, str]) -> dict[str, Field]:
    return {name: Field("A property of your own.", At(path)) for name, path in paths.items()}


def contact_fields(settings: Settings | None = None) -> dict[str, Field]:
    """The fields of a contact; the one that tells them apart comes first."""
    email = First("traits.email", "context.traits.email")
    fields = {"email": Field("The e-mail address.", email, address, required=True)}
    key = settings.contact_id_property if settings else "email"
    if key != "email":
        fields = {
            key: Field("Your own id of the contact.", At("userId"), forms.text, required=True),
            "email": Field("The e-mail address.", email, address),
        }
    return {
        **fields,
        "firstname": Field(
            "The given name.",
            First("traits.firstName", "traits.first_name", Made("name's first word", _word(0))),
            forms.text,
        ),
        "lastname": Field(
            "The family name.",
            First("traits.lastName", "traits.last_name", Made("name's other words", _word(1))),
            forms.text,
        ),
        "phone": Field("The telephone number.", At("traits.phone"), forms.text),
        "jobtitle": Field(
            "The title at work.",
            First("traits.title", "traits.jobTitle", "traits.job_title"),
            forms.text,
        ),
        "company": Field(
            "The company's name.", First("traits.company.name", "traits.company"), forms.text
        ),
        "website": Field("The website.", At("traits.website"), forms.text),
        **_place_fields(),
        "date_of_birth": Field("The birthday.", At("traits.birthday"), forms.text),
        "gender": Field("The gender.", At("traits.gender"), forms.text),
        "properties": Field(
            "All other traits, by names in lower or in snake case, whichever there is.",
            At("traits"),
            others(
                frozenset(
                    {
                        "email",
                        "name",
                        "first_name",
                        "last_name",
                        "title",
                        "job_title",
                        "company",
                        "address",
                        "birthday",
                    }
                )
            ),
        ),
        **_own(settings.contact_properties if settings else {}),
    }


def company_fields(settings: Settings | None = None) -> dict[str, Field]:
    """The fields of a company; the one that tells them apart comes first."""
    key = settings.company_id_property if settings else "segment_group_id"
    return {
        key: Field("Your own id of the company.", At("groupId"), forms.text, required=True),
        "name": Field("The company's name.", At("traits.name"), forms.text),
        "domain": Field("The domain of its website.", At("traits.domain"), forms.text),
        "phone": Field("The telephone number.", At("traits.phone"), forms.text),
        "website": Field("The website.", At("traits.website"), forms.text),
        "industry": Field(
            "The industry, as one of HubSpot's own words.", At("traits.industry"), forms.text
        ),
        "numberofemployees": Field(
            "How many work there.",
            First("traits.employees", "traits.employee_count", "traits.employeeCount"),
            forms.number,
        ),
        "description": Field("What it does.", At("traits.description"), forms.text),
        **_place_fields(),
        "properties": Field(
            "All other traits, by names in lower or in snake case, whichever there is.",
            At("traits"),
            others(frozenset({"address", "employees", "employee_count"})),
        ),
        "contact_email": Field(
            "The e-mail address of the contact to link.", At("context.traits.email"), address
        ),
        **_own(settings.company_properties if settings else {}),
    }


def _place_fields() -> dict[str, Field]:
    return {
        "address": Field(
            "Street and number.", First("traits.address.street", "traits.address"), forms.text
        ),
        "city": Field("The city.", First("traits.address.city", "traits.city"), forms.text),
        "state": Field("The state.", First("traits.address.state", "traits.state"), forms.text),
        "zip": Field(
            "The postal code.",
            First("traits.address.postalCode", "traits.address.postal_code", "traits.zip"),
            forms.text,
        ),
        "country": Field(
            "The country.", First("traits.address.country", "traits.country"), forms.text
        ),
    }


WHOSE = ("email", "objectId", "utk")
"""Whose event it is: HubSpot wants one of these, and takes the first that is found."""


def event_fields(settings: Settings | None = None) -> dict[str, Field]:
    """The fields of a custom event."""
    events = settings.events if settings else {}
    return {
        "eventName": Field(
            "The definition's full name.",
            Made("the setting `events`, by the event's name", lambda e: events.get(_name(e))),
            required=True,
        ),
        "email": Field(
            "The contact's e-mail address.",
            First("context.traits.email", "traits.email", "properties.email"),
            address,
        ),
        "objectId": Field(
            "The id of the record it happened to.", At("properties.hs_object_id"), forms.text
        ),
        "utk": Field(
            "The visitor's `hubspotutk` cookie.",
            First("properties.hubspotutk", "properties.utk", "integrations.HubSpot.utk"),
            forms.text,
        ),
        "occurredAt": Field("When it happened, in ISO 8601.", At("timestamp"), forms.text),
        "properties": Field(
            "The event's properties, by names in lower or in snake case, whichever there is.",
            At("properties"),
            others(frozenset({"hs_object_id", "hubspotutk", "utk"})),
        ),
    }


def name_in_events(event: Mapping[str, Any], settings: Settings) -> bool:
    """Whether an event has a definition in the settings."""
    return _name(event) in settings.events


def _name(event: Mapping[str, Any]) -> str:
    name = event.get("event" if event.get("type") == "track" else "name")
    return name if isinstance(name, str) else ""
