"""The rule of `mapping.yaml` that tells who the persons are."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from oncoweave.spec.language import Name, Spec
from oncoweave.spec.rule import Expr, PersonConcept, RuleSpec


class Birth(Spec):
    """What is known of the birth: a date, or a year with month and day where known."""

    date: Expr | None = Field(default=None, description="Expression that gives the date of birth.")
    year: Expr | None = Field(default=None, description="Expression that gives the year of birth.")
    month: Expr | None = Field(default=None, description="Expression that gives the month (1-12).")
    day: Expr | None = Field(default=None, description="Expression that gives the day (1-31).")

    @model_validator(mode="after")
    def _date_or_year(self) -> Self:
        if (self.date is None) == (self.year is None):
            raise ValueError("give either `date` or `year`")
        return self


class PersonRule(RuleSpec):
    """A person. Exactly one rule of a mapping tells who the persons are."""

    fact: Literal["person"] = Field(description="A person.")
    gender: PersonConcept | None = Field(default=None, description="Sex at birth; concept 0 if unset.")
    race: PersonConcept | None = Field(
        default=None, description="Race as the source records it; concept 0 if unset or unclear. It is never guessed."
    )
    ethnicity: PersonConcept | None = Field(
        default=None,
        description="Hispanic or not, for data from the United States only (OMOP convention); elsewhere leave it out: concept 0.",
    )
    birth: Birth = Field(description="Date or year of birth; a person without a year of birth is quarantined.")
    location: Name | None = Field(
        default=None, description="The location rule of where the person lives; the person is kept without one."
    )
    provider: Name | None = Field(default=None, description="The provider rule of the person's own doctor.")
    care_site: Name | None = Field(default=None, description="The care_site rule of where that doctor works.")
