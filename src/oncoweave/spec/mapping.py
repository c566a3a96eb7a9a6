"""The language of `mapping.yaml`: which clinical fact each source row tells, in rules.

Edited by the mapping author. A rule names a *fact*, not a target table: the standard concept's domain
decides the table (domain routing). Expressions are a documented subset of SQL, compiled in `compiler`.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, FiniteFloat, model_validator

from oncoweave.spec.conversion import UnitConversion
from oncoweave.spec.examples import Example
from oncoweave.spec.health_system import CareSiteRule, LocationRule, ProviderRule
from oncoweave.spec.joins import Join
from oncoweave.spec.language import Name, Spec
from oncoweave.spec.periods import ObservationPeriods
from oncoweave.spec.relationship import RelationshipRule
from oncoweave.spec.rule import Concept, ConceptText, Expr, Kind, PersonConcept, ProviderName, RuleSpec, VisitLink


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


class Column(Spec):
    """What one column of a wide row tells; `value` is the column itself unless given."""

    concept: Concept = Field(description="What was measured or found; with {map} the value itself selects the concept.")
    value: Expr | None = Field(default=None, description="Expression of the value; the column itself if unset.")
    value_concept: Concept | None = Field(default=None, description="Concept of the value.")
    unit: Concept | None = Field(default=None, description="Unit of a numeric value.")
    convert: UnitConversion | None = Field(
        default=None, description="Values of several units in one; `between` then goes by the new unit."
    )
    operator: Concept | None = Field(default=None, description="Relation of the value to the true one (<, <=, >, >=).")
    between: tuple[FiniteFloat, FiniteFloat] | None = Field(
        default=None, description="Lowest and highest plausible value; others are quarantined."
    )
    source_value: Expr | None = Field(
        default=None, description="Text for *_source_value, when it is not the code itself."
    )
    kind: Kind | None = Field(default=None, description="Clinical role of the fact, for FHIR and the reports.")


class FactSpec(RuleSpec):
    """What the rules of coded clinical facts share: a concept, or several columns with one each."""

    concept: Concept | None = Field(default=None, description="The concept of the fact; or give `columns`.")
    columns: dict[Name, Column] = Field(
        default_factory=dict, description="Wide to long: one fact for each filled column."
    )
    source_value: Expr | None = Field(
        default=None, description="Text for *_source_value, when it is not the code itself."
    )
    kind: Kind | None = Field(default=None, description="Clinical role of the fact, for FHIR and the reports.")
    modifies: Name | None = Field(
        default=None, description="The rule whose fact of the same row (or group) this one qualifies."
    )
    episode: Name | None = Field(default=None, description="The episode rule that this fact belongs to.")
    visit: Name | VisitLink | None = Field(
        default=None,
        description="The visit rule that this fact belongs to, by the fields that identify the visit; or {rule: …, by: date}. "
        "The fact is kept where there is no such visit.",
    )
    visit_detail: Name | VisitLink | None = Field(
        default=None,
        description="The visit_detail rule that this fact belongs to, found as `visit` is; without `visit` it tells the visit too.",
    )
    provider: ProviderName | None = Field(
        default=None,
        description="The provider rule of who treated; `from visit`: the provider of the visit. The fact is kept without one.",
    )

    @model_validator(mode="after")
    def _concept_or_columns(self) -> Self:
        if (self.concept is None) == (not self.columns):
            raise ValueError("give either `concept` or `columns`")
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


class ConditionRule(FactSpec):
    """A diagnosis."""

    fact: Literal["condition"] = Field(description="A diagnosis.")
    start: Expr = Field(description="Expression of the date of diagnosis.")
    end: Expr | None = Field(default=None, description="Expression of the end date.")
    status: Concept | None = Field(default=None, description="Condition status: basis of the diagnosis.")
    stop_reason: Expr | None = Field(default=None, description="Why the condition is no longer recorded, as coded.")


class MeasurementRule(FactSpec):
    """A measurement, or a modifier of a diagnosis (stage, grade, size, marker)."""

    fact: Literal["measurement"] = Field(description="A measurement or a modifier of a diagnosis.")
    date: Expr = Field(description="Expression of the date.")
    value: Expr | None = Field(default=None, description="Expression of the value.")
    value_concept: Concept | None = Field(default=None, description="Concept of the value.")
    unit: Concept | None = Field(default=None, description="Unit of a numeric value.")
    convert: UnitConversion | None = Field(
        default=None, description="Values of several units in one; `between` then goes by the new unit."
    )
    operator: Concept | None = Field(default=None, description="Relation of the value to the true one (<, <=, >, >=).")
    between: tuple[FiniteFloat, FiniteFloat] | None = Field(
        default=None, description="Lowest and highest plausible value; others are quarantined."
    )
    range_low: Expr | None = Field(default=None, description="Lower limit of the laboratory's normal range.")
    range_high: Expr | None = Field(default=None, description="Upper limit of the laboratory's normal range.")


class ObservationRule(FactSpec):
    """An observation: what is neither diagnosis, measurement, procedure, drug nor device."""

    fact: Literal["observation"] = Field(description="An observation.")
    date: Expr = Field(description="Expression of the date.")
    value: Expr | None = Field(default=None, description="Expression of the value.")
    value_concept: Concept | None = Field(default=None, description="Concept of the value.")
    unit: Concept | None = Field(default=None, description="Unit of a numeric value.")
    convert: UnitConversion | None = Field(
        default=None, description="Values of several units in one; `between` then goes by the new unit."
    )
    qualifier: Concept | None = Field(default=None, description="Qualifier of the observation.")


class ProcedureRule(FactSpec):
    """A procedure: surgery, radiotherapy, a therapy whose drug is not named."""

    fact: Literal["procedure"] = Field(description="A procedure.")
    date: Expr = Field(description="Expression of the date.")
    end: Expr | None = Field(default=None, description="Expression of the end date.")
    quantity: Expr | None = Field(default=None, description="Number of procedures.")
    modifier: Concept | None = Field(default=None, description="Modifier of the procedure, such as its side.")


class DrugRule(FactSpec):
    """A named drug. A therapy without a named drug is a procedure or an episode."""

    fact: Literal["drug"] = Field(description="A named drug.")
    start: Expr = Field(description="Expression of the first day.")
    end: Expr | None = Field(
        default=None, description="Expression of the last day as recorded; see `recorded_as` for where there is none."
    )
    recorded_as: Literal["administration", "prescription", "mail_order"] = Field(
        default="administration",
        description="What is recorded, which gives the last day where neither `end` nor `days_supply` does (Themis): an administration ends on its first day, a prescription 29 days later, a mail order 89 days later.",
    )
    quantity: Expr | None = Field(default=None, description="Quantity dispensed or given.")
    days_supply: Expr | None = Field(
        default=None,
        description="Days of supply as recorded, never computed; where there is no end, the last day follows from it.",
    )
    refills: Expr | None = Field(default=None, description="Number of refills after the first dispensing.")
    sig: Expr | None = Field(
        default=None, description="Directions of the prescription; free text is refused, for it would leave the site."
    )
    lot_number: Expr | None = Field(default=None, description="Lot number of the product.")
    dose_unit: Expr | None = Field(default=None, description="Unit of the dose, as the source writes it.")
    stop_reason: Expr | None = Field(default=None, description="Why the drug was stopped, as coded.")
    route: Concept | None = Field(default=None, description="Route of administration.")


class DeviceRule(FactSpec):
    """A device: implant, prosthesis, port."""

    fact: Literal["device"] = Field(description="A device.")
    start: Expr = Field(description="Expression of the first day.")
    end: Expr | None = Field(default=None, description="Expression of the last day.")
    quantity: Expr | None = Field(default=None, description="Number of devices.")
    unit: Concept | None = Field(default=None, description="Unit of the quantity.")
    unique_device_id: Expr | None = Field(
        default=None, description="Device identifier (UDI-DI): the product, never the person that has it."
    )
    production_id: Expr | None = Field(default=None, description="Production identifier (UDI-PI): lot, serial number.")


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
    parent: Name | None = Field(default=None, description="The visit_detail rule that this detail lies within.")


class NoteRelease(Spec):
    """What of a note may leave the site, and why. A note is free text about a person: without this nothing does."""

    text: bool = Field(default=False, description="Whether the text itself leaves the site.")
    title: bool = Field(default=False, description="Whether the title leaves the site.")
    because: Expr = Field(
        description="Why it may leave, and who decided it; the release, its manifest and the recap repeat it."
    )

    @model_validator(mode="after")
    def _something_leaves(self) -> Self:
        if not (self.text or self.title):
            raise ValueError("say what leaves the site: `text: true`, `title: true`")
        return self


class NoteRule(RuleSpec):
    """A note: a letter, a report. Its text stays at the site unless `release` says why it may leave."""

    fact: Literal["note"] = Field(description="A note: a letter, a report, free text about a person.")
    date: Expr = Field(description="Expression of the date.")
    text: Expr = Field(description="The text; a row without one is excluded. It stays at the site without `release`.")
    title: Expr | None = Field(default=None, description="The title, free text too: empty without `release`.")
    release: NoteRelease | None = Field(
        default=None,
        description="What of the note may leave the site, and why; without it the release has the note, and says in place of the text that it was withheld.",
    )
    concept: Concept | None = Field(
        default=None, description="Class of the note, such as a kind of document in LOINC; concept 0 if unset."
    )
    source_value: Expr | None = Field(
        default=None, description="Text for note_source_value, when it is not the code of the class itself."
    )
    encoding: Concept | None = Field(
        default=None,
        description="Encoding of the released text, which is always UTF-8 (OMOP:32678); concept 0 if unset.",
    )
    language: Concept | None = Field(default=None, description="Language of the text; concept 0 if unset.")
    modifies: Name | None = Field(
        default=None, description="The rule whose fact of the same row (or group) the note is about."
    )
    visit: Name | VisitLink | None = Field(
        default=None,
        description="The visit rule that the note belongs to, or {rule: …, by: date}; the note is kept where there is no such visit.",
    )
    visit_detail: Name | VisitLink | None = Field(
        default=None, description="The visit_detail rule that the note belongs to, found as `visit` is."
    )
    provider: ProviderName | None = Field(
        default=None, description="The provider rule of who wrote it; `from visit`: the provider of the visit."
    )


class SpecimenRule(RuleSpec):
    """A specimen: a biological sample of a person."""

    fact: Literal["specimen"] = Field(description="A specimen: a biological sample of a person.")
    concept: Concept = Field(description="Kind of specimen: tissue, blood …")
    date: Expr = Field(description="Expression of the date on which it was collected.")
    quantity: Expr | None = Field(default=None, description="Amount that was collected.")
    unit: Concept | None = Field(default=None, description="Unit of the amount.")
    anatomic_site: Concept | None = Field(default=None, description="Where on the body it comes from.")
    disease_status: Concept | None = Field(default=None, description="Whether it comes from diseased tissue.")
    source_id: Name | None = Field(
        default=None,
        description="The field with the specimen's own number; a pseudonym of it leaves the site, never the number.",
    )
    source_value: Expr | None = Field(
        default=None, description="Text for specimen_source_value, when it is not the code itself."
    )


class DeathRule(RuleSpec):
    """A death: at most one a person."""

    fact: Literal["death"] = Field(description="A death.")
    date: Expr = Field(description="Expression of the date of death.")
    cause: Concept | None = Field(default=None, description="Cause of death, only where recorded.")


class EpisodeRule(RuleSpec):
    """A disease episode or a course of treatment that groups events."""

    fact: Literal["episode"] = Field(description="A disease episode or a course of treatment.")
    concept: Concept = Field(description="Kind of episode: treatment regimen, disease progression …")
    object: Concept = Field(description="What the episode is about: a condition, a procedure or a regimen.")
    start: Expr = Field(description="Expression of the first day.")
    end: Expr | None = Field(default=None, description="Expression of the last day.")
    number: Expr | None = Field(default=None, description="Ordinal of the episode, such as the line of treatment.")
    parent: Name | None = Field(default=None, description="The episode rule that this episode is part of.")


class ObservationPeriodRule(RuleSpec):
    """A span of time in which the person was observed; spans that touch are merged. Without any: first to last event."""

    fact: Literal["observation_period"] = Field(description="A span of time in which the person was observed.")
    start: Expr = Field(description="Expression of the first day.")
    end: Expr = Field(description="Expression of the last day.")


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
    defaults: Defaults = Field(default_factory=Defaults, description="What holds for every rule.")
    imputation: Imputation = Field(default_factory=Imputation, description="Which day stands for a partial date.")
    concepts: dict[Name, ConceptText] = Field(
        default_factory=dict, description='Fixed concepts by name: "OMOP:id |label|"; lint checks id and label.'
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
