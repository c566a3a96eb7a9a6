"""Templates of Patient, Encounter, Condition, Procedure, EpisodeOfCare, Specimen, Device and DeviceUseStatement."""

from __future__ import annotations

from oncoweave.fhir.elements import CODE, ENCOUNTER, EPISODE, SUBJECT, TERMINOLOGY, fixed, further, resource, said
from oncoweave.fhir.template import (
    ABSENT,
    Elements,
    Leaf,
    Required,
    When,
    codeable,
    lookup,
    moment,
    moments,
    quantity,
    reference,
    text,
    token,
)

_BIRTH = token(
    "left(CAST(start_date AS VARCHAR), CASE start_precision WHEN 'year' THEN 4 WHEN 'month' THEN 7 ELSE 10 END)"
)
PATIENT: Elements = {
    "resourceType": "Patient",
    "id": token("person_id", always=True),
    "gender": Required(lookup("gender", "concept_id"), "unknown"),
    "birthDate": _BIRTH,
    "deceasedDateTime": token("death#date"),
}

DEAD = further(
    "Observation",
    "vital-status",
    status="final",
    code=fixed("http://loinc.org", "67162-8", "Vital status"),
    subject=SUBJECT,
    effectiveDateTime=moment("start"),
    valueCodeableConcept=fixed("http://snomed.info/sct", "419099009", "Dead"),
)
"""What a death says of a person, as an observation."""
CAUSE_OF_DEATH = further(
    "Observation",
    "cause-of-death",
    status="final",
    code=fixed("http://snomed.info/sct", "184305005", "Cause of death"),
    subject=SUBJECT,
    effectiveDateTime=moment("start"),
    valueCodeableConcept=said("cause"),
)

_ENDED = "end_date IS NOT NULL"
CONDITION = resource(
    "Condition",
    extension=EPISODE,
    clinicalStatus=When(_ENDED, fixed(f"{TERMINOLOGY}/condition-clinical", "inactive")),
    verificationStatus={
        "coding": [
            {
                "system": f"{TERMINOLOGY}/condition-ver-status",
                "code": token("CASE status_concept_id WHEN 32899 THEN 'provisional' ELSE 'confirmed' END", always=True),
            }
        ]
    },
    code=Required(CODE, ABSENT),
    subject=SUBJECT,
    encounter=ENCOUNTER,
    onsetDateTime=moment("start"),
    abatementDateTime=moment("end"),
    stage=[{"assessment": Leaf("stages#observations")}],
)
"""A condition is confirmed unless its status is that of a preliminary diagnosis (32899); one that has ended is inactive. Whether
one without an end is still active, nobody knows."""

PROCEDURE = resource(
    "Procedure",
    extension=EPISODE,
    status="completed",
    code=Required(CODE, ABSENT),
    subject=SUBJECT,
    encounter=ENCOUNTER,
    **moments("performed"),
)

_VISIT: Elements = {
    "status": token(
        "CASE WHEN end_precision IS NOT DISTINCT FROM 'ongoing' THEN 'in-progress' ELSE 'finished' END", always=True
    ),
    "class": Required(lookup("class", "concept_id"), ABSENT),
    "type": [CODE],
    "subject": SUBJECT,
    "period": {
        "start": moment("start"),
        "end": When("end_precision IS DISTINCT FROM 'ongoing'", moment("end")),
    },
    "hospitalization": {"admitSource": said("admitted_from"), "dischargeDisposition": said("discharged_to")},
}
VISIT = resource("Encounter", **_VISIT)
VISIT_DETAIL = resource("Encounter", **_VISIT, partOf=reference("Encounter", "coalesce(parent, visit)"))
"""A detail of a visit lies within another, or within the visit itself."""

EPISODE_OF_CARE = resource(
    "EpisodeOfCare",
    status=Required(When(_ENDED, "finished"), "active"),
    type=[CODE, codeable("object_concept_id")],
    diagnosis=Leaf("diagnoses#conditions"),
    patient=SUBJECT,
    period={"start": moment("start"), "end": moment("end")},
)
"""An episode without an end is active, as its period without an end says too: R4 has no code for what nobody knows."""

SPECIMEN = resource(
    "Specimen",
    identifier=[
        {
            "system": Leaf(
                "CASE WHEN own_number IS NOT NULL THEN to_json('urn:oncoweave:' || source_name || ':specimen') END"
            ),
            "value": When("own_number IS NOT NULL", text("own_number")),
        }
    ],
    type=CODE,
    subject=SUBJECT,
    collection={
        "collectedDateTime": moment("start"),
        "quantity": quantity("quantity"),
        "bodySite": said("anatomic_site"),
    },
    condition=[said("disease_status")],
)

DEVICE = resource(
    "Device",
    udiCarrier=[{"deviceIdentifier": text("unique_device_id")}],
    type=CODE,
    patient=SUBJECT,
)
DEVICE_USE = resource(
    "DeviceUseStatement",
    extension=EPISODE,
    status=Required(When(_ENDED, "completed"), "active"),
    subject=SUBJECT,
    **moments("timing"),
    device=reference("Device", "event_id", always=True),
)
"""Which device a person has, or had: without an end it is still used, as of an episode."""
