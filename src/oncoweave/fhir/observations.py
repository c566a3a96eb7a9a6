"""Templates of Observation and Consent."""

from __future__ import annotations

from oncoweave.fhir.elements import CODE, ENCOUNTER, EPISODE, SUBJECT, TERMINOLOGY, fixed, resource, said
from oncoweave.fhir.template import (
    ABSENT,
    Elements,
    Required,
    Tree,
    When,
    lookup,
    moment,
    quantity,
    text,
    token,
)

_TYPES = {
    "condition_occurrence": "Condition",
    "procedure_occurrence": "Procedure",
    "measurement": "Observation",
    "device_exposure": "Device",
    "visit_occurrence": "Encounter",
    "visit_detail": "Encounter",
    "specimen": "Specimen",
    "episode": "EpisodeOfCare",
}
"""The resources that an event of a table certainly becomes; a drug may have no name, so nothing refers to one."""
_WHENS = " ".join(f"WHEN '{table}' THEN '{type_}/'" for table, type_ in _TYPES.items())
FOCUS: Tree = [
    {
        "reference": token(
            f"CASE modifies_target {_WHENS} WHEN 'observation' THEN CASE WHEN NOT has_consents THEN 'Observation/' END END || modifies"
        )
    }
]
"""What a finding qualifies."""

_NO_NUMBER = "coalesce(NOT isfinite(value_number), true)"
_VALUE = said("value")
_MORE_THAN_CODE = (
    "value_text IS NOT NULL AND value_source_value IS DISTINCT FROM source_value "
    "AND value_source_value IS DISTINCT FROM source_code"
)
_SHARED: Elements = {
    "extension": EPISODE,
    "status": "final",
    "code": Required(CODE, ABSENT),
    "subject": SUBJECT,
    "focus": FOCUS,
    "encounter": ENCOUNTER,
    "effectiveDateTime": moment("start"),
    "valueQuantity": quantity("value_number", comparator=lookup("comparator", "operator_concept_id")),
}
MEASUREMENT = resource(
    "Observation",
    **_SHARED,
    valueCodeableConcept=When(f"{_NO_NUMBER} AND (value_concept_id IS NOT NULL OR ({_MORE_THAN_CODE}))", _VALUE),
    referenceRange=[{"low": quantity("range_low"), "high": quantity("range_high")}],
)
"""A measurement: its number, else the concept of its value, with what the source says of it where that is not its code."""
_SYSTOLIC, _DIASTOLIC = 3004249, 3012888
IS_BLOOD_PRESSURE = f"concept_id IN ({_SYSTOLIC}, {_DIASTOLIC}) AND NOT ({_NO_NUMBER})"
_OTHER_PRESSURE = token(f"CASE concept_id WHEN {_SYSTOLIC} THEN '8462-4' ELSE '8480-6' END", always=True)
BLOOD_PRESSURE = resource(
    "Observation",
    **{name: tree for name, tree in _SHARED.items() if name not in ("code", "valueQuantity")},
    category=[fixed(f"{TERMINOLOGY}/observation-category", "vital-signs")],
    code=fixed("http://loinc.org", "85354-9", "Blood pressure panel with all children optional"),
    component=[
        {"code": CODE, "valueQuantity": _SHARED["valueQuantity"]},
        {
            "code": {"coding": [{"system": "http://loinc.org", "code": _OTHER_PRESSURE}]},
            "dataAbsentReason": fixed(f"{TERMINOLOGY}/data-absent-reason", "unknown"),
        },
    ],
)
"""A systolic or diastolic pressure: R4 has both in one panel (its vital signs are profiles that their codes alone call for), and the
two are not tied to each other in OMOP, so in the panel of one the other is absent."""
OBSERVATION = resource(
    "Observation",
    **_SHARED,
    valueCodeableConcept=When(f"{_NO_NUMBER} AND value_concept_id IS NOT NULL", _VALUE),
    valueString=When(f"{_NO_NUMBER} AND value_concept_id IS NULL", text("value_text")),
)
"""An observation: its number, else the concept of its value, else the text that OMOP has in value_as_string."""

_YES, _NO = "value_concept_id IN (4188539, 45877994)", "value_concept_id IN (4188540, 45878245)"
_DIRECTIVE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
CONSENT = resource(
    "Consent",
    status=token(f"CASE WHEN {_NO} THEN 'rejected' ELSE 'active' END", always=True),
    scope=fixed(f"{TERMINOLOGY}/consentscope", "research", "Research"),
    category=[Required(CODE, ABSENT)],
    patient=SUBJECT,
    dateTime=moment("start"),
    policyRule=Required(
        {
            "coding": [
                {
                    "system": _DIRECTIVE,
                    "code": token(f"CASE WHEN {_YES} THEN 'OPTIN' WHEN {_NO} THEN 'OPTOUT' END"),
                }
            ],
            "text": text("value_source_value"),
        },
        ABSENT,
    ),
    provision={"type": token(f"CASE WHEN {_YES} THEN 'permit' WHEN {_NO} THEN 'deny' END")},
)
"""A consent to research or its withdrawal: what is consented to is its category, Yes or No (SNOMED's or LOINC's) the decision."""
