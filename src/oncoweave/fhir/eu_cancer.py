"""The profile set `eu-cancer`: HL7 Europe's common cancer model (hl7.eu.fhir.cancer-common 0.1.0), on top of mCODE.

The guide rests on mCODE 4.0.0 and profiles one resource that a registry has, the patient; its other models are logical ones, which
no resource can claim. What they ask for is in mCODE's resources: ICD-O-3 for site and morphology, a date of the diagnosis, TNM
that tells clinical from pathological. docs/eu_cancer_omop.md has their way to OMOP.
"""

from __future__ import annotations

from dataclasses import replace

from oncoweave.engine.parquet import literal
from oncoweave.fhir.clinical import CAUSE_OF_DEATH
from oncoweave.fhir.coding import LOINC, Coding
from oncoweave.fhir.mcode import MCODE_SET, PERSON
from oncoweave.fhir.profile_sets import Overlay, Requirement, Route
from oncoweave.fhir.template import Elements, Leaf

PATIENT_EU_CCM = "http://hl7.eu/fhir/cancer-common/StructureDefinition/patient-eu-ccm"
_SEX_AT_BIRTH = Coding(LOINC, "76689-9", "Sex assigned at birth")
_SEXES = {
    8507: Coding("http://hl7.org/fhir/administrative-gender", "male", "Male"),
    8532: Coding("http://hl7.org/fhir/administrative-gender", "female", "Female"),
}
_WHENS = " ".join(f"WHEN {number} THEN {literal(coding.json)}" for number, coding in _SEXES.items())
_RECORDED_SEX: Elements = {
    "url": "http://hl7.org/fhir/StructureDefinition/individual-recordedSexOrGender",
    "extension": [
        {"url": "value", "valueCodeableConcept": {"coding": [Leaf(f"CASE concept_id {_WHENS} END")]}},
        {"url": "type", "valueCodeableConcept": {"coding": [_SEX_AT_BIRTH.elements]}},
    ],
}
"""PERSON's gender is the sex at birth (Themis), which the guide puts into this extension."""

EU_PERSON = Overlay(
    "Patient",
    {**PERSON.elements, "extension": [_RECORDED_SEX]},
    PERSON.profile,
    where=PERSON.where,
    requires=(Requirement("start_date IS NOT NULL", "no year of birth, which HL7 Europe's patient must have"),),
    further=(PATIENT_EU_CCM,),
)

_UNKNOWN = Coding("http://terminology.hl7.org/CodeSystem/data-absent-reason", "unknown", "Unknown")
CAUSE_UNKNOWN = Route(
    "death",
    "Observation",
    {
        **{name: tree for name, tree in CAUSE_OF_DEATH.items() if not name.startswith("value")},
        "dataAbsentReason": {"coding": [_UNKNOWN.elements]},
    },
    where="NOT (coalesce(cause_concept_id, 0) <> 0 OR cause_source_value IS NOT NULL)",
    also=True,
)
"""The model of the last follow-up has a cause of death for everybody who died (lfu-2): one that nobody recorded is unknown."""

EU_CANCER_SET = replace(
    MCODE_SET,
    name="eu-cancer",
    overlays=(EU_PERSON, *MCODE_SET.overlays),
    routes=(*MCODE_SET.routes, CAUSE_UNKNOWN),
)
