"""The rules of `mapping.yaml` for the health system: places, care sites and providers, which are of no person."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from oncoweave.spec.language import Name
from oncoweave.spec.rule import Concept, Expr, PersonConcept, RuleSpec


class LocationRule(RuleSpec):
    """A place where persons live or care sites are, as fine as its keys tell it: rows that tell the same are one location.

    A row, or a group, that has none of the values is excluded as empty; some of the fields of `group` may be missing.
    """

    fact: Literal["location"] = Field(description="A place; the same place is one row.")
    address_1: Expr | None = Field(default=None, description="Street and number; of patients it is better left out.")
    address_2: Expr | None = Field(default=None, description="Further line of the address.")
    city: Expr | None = Field(default=None, description="Town.")
    state: Expr | None = Field(default=None, description="State or region; the CDM keeps two letters.")
    zip: Expr | None = Field(default=None, description="Postal code; of patients rather its beginning.")
    county: Expr | None = Field(default=None, description="County or district.")
    country: Concept | None = Field(default=None, description="Country: a concept of the domain Geography.")
    latitude: Expr | None = Field(default=None, description="Degrees north; of patients it is better left out.")
    longitude: Expr | None = Field(default=None, description="Degrees east; of patients it is better left out.")
    source_value: Expr | None = Field(default=None, description="Text for location_source_value.")

    @model_validator(mode="after")
    def _tells_something(self) -> Self:
        own = set(type(self).model_fields) - set(RuleSpec.model_fields) - {"fact"}
        if not any(getattr(self, name) for name in own):
            raise ValueError("give at least one value, such as `state` or `zip`")
        return self


class CareSiteRule(RuleSpec):
    """A care site: a hospital, a practice or a department."""

    fact: Literal["care_site"] = Field(description="A care site: a hospital, a practice, a department.")
    care_site_name: Expr | None = Field(
        default=None,
        description="Name of the site; its field must be declared as a code, since free text never leaves.",
    )
    place_of_service: Concept | None = Field(default=None, description="Kind of site, a concept of the domain Visit.")
    location: Name | None = Field(
        default=None, description="The location rule of where the site is; the site is kept without one."
    )
    source_value: Expr | None = Field(default=None, description="Text for care_site_source_value.")


class ProviderRule(RuleSpec):
    """A provider: who treats. The name and the numbers of a licence never leave the site."""

    fact: Literal["provider"] = Field(description="A provider: who treats.")
    specialty: Concept | None = Field(default=None, description="Specialty, a concept of the domain Provider.")
    gender: PersonConcept | None = Field(default=None, description="Sex of the provider.")
    year_of_birth: Expr | None = Field(default=None, description="Year of birth of the provider.")
    care_site: Name | None = Field(
        default=None, description="The care_site rule of where the provider works; the provider is kept without one."
    )
