"""mCODE's profiles of Observation: stages, grade, size, markers, performance status, course of the disease."""

from __future__ import annotations

from oncoweave.engine.parquet import literal
from oncoweave.fhir.coding import LOINC, NCIT, Coding
from oncoweave.fhir.findings import (
    COURSES,
    ECOG,
    GRADES,
    GRADES_OF_ECOG,
    KARNOFSKY,
    RECEPTORS,
    SCORES,
    TUMOUR_SIZES,
)
from oncoweave.fhir.mcode_profiles import (
    CODED,
    CONCEPT,
    MCODE,
    NO_VALUE,
    OF_A_CANCER,
    PATIENT,
    RELATED,
    TO_THE_DAY,
    by_concept,
    category,
    exactly,
    listed,
)
from oncoweave.fhir.profile_sets import Overlay, Requirement, Route
from oncoweave.fhir.resources import SUBJECT
from oncoweave.fhir.template import Elements, Instead, Leaf, moment, number, text, token, whole_number

GRADE_CODE = Coding(NCIT, "C18000", "Histologic Grade")
SIZE_CODE = Coding(LOINC, "21889-1", "Size Tumor")
LARGEST_DIMENSION = Coding(LOINC, "33728-7", "Size.maximum dimension in Tumor")
COURSE_CODE = Coding(LOINC, "97509-4", "Cancer disease progression")
ANY_STAGE = Coding(NCIT, "C16899", "Neoplasm Stage")
SAID = text("source_value")
"""What the source says, beside the codes that it was given."""

# Stages

_STAGED = Requirement("stage#modifies IS NULL OR stage#focus", "it modifies no primary cancer condition")
_OF_TUMOUR = Requirement("stage#focus", "it modifies no primary cancer condition")
_VALUE = Requirement("stage#value IS NOT NULL", "its category is not in the profile's maximum value set")
_METHOD = Requirement(
    "stage#method IS NOT NULL", "no staging system is known: neither the concept nor the source's text names one"
)


def _axis(letter: str, what: str) -> Requirement:
    return Requirement(f"stage#found = {literal(letter)}", f"the concept is no {what}")


_STAGE_VALUE: Elements = {"coding": [Leaf("stage#value"), CONCEPT], "text": SAID}
_TNM: Elements = {
    **NO_VALUE,
    "category": category("exam"),
    "code": Instead({"coding": [Leaf("stage#type")]}),
    "valueCodeableConcept": Instead(_STAGE_VALUE),
    "method": Instead({"coding": [Leaf("stage#method")]}),
}
_MEMBERS: Elements = {"hasMember": Instead(Leaf("'[' || stage#members || ']'"))}
_OTHER_STAGE: Elements = {
    **NO_VALUE,
    "category": category("exam"),
    "code": Instead({"coding": [Leaf(f"coalesce(stage#type, {literal(ANY_STAGE.json)})")]}),
    "valueCodeableConcept": Instead({"coding": [Leaf("stage#value"), CONCEPT], "text": SAID}),
    "method": Instead({"coding": [Leaf("stage#method")]}),
}


def _category(letter: str, profile: str, what: str) -> Overlay:
    """A category of TNM."""
    requires = (CODED, _axis(letter, what), _VALUE, _METHOD, _STAGED, PATIENT)
    return Overlay("Observation", _TNM, MCODE + profile, where=f"stage#axis = {literal(letter)}", requires=requires)


STAGES = (
    _category("T", "tnm-primary-tumor-category", "T category"),
    _category("N", "tnm-regional-nodes-category", "N category"),
    _category("M", "tnm-distant-metastases-category", "M category"),
    Overlay(
        "Observation",
        {**_TNM, **_MEMBERS},
        MCODE + "tnm-stage-group",
        where="stage#axis = 'S'",
        requires=(CODED, _axis("S", "stage group of TNM"), _VALUE, _METHOD, _OF_TUMOUR, PATIENT),
    ),
    Overlay(
        "Observation",
        _OTHER_STAGE,
        MCODE + "cancer-stage",
        where="stage#axis IN ('S', 'other')",
        requires=(Requirement("stage#told", "it says nothing"), _STAGED, PATIENT),
    ),
)

