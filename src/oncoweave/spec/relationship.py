"""The rule of `mapping.yaml` that ties two facts of one person to each other: a specimen to the procedure that took it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from oncoweave.spec.language import SCOPE, Name, Spec
from oncoweave.spec.rule import RuleSpec

FieldName = Annotated[str, StringConstraints(pattern=SCOPE)]
"""A field of the rule's table, or of one that it joins: `stages.condition`."""


class FactLink(Spec):
    """A fact at one end of a relationship, by the fields of the row that name it."""

    rule: Name = Field(description="The rule of the fact.")
    by: dict[FieldName, Name] = Field(
        min_length=1,
        description="Fields of this row (or group), each with the field of the rule's table that holds the same text; together the latter are what the rule makes one fact of.",
    )


class RelationshipRule(RuleSpec):
    """What one fact is to another. It is no clinical fact itself: FACT_RELATIONSHIP gets two rows, one for each direction.

    A row that does not name both facts is excluded as empty; one of which a fact was not mapped is quarantined.
    """

    fact: Literal["relationship"] = Field(description="What one fact is to another, both of the same person.")
    first: Name | FactLink = Field(
        description="The rule of the fact that has the relationship, found as `modifies` finds its fact; or {rule: …, by: …}."
    )
    second: Name | FactLink = Field(description="The rule of the fact that it has the relationship to, found likewise.")
    relationship: str = Field(
        min_length=1,
        description='What the first is to the second, by relationship_id of the vocabulary\'s RELATIONSHIP ("Has specimen") or "OMOP:id |label|".',
    )
    reverse: str | None = Field(
        default=None,
        min_length=1,
        description='What the second is to the first ("Specimen of"); the vocabulary knows it, and another is refused.',
    )
