"""Which events become which resources in every profile set, and which become none, and why."""

from __future__ import annotations

from oncoweave.fhir.clinical import (
    CAUSE_OF_DEATH,
    CONDITION,
    DEAD,
    DEVICE,
    DEVICE_USE,
    EPISODE_OF_CARE,
    PATIENT,
    PROCEDURE,
    SPECIMEN,
    VISIT,
    VISIT_DETAIL,
)
from oncoweave.fhir.elements import SUBJECT
from oncoweave.fhir.medications import ADMINISTRATION, IMMUNIZATION, STATEMENT
from oncoweave.fhir.observations import BLOOD_PRESSURE, CONSENT, IS_BLOOD_PRESSURE, MEASUREMENT, OBSERVATION
from oncoweave.fhir.profile_sets import Route

__all__ = ["ROUTES", "SUBJECT"]

_UNNAMED = "coalesce(concept_id, 0) = 0 AND coalesce(source_concept_id, 0) = 0"
_VACCINE = "vocabulary@concept_id = 'CVX' OR vocabulary@source_concept_id = 'CVX'"
_ELSEWHERE = {
    "note": "a note is in OMOP only",
    "location": "a place is in OMOP only",
    "care_site": "a care site is in OMOP only",
    "provider": "a provider is in OMOP only",
    "observation_period": "a time of observation is in OMOP only",
    "fact_relationship": "a relationship of two facts is in OMOP only",
}

ROUTES: tuple[Route, ...] = (
    Route("person", "Patient", PATIENT),
    Route("visit_occurrence", "Encounter", VISIT),
    Route("visit_detail", "Encounter", VISIT_DETAIL),
    Route("condition_occurrence", "Condition", CONDITION),
    Route("measurement", "Observation", BLOOD_PRESSURE, where=IS_BLOOD_PRESSURE),
    Route("measurement", "Observation", MEASUREMENT),
    Route("observation", "Consent", CONSENT, kinds=frozenset({"consent"})),
    Route("observation", "Observation", OBSERVATION),
    Route("procedure_occurrence", "Procedure", PROCEDURE),
    Route("drug_exposure", "", where=_UNNAMED, reason="no drug is named that the vocabulary has"),
    Route("drug_exposure", "Immunization", IMMUNIZATION, where=_VACCINE),
    Route("drug_exposure", "MedicationStatement", STATEMENT, where="days_otherwise > 0"),
    Route("drug_exposure", "MedicationAdministration", ADMINISTRATION),
    Route("device_exposure", "Device", DEVICE),
    Route("device_exposure", "DeviceUseStatement", DEVICE_USE, also=True),
    Route("specimen", "Specimen", SPECIMEN),
    Route("episode", "EpisodeOfCare", EPISODE_OF_CARE),
    Route("death", "Observation", DEAD),
    Route("death", "Observation", CAUSE_OF_DEATH, where="cause_concept_id <> 0 OR cause_source_value IS NOT NULL", also=True),
    *(Route(target, "", reason=reason) for target, reason in _ELSEWHERE.items()),
)  # fmt: skip
"""A prescription or mail order is told by the days that stand for an end that nobody knows (`recorded_as` of its rule)."""