# Grade, size, markers

GRADE = Overlay(
    "Observation",
    {
        **NO_VALUE,
        "extension": [RELATED],
        "category": category("laboratory"),
        "code": Instead(exactly(GRADE_CODE)),
        "valueCodeableConcept": Instead({"coding": [by_concept(dict(GRADES)), CONCEPT], "text": SAID}),
    },
    MCODE + "histologic-grade",
    where=f"kind = 'grade' OR {listed(GRADES)}",
    requires=(
        CODED,
        Requirement(listed(GRADES), "the concept is no grade that has a code in the profile's value set"),
        TO_THE_DAY,
        PATIENT,
    ),
)

HISTOLOGY_CODE = Coding(LOINC, "31206-6", "Histology and Behavior ICD-O-3")
MORPHOLOGY_LOOKUP = (
    "CASE WHEN vocabulary_id = 'ICDO3' AND regexp_full_match(concept_code, '[0-9]{4}/[0-9]') THEN 'told' END"
)
HISTOLOGY = Overlay(
    "Observation",
    {
        **NO_VALUE,
        "extension": [RELATED],
        "category": category("laboratory"),
        "code": Instead(exactly(HISTOLOGY_CODE)),
        "valueCodeableConcept": Instead({"coding": [CONCEPT], "text": SAID}),
    },
    MCODE + "histologic-behavior-and-type",
    where="kind = 'histology'",
    requires=(
        CODED,
        Requirement("morphology@concept_id IS NOT NULL", "the concept is no morphology of ICD-O-3"),
        TO_THE_DAY,
        PATIENT,
    ),
)

_IS_SIZE = f"kind = 'tumour_size' OR {listed(TUMOUR_SIZES)}"
_SIZED = (
    CODED,
    Requirement("value_number IS NOT NULL", "no number: a class of sizes is none"),
    Requirement("unit_concept_id IN (8588, 8582)", "the unit is neither mm nor cm"),
    OF_A_CANCER,
    Requirement(
        "tumour#sites IS NOT NULL", "the site of the cancer is not known, which the tumour's own resource must have"
    ),
    PATIENT,
)
_TUMOUR_ID = "event_id || '-tumour'"
SIZE = Overlay(
    "Observation",
    {
        **NO_VALUE,
        "category": category("laboratory"),
        "code": Instead(exactly(SIZE_CODE)),
        "focus": Instead([{"reference": token(f"'BodyStructure/' || {_TUMOUR_ID}", always=True)}]),
        "component": [
            {
                "code": exactly(LARGEST_DIMENSION),
                "valueQuantity": {
                    "value": number("value_number"),
                    "comparator": Leaf("comparator@operator_concept_id"),
                    "unit": Leaf("unit_name@unit_concept_id"),
                    "system": "http://unitsofmeasure.org",
                    "code": Leaf("unit@unit_concept_id"),
                },
            }
        ],
    },
    MCODE + "tumor-size",
    where=_IS_SIZE,
    requires=_SIZED,
)
TUMOUR = Route(
    "measurement",
    "BodyStructure",
    {
        "resourceType": "BodyStructure",
        "id": token(_TUMOUR_ID, always=True),
        "extension": [RELATED],
        "identifier": [
            {
                "use": "usual",
                "type": {"coding": [{"system": "http://hl7.org/fhir/resource-types", "code": "BodyStructure"}]},
                "system": Leaf("to_json('urn:oncoweave:' || source_name || ':tumour')", always=True),
                "value": token("modifies"),
            }
        ],
        "location": {"coding": Leaf("'[' || tumour#sites || ']'")},
        "patient": SUBJECT,
    },
    where=" AND ".join(f"({sql})" for sql in (_IS_SIZE, *(r.sql for r in _SIZED))),
    also=True,
    profile=MCODE + "tumor",
)
"""The tumour that was measured: mCODE wants a size to be that of a tumour or of a specimen."""

