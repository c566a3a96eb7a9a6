"""mCODE's profiles of treatments and specimens."""

from __future__ import annotations

from oncoweave.engine.parquet import literal
from oncoweave.fhir.coding import SNOMED, Coding
from oncoweave.fhir.findings import INTENTS, SPECIMENS
from oncoweave.fhir.mcode_profiles import CODED, MCODE, PATIENT, by_concept
from oncoweave.fhir.profile_sets import Overlay, Requirement
from oncoweave.fhir.template import Elements, Instead, Leaf, moment

RADIOTHERAPY_COURSE = Coding(SNOMED, "1217123003", "Radiotherapy course of treatment (regime/therapy)")
_REASON: Elements = {
    "reference": Leaf("""CASE WHEN tumour#role IS NOT NULL THEN '"Condition/' || modifies || '"' END""")
}
_INTENT: Elements = {
    "url": MCODE + "procedure-intent",
    "valueCodeableConcept": {"coding": [by_concept(dict(INTENTS), "modifier_concept_id")]},
}
_DATED = Requirement("start_date IS NOT NULL", "no date (us-core-7)")

SURGERY = Overlay(
    "Procedure",
    {"extension": [_INTENT], "reasonReference": [_REASON]},
    MCODE + "cancer-related-surgical-procedure",
    kinds=frozenset({"surgery"}),
    requires=(CODED, _DATED, PATIENT),
)
RADIOTHERAPY = Overlay(
    "Procedure",
    {
        "extension": [_INTENT],
        "code": {"coding": [{"system": RADIOTHERAPY_COURSE.system, "code": RADIOTHERAPY_COURSE.code}]},
        "performedDateTime": Instead(Leaf("NULL")),
        "performedPeriod": Instead({"start": moment("start"), "end": moment("end")}),
        "reasonReference": [_REASON],
    },
    MCODE + "radiotherapy-course-summary",
    kinds=frozenset({"radiotherapy"}),
    requires=(_DATED, PATIENT),
)
ADMINISTRATION = Overlay(
    "MedicationAdministration",
    {"reasonReference": [_REASON]},
    MCODE + "cancer-related-medication-administration",
    kinds=frozenset({"systemic_therapy"}),
    requires=(PATIENT,),
)
_KINDS = " ".join(f"WHEN {literal(code)} THEN {literal(coding.json)}" for code, coding in SPECIMENS.items())
SPECIMEN_LOOKUPS = {"specimen": f"CASE WHEN vocabulary_id = 'SNOMED' THEN CASE concept_code {_KINDS} END END"}
SPECIMEN = Overlay(
    "Specimen",
    {"type": {"coding": [Leaf("specimen@concept_id")]}},
    MCODE + "human-specimen",
    where="patient#told IS NOT NULL",
    requires=(CODED,),
)

TREATMENTS = (SURGERY, RADIOTHERAPY, ADMINISTRATION, SPECIMEN)
