"""The language of `mapping.yaml`: which clinical fact each source row tells, in rules.

Edited by the mapping author. A rule names a *fact*, not a target table: the standard concept's domain
decides the table (domain routing). Expressions are a documented subset of SQL, compiled in `compiler`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from oncoweave.spec.clinical import (
    ConditionRule,
    DeathRule,
    DeviceRule,
    DrugRule,
    EpisodeRule,
    MeasurementRule,
    ObservationPeriodRule,
    ObservationRule,
    ProcedureRule,
    SpecimenRule,
)  # fmt: skip
from oncoweave.spec.examples import Example
from oncoweave.spec.health_system import CareSiteRule, LocationRule, ProviderRule
from oncoweave.spec.joins import Join
from oncoweave.spec.language import Name, Spec
from oncoweave.spec.notes import NoteRule
from oncoweave.spec.periods import ObservationPeriods
from oncoweave.spec.person import PersonRule
from oncoweave.spec.relationship import RelationshipRule
from oncoweave.spec.rule import ConceptText
from oncoweave.spec.stays import VisitDetailRule, VisitRule


class Defaults(Spec):
    """What holds for every rule that does not say otherwise."""

    type: ConceptText = Field(
        default="OMOP:32879 |Registry|", description="Where the records come from (Type Concept)."
    )
    provider: Literal["from visit"] | None = Field(
        default=None, description="A clinical fact with a visit and without `provider` has the provider of its visit."
    )


class Imputation(Spec):
    """Which day stands for a date that is only known to the month or year."""

    start: Literal["first", "middle", "last"] = Field(default="middle", description="Starts and single dates.")
    end: Literal["first", "middle", "last"] = Field(default="last", description="Ends.")
    death: Literal["first", "middle", "last"] = Field(default="last", description="Deaths.")


Rule = Annotated[
    PersonRule | ConditionRule | MeasurementRule | ObservationRule | ProcedureRule | DrugRule | DeviceRule | VisitRule | VisitDetailRule | DeathRule | EpisodeRule
    | ObservationPeriodRule | NoteRule | SpecimenRule | LocationRule | CareSiteRule | ProviderRule | RelationshipRule,
    Field(discriminator="fact"),
]  # fmt: skip


class Mapping(Spec):
    """mapping.yaml: how one source fills the common model."""

    version: Literal[1] = Field(description="Version of this language.")
    source: Name = Field(description="The source that is mapped.")
    vocabulary: str = Field(description="The vocabulary release that this file was reviewed against.")
    fhir: Literal["base", "mcode", "eu-cancer"] | None = Field(
        default=None,
        description="Which profiles of FHIR R4 the run is also written in, beside OMOP: base (FHIR itself), mcode (mCODE STU4) or eu-cancer (HL7 Europe's cancer models). Without it no FHIR is written.",
    )
    defaults: Defaults = Field(default_factory=Defaults, description="What holds for every rule.")
    imputation: Imputation = Field(default_factory=Imputation, description="Which day stands for a partial date.")
    concepts: dict[Name, ConceptText] = Field(
        default_factory=dict, description='Fixed concepts by name: "OMOP:id |label|"; lint checks id and label.'
    )
    spellings: dict[Name, Annotated[dict[str, str], Field(min_length=1)]] = Field(
        default_factory=dict,
        description="Texts of the source as another system writes them, by a name that expressions call: `us_state(state)`. A text that is not listed stays as it is.",
    )
    ignored: dict[str, str] = Field(
        default_factory=dict, description="Source fields that are not mapped, each with the reason."
    )
    joins: tuple[Join, ...] = Field(
        default=(), description="Which source tables look into which others; every row is kept, found or not."
    )
    observation_periods: ObservationPeriods = Field(
        default_factory=ObservationPeriods, description="How the time of observation follows from the events."
    )
    rules: tuple[Rule, ...] = Field(min_length=1, description="The rules.")
    examples: tuple[Example, ...] = Field(default=(), description="Worked examples, run by lint.")