_HAS_VALUE = Requirement(
    "value_number IS NOT NULL OR value_concept_id <> 0 OR value_text IS NOT NULL", "the source gives no value"
)
_IS_RECEPTOR = listed(RECEPTORS)
MARKERS = (
    Overlay(
        "Observation",
        {
            **NO_VALUE,
            "extension": [RELATED],
            "category": category("laboratory"),
            "code": Instead({"coding": [by_concept({n: test for n, (test, _) in RECEPTORS.items()})]}),
            "valueCodeableConcept": Instead(
                {"coding": [by_concept({n: result for n, (_, result) in RECEPTORS.items()}), CONCEPT], "text": SAID}
            ),
        },
        MCODE + "tumor-marker-test",
        where=_IS_RECEPTOR,
        requires=(TO_THE_DAY, PATIENT),
    ),
    Overlay(
        "Observation",
        {"extension": [RELATED], "category": category("laboratory")},
        MCODE + "tumor-marker-test",
        where=f"kind = 'marker' AND NOT coalesce({_IS_RECEPTOR}, false)",
        requires=(CODED, _HAS_VALUE, TO_THE_DAY, PATIENT),
    ),
)

# Performance status


def _score(test: Coding, profile: str, value: str, highest: int) -> Overlay:
    concepts = [n for n, code in SCORES.items() if code == test] + (list(GRADES_OF_ECOG) if test == ECOG else [])
    within = Requirement(
        f"{value} BETWEEN 0 AND {highest} AND {value} = floor({value})",
        f"the value is no whole number from 0 to {highest}",
    )
    elements: Elements = {
        **NO_VALUE,
        "category": category("exam"),
        "code": Instead(exactly(test)),
        "valueInteger": Instead(whole_number(f"CAST({value} AS INTEGER)")),
    }
    return Overlay(
        "Observation", elements, MCODE + profile, where=listed(concepts), requires=(within, TO_THE_DAY, PATIENT)
    )


_GRADE_OF_ECOG = (
    f"CASE concept_id {' '.join(f'WHEN {n} THEN {score}' for n, score in GRADES_OF_ECOG.items())} ELSE value_number END"
)
SCORED = (
    _score(ECOG, "ecog-performance-status", _GRADE_OF_ECOG, 5),
    _score(KARNOFSKY, "karnofsky-performance-status", "value_number", 100),
    Overlay(
        "Observation",
        {},
        MCODE + "ecog-performance-status",
        where=f"kind = 'performance_status' AND NOT coalesce({listed({**SCORES, **GRADES_OF_ECOG})}, false)",
        requires=(CODED, Requirement("false", "the concept is no score that mCODE has a profile of")),
    ),
)

# Course of the disease

_COURSE: Elements = {
    "category": category("exam"),
    "code": Instead(exactly(COURSE_CODE)),
    "valueCodeableConcept": Instead({"coding": [by_concept(dict(COURSES)), CONCEPT], "text": SAID}),
}
COURSE = Overlay(
    "Observation",
    {**NO_VALUE, **_COURSE},
    MCODE + "cancer-disease-status",
    where=f"kind = 'disease_status' OR {listed(COURSES)}",
    requires=(Requirement(listed(COURSES), "the concept is no course of a disease that mCODE has a code of"), PATIENT),
)
COURSE_OF_EPISODE = Route(
    "episode",
    "Observation",
    {
        "resourceType": "Observation",
        "id": token("event_id || '-status'", always=True),
        "status": "final",
        "subject": SUBJECT,
        "effectiveDateTime": moment("start"),
    },
    where=listed(COURSES),
    also=True,
)
"""An episode of OMOP that tells how a disease went on is a finding of its first day, too."""

OBSERVATIONS = (*STAGES, GRADE, HISTOLOGY, SIZE, *MARKERS, *SCORED, COURSE)
OBSERVATION_ROUTES = (TUMOUR, COURSE_OF_EPISODE)
