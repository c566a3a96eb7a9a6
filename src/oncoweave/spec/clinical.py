"""The rules of `mapping.yaml` for clinical facts: diagnoses, findings, treatments, specimens, episodes, deaths."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, FiniteFloat, model_validator

from oncoweave.spec.conversion import UnitConversion
from oncoweave.spec.language import Name, Spec
from oncoweave.spec.relationship import FactLink
from oncoweave.spec.rule import Concept, Expr, Kind, ProviderName, RuleSpec, VisitLink


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
    modifies: Name | FactLink | None = Field(
        default=None,
        description="The rule whose fact of the same row (or group) this one qualifies; or {rule: …, by: …}, the fields that name the fact: where they are empty, this one qualifies nothing.",
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
    routed: bool = Field(
        default=True,
        description="false: the fact stays an observation whatever the domain of its concept, as a refuted diagnosis does, or the drug that an allergy is to.",
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
    """A death: at most one a person. Of several rules, the first that tells of a person's death counts."""

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
