"""The rules of `mapping.yaml` for visits and their details."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from oncoweave.spec.language import Name
from oncoweave.spec.relationship import FactLink
from oncoweave.spec.rule import Concept, Expr, RuleSpec, VisitLink


class StaySpec(RuleSpec):
    """What the rules of visits and of their details share."""

    concept: Concept = Field(description="Kind of visit: inpatient, outpatient, emergency …")
    start: Expr = Field(description="Expression of the first day.")
    end: Expr | None = Field(default=None, description="Expression of the last day; the first day if unset.")
    without_end: Literal["start", "ongoing"] = Field(
        default="start",
        description="What an empty `end` means. start: it ended on its first day. ongoing: an inpatient was still there "
        "on the day of the delivery; every other kind of visit ended on its first day.",
    )
    admitted_from: Concept | None = Field(default=None, description="Where the person came from, a kind of visit.")
    discharged_to: Concept | None = Field(default=None, description="Where the person went to, a kind of visit.")
    source_value: Expr | None = Field(
        default=None, description="Text for *_source_value, when it is not the code itself."
    )
    provider: Name | None = Field(
        default=None, description="The provider rule of who is responsible; the visit is kept without one."
    )
    care_site: Name | None = Field(
        default=None, description="The care_site rule of where the visit was; the visit is kept without one."
    )


class VisitRule(StaySpec):
    """A visit: a stay or a contact, to which other facts belong."""

    fact: Literal["visit"] = Field(description="A visit.")
    roll_up: bool = Field(
        default=False,
        description="true: the rows are encounters. Those of one hospital stay become one visit, every encounter a visit "
        "detail, and facts that name this rule belong to both.",
    )


class VisitDetailRule(StaySpec):
    """A part of a visit: a ward, a transfer, an encounter within a stay."""

    fact: Literal["visit_detail"] = Field(description="A part of a visit: a ward, an encounter within a stay.")
    visit: Name | VisitLink = Field(
        description="The visit rule that it is a part of, by name or {rule: …, by: date}; a detail without its visit is "
        "quarantined, since the CDM has none."
    )
    parent: Name | FactLink | None = Field(
        default=None,
        description="The visit_detail rule that this detail lies within; {rule: …, by: …} names the fields that tell it, also of another row of this rule. The detail is kept without one.",
    )
