"""The profile set `mcode`: mCODE STU4 (hl7.fhir.us.mcode 4.0.0), without what is of the United States only.

Each overlay says which events a profile tells of, and what such an event must have for its resource to claim it. One that
lacks something stays a resource of FHIR itself, and the record of the run counts it with the reason.
"""

from __future__ import annotations

from oncoweave.engine.parquet import literal
from oncoweave.fhir.cancer_tables import JOINED_CANCER, make_cancer_tables
from oncoweave.fhir.cancers import METASTASES, SECONDARY_CANCER
from oncoweave.fhir.mcode_observations import MORPHOLOGY_LOOKUP, OBSERVATION_ROUTES, OBSERVATIONS
from oncoweave.fhir.mcode_profiles import CONCEPT, MCODE, PATIENT, RELATED, TERMINOLOGY
from oncoweave.fhir.mcode_treatments import SPECIMEN_LOOKUPS, TREATMENTS
from oncoweave.fhir.profile_sets import Overlay, ProfileSet, Requirement, Route
from oncoweave.fhir.resources import SUBJECT
from oncoweave.fhir.template import Elements, Instead, Leaf, Tree, When, moment, token

_MASKED: Elements = {
    "extension": [{"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "masked"}]
}
PERSON = Overlay(
    "Patient",
    {
        "identifier": [
            {
                "system": Leaf("to_json('urn:oncoweave:' || source_name || ':person')", always=True),
                "value": token("person_id", always=True),
            }
        ],
        "name": [_MASKED],
    },
    MCODE + "cancer-patient",
    where="patient#told IS NOT NULL",
)
"""A patient with a cancer: known by the pseudonym, the name masked."""

_MORPHOLOGY: Elements = {
    "url": MCODE + "histology-morphology-behavior",
    "valueCodeableConcept": {"coding": [Leaf("cancer#morphology")]},
}
_STATUS = f"""'{{"coding":[{{"system":"{TERMINOLOGY}/condition-clinical","code":"' || CASE WHEN end_date IS NULL THEN 'active' ELSE 'inactive' END || '"}}]}}'"""
_PROBLEM: Tree = [{"coding": [{"system": f"{TERMINOLOGY}/condition-category", "code": "problem-list-item"}]}]
_SIDE: Elements = {
    "url": MCODE + "laterality-qualifier",
    "valueCodeableConcept": {"coding": [Leaf("side#coding")]},
}
_CANCER: Elements = {
    "extension": [_MORPHOLOGY],
    "clinicalStatus": Instead(Leaf(_STATUS, always=True)),
    "category": Instead(_PROBLEM),
    "code": {"coding": [Leaf("cancer#code")]},
    "bodySite": [
        {"extension": When("cancer#sites IS NOT NULL", [_SIDE]), "coding": Leaf("'[' || cancer#sites || ']'")}
    ],
}
_STAGE: Tree = Instead([{"assessment": Leaf("'[' || staged#by || ']'")}])
PRIMARY = Overlay(
    "Condition", {**_CANCER, "stage": _STAGE}, MCODE + "primary-cancer-condition", where="cancer#role = 'primary'"
)
_RELATED_PRIMARY: Elements = {
    "url": "http://hl7.org/fhir/StructureDefinition/condition-related",
    "valueReference": RELATED["valueReference"],
}
SECONDARY = Overlay(
    "Condition",
    {
        **_CANCER,
        "extension": [
            _MORPHOLOGY,
            _RELATED_PRIMARY,
        ],
        "stage": Instead(Leaf("NULL")),
    },
    MCODE + "secondary-cancer-condition",
    where="cancer#role = 'secondary'",
)
_IS_METASTASIS = "metastasis@concept_id = 'told' AND coalesce(value_concept_id, 0) NOT IN (9189, 4188540)"
_WHERE = " ".join(
    f"WHEN {number} THEN {literal('[' + ','.join(c.json for c in site.codings) + ']')}"
    for number, site in METASTASES.items()
)
METASTASIS = Route(
    "measurement",
    "Condition",
    {
        "resourceType": "Condition",
        "id": token("event_id || '-metastasis'", always=True),
        "extension": [_RELATED_PRIMARY],
        "clinicalStatus": {"coding": [{"system": f"{TERMINOLOGY}/condition-clinical", "code": "active"}]},
        "verificationStatus": {"coding": [{"system": f"{TERMINOLOGY}/condition-ver-status", "code": "confirmed"}]},
        "category": _PROBLEM,
        "code": {"coding": [CONCEPT, SECONDARY_CANCER.elements]},
        "bodySite": [{"coding": Leaf(f"CASE concept_id {_WHERE} END")}],
        "subject": SUBJECT,
        "onsetDateTime": moment("start"),
    },
    where=f"{_IS_METASTASIS} AND {PATIENT.sql}",
    also=True,
    profile=SECONDARY.profile,
)
"""A metastasis, which OMOP has as a modifier, is a condition for mCODE, too; the day that it was found stands for its onset."""
METASTASIS_LOOKUP = "CASE WHEN vocabulary_id = 'Cancer Modifier' AND concept_class_id = 'Metastasis' THEN 'told' END"

NO_CANCER = Overlay(
    "Condition",
    {},
    MCODE + "primary-cancer-condition",
    kinds=frozenset({"diagnosis"}),
    requires=(
        Requirement("concept_id <> 0", "no standard concept"),
        Requirement("false", "the concept is no primary or secondary cancer"),
    ),
)
"""What the mapping calls the diagnosis, and is no cancer that mCODE knows."""

MCODE_SET = ProfileSet(
    "mcode",
    overlays=(PERSON, PRIMARY, SECONDARY, NO_CANCER, *OBSERVATIONS, *TREATMENTS),
    routes=(*OBSERVATION_ROUTES, METASTASIS),
    lookups={**SPECIMEN_LOOKUPS, "metastasis": METASTASIS_LOOKUP, "morphology": MORPHOLOGY_LOOKUP},
    joined=JOINED_CANCER,
    make_tables=make_cancer_tables,
)
