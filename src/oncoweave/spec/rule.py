"""What every rule of `mapping.yaml` is made of: expressions, concepts, and the keys that all rules have."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from oncoweave.spec.language import Name, Spec

Expr = Annotated[str, StringConstraints(min_length=1)]
ProviderName = Annotated[str, StringConstraints(pattern=r"^([a-z][a-z0-9_]*|from visit)$")]
Kind = Literal[
    "diagnosis", "tnm_t", "tnm_n", "tnm_m", "stage_group", "summary_stage", "grade", "marker", "tumour_size", "node_count",
    "histology", "performance_status", "laboratory", "disease_status", "outcome", "surgery", "radiotherapy", "systemic_therapy",
    "menopausal_status", "consent", "finding",
]  # fmt: skip


class MapRef(Spec):
    """A concept looked up in a concept map, by the text of a value."""

    map: Name = Field(description="Name of the concept map: concepts/<name>.csv beside this file, else the shared one.")
    value: Expr | None = Field(
        default=None, description="Expression that gives the source code; the column itself inside `columns`."
    )


class CodeRef(Spec):
    """A concept looked up in a vocabulary, by its code."""

    vocabulary: str = Field(
        description="vocabulary_id as OMOP spells it: ICDO3, ICD10, SNOMED, ATC …; `OMOP`: the code is a concept id."
    )
    code: str = Field(description='The code; parts in braces are expressions: "{morphology}/{behaviour}-{topography}".')
    otherwise: str | None = Field(
        default=None,
        description="The code that is taken, in a fact's own concept, where the first leads to no concept: a wider one of the same vocabulary.",
    )


class CodingRef(Spec):
    """A concept looked up by the codings of a FHIR source, of which one is chosen by HL7's FHIR to OMOP guide.

    Of the codings that lead to a concept: the one of the vocabulary that is named first; of one vocabulary the most
    specific, then the one that the user selected, then the first. Where none does, the first coding is unmapped.
    """

    codings: Expr = Field(
        description="The field with the CodeableConcept, in its view `{name: code, path: code}`, or with a list of codings, `{name: code, path: code.coding, collection: true}`. Only the code that is chosen leaves the site; one of words alone has concept 0."
    )
    vocabularies: tuple[str, ...] = Field(
        min_length=1,
        description="The vocabularies whose codings are taken, the best first, as OMOP spells them; `OMOP` stands for concept ids.",
    )
    map: Name | None = Field(
        default=None, description="The concept map of the codes of all other systems: concepts/<name>.csv."
    )


ConceptText = Annotated[str, StringConstraints(min_length=1)]
Concept = ConceptText | MapRef | CodeRef | CodingRef
"""A name from `concepts:`, "OMOP:id |label|", {map: …}, {vocabulary: …, code: …} or {codings: …, vocabularies: …}."""


class PersonConcept(Spec):
    """What a person is by sex at birth, race or ethnicity."""

    concept: Concept = Field(description="The concept: by map, by code of a vocabulary, or fixed.")
    why: str = Field(default="", description="Why the concept is fixed; required when it does not come from the data.")


class RuleSpec(Spec):
    """What every rule has."""

    name: Name = Field(description="Name of the rule, unique in the file.")
    from_: Name = Field(alias="from", description="The source table whose rows the rule reads.")
    where: Expr | None = Field(default=None, description="Condition that a row must meet; the others are excluded.")
    because: str | None = Field(default=None, description="Why the others are excluded; required with `where`.")
    group: tuple[str, ...] = Field(default=(), description="Fields by which many rows make one fact.")
    order: tuple[str, ...] = Field(
        default=(), description="Fields that order the rows of a group; required for first() and last()."
    )
    optional: bool = Field(
        default=False,
        description="true: a delivery may have no row that the rule takes; elsewhere the quality report asks why it made nothing.",
    )
    type: ConceptText | MapRef | None = Field(
        default=None,
        description="Type concept of these records; the default's if unset. {map: …} takes it from what a record says of its origin, and the default where that is nothing or not in the map.",
    )

    @model_validator(mode="after")
    def _where_has_a_reason(self) -> Self:
        if (self.where is None) != (self.because is None):
            raise ValueError("`where` and `because` go together")
        return self


class VisitLink(Spec):
    """The visit that a fact happened in, by its date."""

    rule: Name = Field(description="The rule of the visits.")
    by: Literal["date"] = Field(
        description="date: the visit of the same person whose days hold the fact's first day; where there are several, an "
        "inpatient visit before an emergency before any other, then the shortest, then the latest start."
    )
